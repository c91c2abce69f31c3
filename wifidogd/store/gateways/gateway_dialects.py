"""What the reports of adopted gateways show of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wifidogd.domain.sessions import Counters, Dialect
from wifidogd.store.driver.database import Cursor

SAVE_OBSERVATIONS = """
    WITH held AS (
        SELECT gw_id
          FROM gateways
         WHERE gw_id = ANY(%(gw_ids)s::text[])
         ORDER BY gw_id
           FOR NO KEY UPDATE
    )
    UPDATE gateways
       SET dialect = coalesce(said.dialect, gateways.dialect),
           counters_seen = coalesce(said.counters_seen, gateways.counters_seen)
      FROM held
      JOIN unnest(%(gw_ids)s::text[], %(dialects)s::text[], %(counters_seen)s::text[])
           AS said (gw_id, dialect, counters_seen) USING (gw_id)
     WHERE gateways.gw_id = said.gw_id
"""


class Observation(NamedTuple):
    """
    What is new about a gateway.

    @ivar dialect: that it speaks; None for the one that is stored.
    @ivar counters_seen: what it calls incoming, as the packets of its guests show; None for what is stored.
    """

    gw_id: str
    dialect: Dialect | None
    counters_seen: Counters | None


async def save_observations(cursor: Cursor, news: Sequence[Observation]) -> None:
    """Save what is new about gateways, each once; those not adopted are left out."""
    await cursor.execute(
        SAVE_OBSERVATIONS,
        {
            "gw_ids": [each.gw_id for each in news],
            "dialects": [each.dialect and each.dialect.value for each in news],
            "counters_seen": [each.counters_seen and each.counters_seen.value for each in news],
        },
    )
