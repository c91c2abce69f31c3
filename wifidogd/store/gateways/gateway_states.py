"""Adopted gateways as operators see them: their last pings, and how many guests are online."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wifidogd.domain.gateways import Gateway, Heartbeat
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader
from wifidogd.store.gateways.gateways import GATEWAYS
from wifidogd.store.gateways.heartbeats import HEARTBEATS

LIST_GATEWAYS = """
    WITH counted AS (
        SELECT gw_id, count(activated_at) AS online
          FROM sessions
         GROUP BY gw_id
    )
    SELECT gateways.gw_id, network, address, port, check_interval, key_hashes, trust_macs, counters,
           counters_seen, dialect, adopted_at,
           ARRAY(SELECT device_id FROM gateway_devices AS known WHERE known.gw_id = gateways.gw_id
                  ORDER BY heard_at DESC, device_id) AS device_ids,
           coalesce(online, 0) AS online, seen_at, source, version, sys_uptime, memory_free, load, wifidog_uptime,
           shared_at
      FROM gateways
      LEFT JOIN counted ON counted.gw_id = gateways.gw_id
      LEFT JOIN heartbeats ON heartbeats.gw_id = gateways.gw_id
     ORDER BY gateways.gw_id
     LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class GatewayState:
    """
    An adopted gateway and how it does.

    @ivar online: its guests that are online.
    @ivar heartbeat: its last ping; None when it has not called since it was adopted.
    """

    gateway: Gateway
    adopted_at: datetime
    online: int
    heartbeat: Heartbeat | None


def _state(adopted_at: datetime, online: int, *, gateway: Gateway, heartbeat: Heartbeat | None) -> GatewayState:
    return GatewayState(gateway, adopted_at, online, heartbeat)


STATES = RowReader(_state)


async def list_gateways(cursor: Cursor, limit: int) -> list[GatewayState]:
    """Fetch adopted gateways by C{gw_id}, C{limit} at most."""
    await cursor.execute(LIST_GATEWAYS, {"limit": limit})
    columns = cursor.columns
    state_in, gateway_in, heartbeat_in = STATES.over(columns), GATEWAYS.over(columns), HEARTBEATS.over(columns)
    seen_at = columns.index("seen_at")
    return [
        state_in(row, gateway=gateway_in(row), heartbeat=None if row[seen_at] is None else heartbeat_in(row))
        for row in cursor.fetchall()
    ]
