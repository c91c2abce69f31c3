"""Why a limit last ended the stay of a device, for the next page its guest sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from wifidogd.domain.sessions import Reason
from wifidogd.store.driver.database import Cursor

SAVE_FAREWELLS = """
    INSERT INTO farewells (gw_id, mac, reason, ended_at, back_at)
    SELECT *
      FROM unnest(%(gw_ids)s::text[], %(macs)s::macaddr[], %(reasons)s::text[], %(ended)s::timestamptz[],
                  %(back)s::timestamptz[])
        ON CONFLICT (gw_id, mac) DO UPDATE
       SET reason = excluded.reason,
           ended_at = excluded.ended_at,
           back_at = excluded.back_at
"""

FETCH_FAREWELL = """
    SELECT gw_id, mac, reason, ended_at, back_at
      FROM farewells
     WHERE gw_id = %(gw_id)s
       AND mac = %(mac)s
       AND (ended_at > %(since)s OR back_at > %(now)s)
"""

FORGET_FAREWELLS = """
    DELETE FROM farewells
     WHERE ctid = ANY(ARRAY(
           SELECT ctid
             FROM farewells
            WHERE ended_at < %(before)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED))
"""


@dataclass(frozen=True, slots=True)
class EndNotice:
    """
    The end of a stay that its guest should know of.

    @ivar back_at: when they may come back; None when that limit never lifts by itself.
    """

    gw_id: str
    mac: str
    reason: Reason
    ended_at: datetime
    back_at: datetime | None


async def save_farewells(cursor: Cursor, farewells: Sequence[EndNotice]) -> None:
    """Remember farewells, at most one of each device at a gateway, instead of those before."""
    farewells = sorted(farewells, key=lambda farewell: (farewell.gw_id, farewell.mac))
    await cursor.execute(
        SAVE_FAREWELLS,
        {
            "gw_ids": [farewell.gw_id for farewell in farewells],
            "macs": [farewell.mac for farewell in farewells],
            "reasons": [farewell.reason.value for farewell in farewells],
            "ended": [farewell.ended_at for farewell in farewells],
            "back": [farewell.back_at for farewell in farewells],
        },
    )


async def fetch_farewell(cursor: Cursor, gw_id: str, mac: str, now: datetime, since: datetime) -> EndNotice | None:
    """
    Fetch the farewell of a device that its guest should still see.

    @param since: older ones are of no interest, unless the guest may not come back yet.
    """
    await cursor.execute(FETCH_FAREWELL, {"gw_id": gw_id, "mac": mac, "now": now, "since": since})
    row = cursor.fetchone()
    return None if row is None else EndNotice(row[0], row[1], Reason(row[2]), row[3], row[4])


async def forget_farewells(cursor: Cursor, before: datetime, limit: int) -> int:
    """
    Delete farewells of stays that ended before an instant.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_FAREWELLS, {"before": before, "limit": limit})
    return cursor.rowcount
