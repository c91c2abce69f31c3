"""Sessions that are over while their guests are still online at a router that can be told so at once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from wifidogd.store.driver.array_literals import of_octets
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

FIND_OVER = """
    SELECT token_hash, gw_id, mac, ip
      FROM (
          (SELECT token_hash, gw_id, mac, ip
             FROM sessions
            WHERE ending IS NOT NULL
              AND (SELECT server
                     FROM router_connections
                    WHERE router_connections.gw_id = sessions.gw_id) = %(server)s
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
            LIMIT %(limit)s)
        UNION ALL
          (SELECT token_hash, gw_id, mac, ip
             FROM sessions
            WHERE least(expires_at, probation_until) <= %(now)s
              AND ending IS NULL
              AND (SELECT server
                     FROM router_connections
                    WHERE router_connections.gw_id = sessions.gw_id) = %(server)s
              AND activated_at IS NOT NULL
              AND mac IS NOT NULL
              AND ip IS NOT NULL
              AND token_hash <> ALL(%(known)s::bytea[])
            LIMIT %(limit)s)
      ) AS found
"""
"""Where thousands of routers are connected and nothing is over, a join would read all of them each time."""


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

    The time for which a guest was on trust is such a time.

    @param known: token hashes of sessions that are left out, because their routers have been told.
    @param by_guests: reasons that guests can bring about as often as they like.  Where octets are limited, such a
        session is left to its router's next report, or the octets since the last would be free each time.
    """
    await cursor.execute(
        FIND_OVER,
        {
            "server": server,
            "now": now,
            "known": of_octets(known),
            "by_guests": list(by_guests),
            "limit": limit,
        },
    )
    return OVER.all(cursor)


OVER = RowReader(OverSession)
