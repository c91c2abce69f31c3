"""Sessions that are over while their guests are still online at a router that can be told so at once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from wifidogd.store.driver.array_literals import of_octets
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

FIND_ENDING = """
    SELECT token_hash, sessions.gw_id, mac, ip
      FROM sessions
      JOIN router_connections USING (gw_id)
     WHERE server = %(server)s
       AND ending IS NOT NULL
       AND activated_at IS NOT NULL
       AND mac IS NOT NULL
       AND ip IS NOT NULL
       AND token_hash <> ALL(%(known)s::bytea[])
       AND NOT (ending = ANY(%(by_guests)s::text[])
                AND (quota_octets IS NOT NULL
                     OR EXISTS (SELECT
                                  FROM allowances
                                  JOIN plans ON plans.name = allowances.plan
                                 WHERE allowances.allowance_id = sessions.allowance_id
                                   AND coalesce(incoming_octets, outgoing_octets, total_octets, day_octets,
                                                span_octets) IS NOT NULL)))
     LIMIT %(limit)s
"""

FIND_EXPIRED = """
    SELECT token_hash, sessions.gw_id, mac, ip
      FROM sessions
      JOIN router_connections USING (gw_id)
     WHERE server = %(server)s
       AND expires_at <= %(now)s
       AND activated_at IS NOT NULL
       AND mac IS NOT NULL
       AND ip IS NOT NULL
       AND token_hash <> ALL(%(known)s::bytea[])
     LIMIT %(limit)s
"""


class OverSession(NamedTuple):
    """
    A session that is over, and how its router lists the guest.

    @ivar token_hash: of the session.
    """

    token_hash: bytes
    gw_id: str
    mac: str
    ip: str


async def find_over(
    cursor: Cursor, server: str, now: datetime, known: Collection[bytes], by_guests: Collection[str], limit: int
) -> list[OverSession]:
    """
    Fetch live sessions that are to end, or are over their time, at routers that are connected to a process.

    @param known: token hashes of sessions that are left out, because their routers have been told.
    @param by_guests: reasons that guests can bring about as often as they like.  Where octets are limited, such a
        session is left to its router's next report, or the octets since the last would be free each time.
    """
    wanted = {"server": server, "now": now, "known": of_octets(list(known)), "limit": limit}
    await cursor.execute(FIND_ENDING, wanted | {"by_guests": list(by_guests)})
    found = {session.token_hash: session for session in OVER.all(cursor)}
    await cursor.execute(FIND_EXPIRED, wanted)
    found |= {session.token_hash: session for session in OVER.all(cursor)}
    return list(found.values())


OVER = RowReader(OverSession)
