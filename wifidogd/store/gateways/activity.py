"""What adopted gateways have done, and when they last did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from wifidogd.domain.reports.activity import ActivityKind
from wifidogd.store.driver.database import Cursor

SAVE_ACTIVITY = """
    INSERT INTO gateway_activity AS known (gw_id, kind, seen_at)
    SELECT gw_id, kind, seen_at
      FROM unnest(%(gw_ids)s::text[], %(kinds)s::text[], %(seen)s::timestamptz[]) AS said (gw_id, kind, seen_at)
      JOIN gateways USING (gw_id)
     ORDER BY gw_id, kind
        ON CONFLICT (gw_id, kind) DO UPDATE
       SET seen_at = excluded.seen_at
     WHERE known.seen_at < excluded.seen_at
"""

FETCH_ACTIVITY = """
    SELECT kind, seen_at
      FROM gateway_activity
     WHERE gw_id = %(gw_id)s
"""


async def save_activity(cursor: Cursor, seen: Mapping[tuple[str, ActivityKind], datetime]) -> None:
    """Record when gateways did what; those not adopted are left out."""
    await cursor.execute(
        SAVE_ACTIVITY,
        {
            "gw_ids": [gw_id for gw_id, _ in seen],
            "kinds": [kind.value for _, kind in seen],
            "seen": list(seen.values()),
        },
    )


async def fetch_activity(cursor: Cursor, gw_id: str) -> dict[ActivityKind, datetime]:
    """Return when a gateway last did what; what it has not done since it was adopted is absent."""
    await cursor.execute(FETCH_ACTIVITY, {"gw_id": gw_id})
    return {ActivityKind(kind): seen_at for kind, seen_at in cursor.fetchall()}
