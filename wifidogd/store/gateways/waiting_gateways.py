"""Gateways that called without having been adopted, and wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from wifidogd.domain.gateways import WaitingGateway
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

REMEMBER_WAITING = """
    WITH seen AS (
        SELECT report.gw_id, report.first_seen, report.last_seen, report.source, report.address, report.port,
               report.version, report.shared_at, report.device_id
          FROM unnest(%(gw_ids)s::text[], %(first_seen)s::timestamptz[], %(last_seen)s::timestamptz[],
                      %(sources)s::inet[], %(addresses)s::inet[], %(ports)s::integer[], %(versions)s::text[],
                      %(shared)s::timestamptz[], %(devices)s::text[])
               AS report (gw_id, first_seen, last_seen, source, address, port, version, shared_at, device_id)
         WHERE NOT EXISTS (SELECT FROM gateways WHERE gateways.gw_id = report.gw_id)
    ), placed AS (
        SELECT gw_id, last_seen, block,
               row_number() OVER (PARTITION BY network ORDER BY last_seen DESC, gw_id) AS rank
          FROM (SELECT gw_id, last_seen, source
                  FROM seen
                 UNION ALL
                SELECT gw_id, last_seen, source
                  FROM waiting_gateways
                 WHERE gw_id NOT IN (SELECT gw_id FROM seen)) AS everybody
         CROSS JOIN LATERAL (
               SELECT network(set_masklen(source, CASE family(source) WHEN 6 THEN 64 ELSE 32 END)),
                      network(set_masklen(source, CASE family(source) WHEN 6 THEN 48 ELSE 24 END)))
               AS place (network, block)
    ), ranked AS (
        SELECT gw_id, last_seen, row_number() OVER (PARTITION BY block ORDER BY rank, last_seen DESC, gw_id) AS rank
          FROM placed
    ), kept AS (
        SELECT gw_id
          FROM ranked
         ORDER BY rank, last_seen DESC, gw_id
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
    INSERT INTO waiting_gateways AS known (gw_id, first_seen, last_seen, source, address, port, version, shared_at,
                                           device_id)
    SELECT gw_id, first_seen, last_seen, source, address, port, version, shared_at, device_id
      FROM seen
      JOIN kept USING (gw_id)
     ORDER BY gw_id
        ON CONFLICT (gw_id) DO UPDATE
       SET last_seen = greatest(known.last_seen, excluded.last_seen),
           source = excluded.source,
           address = coalesce(excluded.address, known.address),
           port = coalesce(excluded.port, known.port),
           version = coalesce(excluded.version, known.version),
           shared_at = coalesce(excluded.shared_at, known.shared_at),
           device_id = coalesce(excluded.device_id, known.device_id)
"""
"""
The callers of each source are ranked, the latest first, and then those of each /48 or /24, all firsts before all
seconds; room is given to the firsts of these, then to the seconds.

So whoever has a whole block and invents many gateways displaces their own.
"""

FORGET_WAITING = """
    DELETE FROM waiting_gateways
     WHERE last_seen < %(before)s
"""

LIST_WAITING = """
    SELECT gw_id, first_seen, last_seen, source, address, port, version, shared_at, device_id
      FROM waiting_gateways
     ORDER BY last_seen DESC, gw_id
     LIMIT 10000
"""

WAITING_GATEWAYS = RowReader(WaitingGateway)


async def remember_waiting(cursor: Cursor, waiting: Sequence[WaitingGateway], room: int) -> None:
    """
    Record gateways that called without being adopted.

    One that was recorded before keeps its C{first_seen}, and its address,
    port, version and device where it does not name them now.  Adopted ones are left
    out.

    @param waiting: each C{gw_id} once.
    @param room: rows of the table at most, so that strangers cannot fill the disk; two servers flushing at the same
        instant may exceed it by one batch, until the next.  When there are more, those go whose block of
        addresses has the most.
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
            "shared": [one.shared_at for one in waiting],
            "devices": [one.device_id for one in waiting],
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
    return WAITING_GATEWAYS.all(cursor)
