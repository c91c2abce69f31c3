"""
Sessions that are over although nobody has said so, and history that is too old; for timers.

Every statement is bounded in rows and skips rows that another transaction
holds, so two servers on one database share the work.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from wifidogd.store.driver.database import Cursor

FIND_STALE = """
    SELECT token_hash
      FROM sessions
      JOIN gateways USING (gw_id)
      JOIN networks ON networks.name = gateways.network
     WHERE activated_at IS NOT NULL
       AND greatest(reported_at, %(heard_since)s) <= %(now)s - greatest(stale_after, 3 * check_interval)
       AND (dialect IS DISTINCT FROM 'wifidog-ng 2'
            OR ending IS NOT NULL
            OR reported_at <= %(now)s - interval '50 days')
     LIMIT %(limit)s
       FOR UPDATE OF sessions SKIP LOCKED
"""

FIND_LOST_IN_RESTART = """
    SELECT token_hash
      FROM sessions
      JOIN heartbeats USING (gw_id)
      JOIN gateways USING (gw_id)
     WHERE reported_at < restarted_at
       AND greatest(restarted_at, %(heard_since)s) <= %(now)s - 3 * check_interval
     LIMIT %(limit)s
       FOR UPDATE OF sessions SKIP LOCKED
"""

FORGET_UNUSED = """
    DELETE FROM sessions
     WHERE token_hash IN (
           SELECT token_hash
             FROM sessions
            WHERE activated_at IS NULL
              AND opened_at <= %(now)s - %(within)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED)
"""

FIND_OVERDUE = """
    SELECT token_hash
      FROM sessions
      JOIN gateways USING (gw_id)
     WHERE least(expires_at, probation_until) <= %(now)s - 2 * check_interval
       AND activated_at IS NOT NULL
       AND %(heard_since)s <= %(now)s - 2 * check_interval
     LIMIT %(limit)s
       FOR UPDATE OF sessions SKIP LOCKED
"""

PURGE = """
    DELETE FROM past_sessions
     WHERE ctid = ANY(ARRAY(
           SELECT ctid
             FROM past_sessions
            WHERE network = %(network)s
              AND ended_at < %(before)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED))
       AND network = %(network)s
       AND ended_at < %(before)s
"""
"""Rows of different partitions may share a ctid, where an operator has partitioned the table: so everything twice."""


async def find_stale(cursor: Cursor, now: datetime, heard_since: datetime, limit: int) -> list[bytes]:
    """
    Return and lock live sessions that their gateway has not reported for the network's C{stale_after}, or 3 intervals.

    wifidog-ng 2.x never reports anybody, and lets a guest through for 49 days (docs/protocol.md 6.13).

    @param heard_since: since when this server could have heard reports; silence before that is not the gateway's.
    """
    await cursor.execute(FIND_STALE, {"now": now, "heard_since": heard_since, "limit": limit})
    return _token_hashes(cursor)


async def find_lost_in_restart(cursor: Cursor, now: datetime, heard_since: datetime, limit: int) -> list[bytes]:
    """Return and lock sessions that their gateway has not reported in 3 intervals since it restarted."""
    await cursor.execute(FIND_LOST_IN_RESTART, {"now": now, "heard_since": heard_since, "limit": limit})
    return _token_hashes(cursor)


async def forget_unused(cursor: Cursor, now: datetime, within: timedelta, limit: int) -> int:
    """
    Forget pending sessions whose token no gateway has asked about in time.

    They do not become past sessions: anybody on the internet can open as many as they like.

    @param within: how long a token is good for.
    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_UNUSED, {"now": now, "within": within, "limit": limit})
    return cursor.rowcount


async def find_overdue(cursor: Cursor, now: datetime, heard_since: datetime, limit: int) -> list[bytes]:
    """
    Return and lock sessions over their time, or over that for which their guests were on trust.

    The gateway has two intervals to report their last octets itself, counted
    from when it could be heard.
    """
    await cursor.execute(FIND_OVERDUE, {"now": now, "heard_since": heard_since, "limit": limit})
    return _token_hashes(cursor)


async def purge_history(cursor: Cursor, network: str, before: datetime, limit: int) -> int:
    """
    Delete sessions of a network that ended before an instant.

    @return: how many: C{limit} at most, or more in a partitioned table, where old rows may go that share a place.
    """
    await cursor.execute(PURGE, {"network": network, "before": before, "limit": limit})
    return cursor.rowcount


def _token_hashes(cursor: Cursor) -> list[bytes]:
    return [token_hash for (token_hash,) in cursor.fetchall()]
