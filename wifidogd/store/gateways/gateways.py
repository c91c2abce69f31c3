"""Adopted gateways, and those that still wait to be adopted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wifidogd.domain.gateways import Gateway, WaitingGateway
from wifidogd.domain.sessions import Ended, Reason
from wifidogd.store.accounting.sessions import end_sessions, lock_sessions
from wifidogd.store.driver.database import Cursor

FETCH_GATEWAYS = """
    SELECT gw_id, network, address, port, check_interval, key_hashes
      FROM gateways
     ORDER BY gw_id
     LIMIT 100000
"""

LOCK_GATEWAY = """
    SELECT gw_id, network, address, port, check_interval, key_hashes
      FROM gateways
     WHERE gw_id = %(gw_id)s
       FOR UPDATE
"""

FETCH_REVISION = """
    SELECT revision
      FROM directory_revision
"""

ADOPT = """
    INSERT INTO gateways AS known (gw_id, network, address, port, check_interval, key_hashes, adopted_at)
    VALUES (%(gw_id)s, %(network)s, %(address)s, %(port)s, %(interval)s, %(key_hashes)s::bytea[], %(now)s)
        ON CONFLICT (gw_id) DO UPDATE
       SET network = excluded.network,
           address = excluded.address,
           port = excluded.port,
           check_interval = excluded.check_interval
 RETURNING known.xmax = 0
"""

STOP_WAITING = """
    DELETE FROM waiting_gateways
     WHERE gw_id = %(gw_id)s
"""

SET_KEYS = """
    UPDATE gateways
       SET key_hashes = %(key_hashes)s::bytea[]
     WHERE gw_id = %(gw_id)s
"""

FIND_OPEN_SESSIONS = """
    SELECT token_hash
      FROM sessions
     WHERE gw_id = %(gw_id)s
"""

REMOVE = """
    DELETE FROM gateways
     WHERE gw_id = %(gw_id)s
"""

COUNT_GATEWAYS = """
    SELECT count(*)
      FROM gateways
"""

REMEMBER_WAITING = """
    WITH seen AS (
        SELECT report.gw_id, report.first_seen, report.last_seen, report.source, report.address, report.port,
               report.version
          FROM unnest(%(gw_ids)s::text[], %(first_seen)s::timestamptz[], %(last_seen)s::timestamptz[],
                      %(sources)s::inet[], %(addresses)s::inet[], %(ports)s::integer[], %(versions)s::text[])
               AS report (gw_id, first_seen, last_seen, source, address, port, version)
         WHERE NOT EXISTS (SELECT FROM gateways WHERE gateways.gw_id = report.gw_id)
    ), ranked AS (
        SELECT gw_id, last_seen,
               row_number() OVER (PARTITION BY CASE family(source) WHEN 6 THEN host(network(set_masklen(source, 64)))
                                                                   ELSE host(source) END
                                      ORDER BY last_seen DESC, gw_id) AS place
          FROM (SELECT gw_id, last_seen, source
                  FROM seen
                 UNION ALL
                SELECT gw_id, last_seen, source
                  FROM waiting_gateways
                 WHERE gw_id NOT IN (SELECT gw_id FROM seen)) AS everybody
    ), kept AS (
        SELECT gw_id
          FROM ranked
         ORDER BY place, last_seen DESC, gw_id
         LIMIT %(room)s
    ), gone AS (
        DELETE FROM waiting_gateways
         WHERE gw_id IN (
               SELECT gw_id
                 FROM waiting_gateways
                WHERE gw_id NOT IN (SELECT gw_id FROM kept)
                ORDER BY gw_id
                  FOR UPDATE SKIP LOCKED)
    )
    INSERT INTO waiting_gateways AS known (gw_id, first_seen, last_seen, source, address, port, version)
    SELECT gw_id, first_seen, last_seen, source, address, port, version
      FROM seen
      JOIN kept USING (gw_id)
     ORDER BY gw_id
        ON CONFLICT (gw_id) DO UPDATE
       SET last_seen = greatest(known.last_seen, excluded.last_seen),
           source = excluded.source,
           address = coalesce(excluded.address, known.address),
           port = coalesce(excluded.port, known.port),
           version = coalesce(excluded.version, known.version)
"""
"""
Of each source the first place is for its latest caller, the second for the one before, and so on.

ConnectionLimit are given out in that order while there is room: who invents many gateways displaces his own.
"""

FORGET_WAITING = """
    DELETE FROM waiting_gateways
     WHERE last_seen < %(before)s
"""

LIST_WAITING = """
    SELECT gw_id, first_seen, last_seen, source, address, port, version
      FROM waiting_gateways
     ORDER BY last_seen DESC, gw_id
     LIMIT 10000
"""


def _gateway(row: tuple[Any, ...]) -> Gateway:
    """Read a row of gateways."""
    gw_id, network, address, port, interval, key_hashes = row
    return Gateway(gw_id, network, address, port, interval, tuple(bytes(key_hash) for key_hash in key_hashes))


async def fetch_gateways(cursor: Cursor) -> list[Gateway]:
    """Fetch all adopted gateways by C{gw_id}, 100,000 at most."""
    await cursor.execute(FETCH_GATEWAYS)
    return [_gateway(row) for row in cursor.fetchall()]


async def lock_gateway(cursor: Cursor, gw_id: str) -> Gateway | None:
    """
    Fetch one gateway and hold its row until the transaction ends.

    @return: None if it is not adopted.
    """
    await cursor.execute(LOCK_GATEWAY, {"gw_id": gw_id})
    row = cursor.fetchone()
    return None if row is None else _gateway(row)


async def fetch_revision(cursor: Cursor) -> int:
    """Fetch the number that grows with every change of a gateway or network."""
    await cursor.execute(FETCH_REVISION)
    [(revision,)] = cursor.fetchall()
    return int(revision)


async def adopt(cursor: Cursor, gateway: Gateway, now: datetime) -> bool:
    """
    Adopt a gateway, or change the address, port, network and interval of one adopted before.

    Keys are taken from C{gateway} only when it is new; L{set_keys} changes
    those of others.  It no longer waits afterwards.

    @return: True if it was new.
    @raise StoreRefused: if there is no such network.
    """
    await cursor.execute(
        ADOPT,
        {
            "gw_id": gateway.gw_id,
            "network": gateway.network,
            "address": gateway.address,
            "port": gateway.port,
            "interval": gateway.interval,
            "key_hashes": list(gateway.key_hashes),
            "now": now,
        },
    )
    [(is_new,)] = cursor.fetchall()
    await cursor.execute(STOP_WAITING, {"gw_id": gateway.gw_id})
    return bool(is_new)


async def set_keys(cursor: Cursor, gw_id: str, key_hashes: tuple[bytes, ...]) -> bool:
    """
    Replace the keys of a gateway.

    @param key_hashes: SHA-256, newest first, two at most; empty for a gateway without key.
    @return: False if the gateway is not adopted.
    """
    await cursor.execute(SET_KEYS, {"gw_id": gw_id, "key_hashes": list(key_hashes)})
    return cursor.rowcount == 1


async def remove(cursor: Cursor, gw_id: str, now: datetime) -> int | None:
    """
    End the open sessions of a gateway and forget it.

    The gateway's row is locked first: nobody can open a session there in
    between.

    @return: how many sessions it ended; None if the gateway is not adopted.
    """
    if await lock_gateway(cursor, gw_id) is None:
        return None
    await cursor.execute(FIND_OPEN_SESSIONS, {"gw_id": gw_id})
    sessions = await lock_sessions(cursor, [bytes(token_hash) for (token_hash,) in cursor.fetchall()])
    end_sessions(cursor, [Ended(session, now, Reason.GATEWAY_REMOVED) for session in sessions.values()])
    await cursor.execute(REMOVE, {"gw_id": gw_id})
    return len(sessions)


async def count_gateways(cursor: Cursor) -> int:
    """Count the adopted gateways."""
    await cursor.execute(COUNT_GATEWAYS)
    [(count,)] = cursor.fetchall()
    return int(count)


async def remember_waiting(cursor: Cursor, waiting: Sequence[WaitingGateway], room: int) -> None:
    """
    Note gateways that called without being adopted.

    One that was noted before keeps its C{first_seen}, and its address, port
    and version where the new word on them is None.  Adopted ones are left out.

    @param waiting: each C{gw_id} once.
    @param room: rows of the table at most, so that strangers cannot fill the disk; two servers flushing at the same
        instant may exceed it by one batch, until the next.  When there are more, those go whose source has the most.
    """
    await cursor.execute(
        REMEMBER_WAITING,
        {
            "gw_ids": [one.gw_id for one in waiting],
            "first_seen": [one.first_seen for one in waiting],
            "last_seen": [one.last_seen for one in waiting],
            "sources": [one.source for one in waiting],
            "addresses": [one.address for one in waiting],
            "ports": [one.port for one in waiting],
            "versions": [one.version for one in waiting],
            "room": room,
        },
    )


async def forget_waiting(cursor: Cursor, before: datetime) -> int:
    """
    Forget waiting gateways that have not called since C{before}.

    @return: how many.
    """
    await cursor.execute(FORGET_WAITING, {"before": before})
    return cursor.rowcount


async def list_waiting(cursor: Cursor) -> list[WaitingGateway]:
    """Fetch the gateways that wait to be adopted, the latest caller first, 10,000 at most."""
    await cursor.execute(LIST_WAITING)
    return [WaitingGateway(*row) for row in cursor.fetchall()]
