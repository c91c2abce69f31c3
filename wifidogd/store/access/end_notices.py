"""Which limit last ended the session of a device, for the next page that its guest sees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from wifidogd.domain.guests import EndNotice
from wifidogd.store.driver.database import Cursor

SAVE_END_NOTICES = """
    INSERT INTO farewells (gw_id, mac, reason, ended_at, back_at)
    SELECT *
      FROM unnest(%(gw_ids)s::text[], %(macs)s::macaddr[], %(reasons)s::text[], %(ended)s::timestamptz[],
                  %(back)s::timestamptz[])
        ON CONFLICT (gw_id, mac) DO UPDATE
       SET reason = excluded.reason,
           ended_at = excluded.ended_at,
           back_at = excluded.back_at
"""

FORGET_END_NOTICES = """
    DELETE FROM farewells
     WHERE ctid = ANY(ARRAY(
           SELECT ctid
             FROM farewells
            WHERE ended_at < %(before)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED))
"""


async def save_end_notices(cursor: Cursor, notices: Sequence[EndNotice]) -> None:
    """Save end notices, at most one of each device at a gateway; they replace those from before."""
    notices = sorted(notices, key=lambda notice: (notice.gw_id, notice.mac))
    await cursor.execute(
        SAVE_END_NOTICES,
        {
            "gw_ids": [notice.gw_id for notice in notices],
            "macs": [notice.mac for notice in notices],
            "reasons": [notice.reason.value for notice in notices],
            "ended": [notice.ended_at for notice in notices],
            "back": [notice.back_at for notice in notices],
        },
    )


async def forget_end_notices(cursor: Cursor, before: datetime, limit: int) -> int:
    """
    Delete end notices of sessions that ended before an instant.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_END_NOTICES, {"before": before, "limit": limit})
    return cursor.rowcount
