"""Where guests of a gateway have signed in from, so that strangers do not use up the tries of those there."""

from __future__ import annotations

from datetime import datetime, timedelta

from wifidogd.store.driver.database import Cursor

SPARE_FOR = timedelta(days=1)
"""How long a source is spared after a guest has signed in from there."""

RECORD_SOURCE = """
    INSERT INTO guest_sources AS known (gw_id, source, signed_in_at)
    VALUES (%(gw_id)s, %(source)s, %(now)s)
        ON CONFLICT (gw_id, source) DO UPDATE
       SET signed_in_at = excluded.signed_in_at
     WHERE known.signed_in_at < %(now)s - interval '1 hour'
"""

FORGET_SOURCES = """
    DELETE FROM guest_sources
     WHERE ctid = ANY(ARRAY(
           SELECT ctid
             FROM guest_sources
            WHERE signed_in_at < %(before)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED))
"""


def record_source(cursor: Cursor, gw_id: str, source: str, now: datetime) -> None:
    """Send that a guest has signed in at a gateway from a source."""
    cursor.send(RECORD_SOURCE, {"gw_id": gw_id, "source": source, "now": now})


async def forget_sources(cursor: Cursor, before: datetime, limit: int) -> int:
    """
    Delete sources from which nobody has signed in since C{before}.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_SOURCES, {"before": before, "limit": limit})
    return cursor.rowcount
