"""Adopted gateways."""

from __future__ import annotations

from datetime import datetime, timedelta

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import Counters, Dialect, Ended, Reason
from wifidogd.store.accounting.sessions import end_sessions, lock_sessions
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

FETCH_GATEWAYS = """
    SELECT gw_id, network, address, port, check_interval, key_hashes, trust_macs, counters, counters_seen, dialect,
           ARRAY(SELECT device_id FROM gateway_devices AS known WHERE known.gw_id = gateways.gw_id
                  ORDER BY heard_at DESC, device_id) AS device_ids
      FROM gateways
     ORDER BY gw_id
     LIMIT 100000
"""

LOCK_GATEWAY = """
    SELECT gw_id, network, address, port, check_interval, key_hashes, trust_macs, counters, counters_seen, dialect,
           ARRAY(SELECT device_id FROM gateway_devices AS known WHERE known.gw_id = gateways.gw_id
                  ORDER BY heard_at DESC, device_id) AS device_ids
      FROM gateways
     WHERE gw_id = %(gw_id)s
       FOR UPDATE
"""

FETCH_REVISION = """
    SELECT revision
      FROM directory_revision
"""

ADOPT = """
    INSERT INTO gateways AS known (gw_id, network, address, port, check_interval, key_hashes, trust_macs, counters,
                                   adopted_at)
    VALUES (%(gw_id)s, %(network)s, %(address)s, %(port)s, %(interval)s, %(key_hashes)s::bytea[], %(trust_macs)s,
            %(counters)s, %(now)s)
        ON CONFLICT (gw_id) DO UPDATE
       SET network = excluded.network,
           address = excluded.address,
           port = excluded.port,
           check_interval = excluded.check_interval,
           trust_macs = excluded.trust_macs,
           counters = excluded.counters
 RETURNING known.xmax = 0
"""

STOP_WAITING = """
    WITH heard AS (
        DELETE FROM waiting_gateways
         WHERE gw_id = %(gw_id)s
     RETURNING gw_id, device_id, last_seen
    )
    INSERT INTO gateway_devices (gw_id, device_id, heard_at)
    SELECT gw_id, device_id, last_seen
      FROM heard
     WHERE device_id IS NOT NULL
        ON CONFLICT (gw_id, device_id) DO NOTHING
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


def gateway_of(
    gw_id: str,
    network: str,
    address: str,
    port: int,
    check_interval: timedelta,
    key_hashes: list[bytes],
    trust_macs: bool,
    counters: str,
    counters_seen: str | None,
    dialect: str | None,
    device_ids: list[str],
) -> Gateway:
    """Return the gateway that a row of the table stands for."""
    return Gateway(
        gw_id,
        network,
        address,
        port,
        check_interval,
        tuple(key_hashes),
        trust_macs,
        tuple(device_ids),
        Counters(counters),
        None if counters_seen is None else Counters(counters_seen),
        None if dialect is None else Dialect(dialect),
    )


GATEWAYS = RowReader(gateway_of)


async def fetch_gateways(cursor: Cursor) -> list[Gateway]:
    """Fetch all adopted gateways by C{gw_id}, 100,000 at most."""
    await cursor.execute(FETCH_GATEWAYS)
    return GATEWAYS.all(cursor)


async def lock_gateway(cursor: Cursor, gw_id: str) -> Gateway | None:
    """
    Fetch one gateway and hold its row until the transaction ends.

    @return: None if it is not adopted.
    """
    await cursor.execute(LOCK_GATEWAY, {"gw_id": gw_id})
    return GATEWAYS.one(cursor)


async def fetch_revision(cursor: Cursor) -> int:
    """Fetch the number that grows with every change of a gateway or network."""
    await cursor.execute(FETCH_REVISION)
    [(revision,)] = cursor.fetchall()
    return int(revision)


async def adopt(cursor: Cursor, gateway: Gateway, now: datetime) -> bool:
    """
    Adopt a gateway, or change the settings of one adopted before.

    Keys are taken from C{gateway} only when it is new; L{set_keys} changes
    those of others.  It no longer waits afterwards, and is on the device that it named meanwhile.

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
            "trust_macs": gateway.trust_macs,
            "counters": gateway.counters.value,
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
    sessions = await lock_sessions(cursor, [token_hash for (token_hash,) in cursor.fetchall()])
    end_sessions(cursor, [Ended(session, now, Reason.GATEWAY_REMOVED) for session in sessions.values()])
    await cursor.execute(REMOVE, {"gw_id": gw_id})
    return len(sessions)


async def count_gateways(cursor: Cursor) -> int:
    """Count the adopted gateways."""
    await cursor.execute(COUNT_GATEWAYS)
    [(count,)] = cursor.fetchall()
    return int(count)
