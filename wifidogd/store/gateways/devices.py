"""Which devices adopted gateways are on."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from wifidogd.store.driver.database import Cursor

MOST_DEVICES = 4
"""Devices of one gateway: the one it is on, and those it was on before."""

SAVE_DEVICES = """
    WITH said AS (
        SELECT gw_id, device_id
          FROM unnest(%(gw_ids)s::text[], %(device_ids)s::text[]) AS said (gw_id, device_id)
          JOIN gateways USING (gw_id)
    ), gone AS (
        DELETE FROM gateway_devices
         WHERE (gw_id, device_id) IN (
               SELECT gw_id, device_id
                 FROM (SELECT gw_id, device_id,
                              row_number() OVER (PARTITION BY gw_id ORDER BY heard_at DESC, device_id)
                              + (SELECT count(*) FROM said WHERE said.gw_id = known.gw_id) AS rank
                         FROM gateway_devices AS known
                        WHERE gw_id = ANY (%(gw_ids)s::text[])
                          AND (gw_id, device_id) NOT IN (SELECT gw_id, device_id FROM said)) AS ranked
                WHERE rank > %(most)s)
    )
    INSERT INTO gateway_devices (gw_id, device_id, heard_at)
    SELECT gw_id, device_id, %(now)s
      FROM said
     ORDER BY gw_id, device_id
        ON CONFLICT (gw_id, device_id) DO NOTHING
"""


async def save_devices(cursor: Cursor, learnt: Collection[tuple[str, str]], now: datetime) -> None:
    """
    Record which devices gateways are on; those of gateways that are not adopted are left out.

    @param learnt: gw_id and device_id, L{MOST_DEVICES} of each gateway at most.  They displace those of the same
        gateway that were learnt longest ago.
    """
    await cursor.execute(
        SAVE_DEVICES,
        {
            "gw_ids": [gw_id for gw_id, _ in learnt],
            "device_ids": [device_id for _, device_id in learnt],
            "now": now,
            "most": MOST_DEVICES,
        },
    )
