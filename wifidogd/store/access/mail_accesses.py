"""Which devices have had the internet for some minutes without signing in, within an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from wifidogd.store.driver.database import Cursor

LOCK_GATEWAY = """
    SELECT
      FROM gateways
     WHERE gw_id = %(gw_id)s
       FOR NO KEY UPDATE
"""

GIVE = """
    INSERT INTO mail_accesses AS known (network, mac, gw_id, source, given_at)
    SELECT %(network)s, %(mac)s, %(gw_id)s, %(source)s, %(now)s
     WHERE (SELECT count(*)
              FROM mail_accesses
             WHERE gw_id = %(gw_id)s
               AND given_at > %(since)s) < %(most_at_gateway)s
       AND (SELECT count(*)
              FROM mail_accesses
             WHERE gw_id = %(gw_id)s
               AND source = %(source)s
               AND given_at > %(since)s) < %(most_from_source)s
        ON CONFLICT (network, mac) DO UPDATE
       SET gw_id = excluded.gw_id, source = excluded.source, given_at = excluded.given_at
     WHERE known.given_at <= %(since)s
"""

TAKE_BACK = """
    DELETE FROM mail_accesses
     WHERE network = %(network)s
       AND mac = %(mac)s
"""

FORGET_ACCESSES = """
    DELETE FROM mail_accesses
     WHERE ctid = ANY(ARRAY(
           SELECT ctid
             FROM mail_accesses
            WHERE given_at < %(before)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED))
"""


async def give_access(
    cursor: Cursor,
    network: str,
    mac: str,
    *,
    gw_id: str,
    source: str,
    now: datetime,
    within: timedelta,
    most_at_gateway: int,
    most_from_source: int,
) -> bool:
    """
    Record that a device has the internet for some minutes; those of a gateway are counted one after the other.

    @param within: how long an access counts.
    @return: False if the device, its source at the gateway or the gateway has had too many.
    """
    values = {"network": network, "mac": mac, "gw_id": gw_id, "source": source, "now": now, "since": now - within}
    await cursor.execute(LOCK_GATEWAY, values)
    await cursor.execute(GIVE, values | {"most_at_gateway": most_at_gateway, "most_from_source": most_from_source})
    return cursor.rowcount == 1


async def take_back_access(cursor: Cursor, network: str, mac: str) -> None:
    """Forget an access that came to nothing."""
    await cursor.execute(TAKE_BACK, {"network": network, "mac": mac})


async def forget_accesses(cursor: Cursor, before: datetime, limit: int) -> int:
    """
    Delete accesses that do not count any more.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_ACCESSES, {"before": before, "limit": limit})
    return cursor.rowcount
