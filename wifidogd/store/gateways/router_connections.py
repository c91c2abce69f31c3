"""Which process the router of a gateway is connected to, so that it is told what another process wants."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from wifidogd.store.driver.database import Cursor

CLAIM = """
    INSERT INTO router_connections (gw_id, device_id, server, source, connected_at)
    SELECT gw_id, said.device_id, %(server)s, said.source, %(now)s
      FROM unnest(%(gw_ids)s::text[], %(device_ids)s::text[], %(sources)s::inet[], %(keyed)s::boolean[])
           AS said (gw_id, device_id, source, is_keyed)
      JOIN gateways USING (gw_id)
      LEFT JOIN heartbeats USING (gw_id)
     WHERE is_keyed
        OR heartbeats.source IS NULL
        OR heartbeats.source = said.source
     ORDER BY gw_id
        ON CONFLICT (gw_id) DO UPDATE
       SET device_id = excluded.device_id, server = excluded.server, source = excluded.source,
           connected_at = excluded.connected_at
 RETURNING gw_id
"""

RELEASE = """
    DELETE FROM router_connections
     WHERE gw_id = ANY(%(gw_ids)s::text[])
       AND server = %(server)s
"""

FORGET = """
    DELETE FROM router_connections
     WHERE server = %(server)s
"""


FETCH_CONNECTED = """
    SELECT gw_id
      FROM router_connections
     WHERE gw_id = ANY(%(gw_ids)s::text[])
"""

FETCH_CONNECTED_AT = """
    SELECT connected_at
      FROM router_connections
     WHERE gw_id = %(gw_id)s
"""


class ClaimedGateway(NamedTuple):
    """
    A gateway that a connection says it speaks for.

    @ivar source: the address of the connection.
    @ivar is_keyed: whether it showed the gateway's key.
    """

    gw_id: str
    device_id: str
    source: str
    is_keyed: bool


async def claim_gateways(cursor: Cursor, server: str, claims: Sequence[ClaimedGateway], now: datetime) -> set[str]:
    """
    Record that routers are connected to a process, as far as the claims are good.

    @param claims: each gateway once.
    @return: the gateways for which they are; without a key, the last ping must have come from the same address.
    """
    await cursor.execute(
        CLAIM,
        {
            "server": server,
            "now": now,
            "gw_ids": [claim.gw_id for claim in claims],
            "device_ids": [claim.device_id for claim in claims],
            "sources": [claim.source for claim in claims],
            "keyed": [claim.is_keyed for claim in claims],
        },
    )
    return {gw_id for (gw_id,) in cursor.fetchall()}


async def fetch_connected(cursor: Cursor, gw_ids: Collection[str]) -> set[str]:
    """Return those of some gateways whose routers are connected."""
    await cursor.execute(FETCH_CONNECTED, {"gw_ids": list(gw_ids)})
    return {gw_id for (gw_id,) in cursor.fetchall()}


async def fetch_connected_at(cursor: Cursor, gw_id: str) -> datetime | None:
    """Return since when the router of a gateway is connected; None if it is not."""
    await cursor.execute(FETCH_CONNECTED_AT, {"gw_id": gw_id})
    row = cursor.fetchone()
    return None if row is None else row[0]


async def release_gateways(cursor: Cursor, server: str, gw_ids: Collection[str]) -> None:
    """Record that the routers of gateways are no longer connected to a process; those that have moved on stay."""
    await cursor.execute(RELEASE, {"server": server, "gw_ids": list(gw_ids)})


async def forget_connections(cursor: Cursor, server: str) -> None:
    """Record that no router is connected to a process: it has just started, or stops."""
    await cursor.execute(FORGET, {"server": server})
