"""The last ping of each adopted gateway."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from wifidogd.domain.gateways import Heartbeat
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

SAVE_HEARTBEATS = """
    INSERT INTO heartbeats AS known (gw_id, seen_at, source, version, sys_uptime, memory_free, load, wifidog_uptime,
                                     shared_at)
    SELECT said.gw_id, said.seen_at, said.source, coalesce(said.version, pinged.version),
           coalesce(said.sys_uptime, pinged.sys_uptime), coalesce(said.memory_free, pinged.memory_free),
           coalesce(said.load, pinged.load), said.wifidog_uptime, said.shared_at
      FROM unnest(%(gw_ids)s::text[], %(seen)s::timestamptz[], %(sources)s::inet[], %(versions)s::text[],
                  %(sys_uptimes)s::interval[], %(memory)s::bigint[], %(loads)s::double precision[],
                  %(wifidog_uptimes)s::interval[], %(shared)s::timestamptz[], %(by_websocket)s::boolean[])
           AS said (gw_id, seen_at, source, version, sys_uptime, memory_free, load, wifidog_uptime, shared_at,
                    by_websocket)
      JOIN gateways USING (gw_id)
      LEFT JOIN heartbeats AS pinged ON pinged.gw_id = said.gw_id AND said.by_websocket
     ORDER BY gw_id
        ON CONFLICT (gw_id) DO UPDATE
       SET seen_at = excluded.seen_at, source = excluded.source, version = excluded.version,
           sys_uptime = excluded.sys_uptime, memory_free = excluded.memory_free, load = excluded.load,
           wifidog_uptime = coalesce(excluded.wifidog_uptime, known.wifidog_uptime),
           shared_at = coalesce(excluded.shared_at, known.shared_at),
           restarted_at = CASE WHEN excluded.wifidog_uptime < known.wifidog_uptime
                                 OR (excluded.seen_at - excluded.wifidog_uptime > known.seen_at + interval '2 seconds'
                                     AND (%(clock_set_at)s::timestamptz IS NULL
                                          OR known.seen_at >= %(clock_set_at)s::timestamptz))
                               THEN excluded.seen_at - excluded.wifidog_uptime
                               ELSE known.restarted_at END
     WHERE known.seen_at < excluded.seen_at
"""

FETCH_HEARTBEAT = """
    SELECT gw_id, seen_at, source, version, sys_uptime, memory_free, load, wifidog_uptime, shared_at
      FROM heartbeats
     WHERE gw_id = %(gw_id)s
"""

FIND_RESTARTS = """
    SELECT gw_id, (SELECT restarted_at FROM heartbeats WHERE heartbeats.gw_id = asked.gw_id) AS restarted_at
      FROM unnest(%(gw_ids)s::text[]) AS asked (gw_id)
"""

HEARTBEATS = RowReader(Heartbeat)


async def save_heartbeats(
    cursor: Cursor, heartbeats: Sequence[Heartbeat], clock_set_at: datetime | None = None
) -> None:
    """
    Record the newest ping of each gateway; those of gateways not adopted are left out.

    An uptime that fell, or that began after the ping before, shows that the
    gateway restarted, and when.  Uptimes are whole seconds and pings differ in
    how long they take, so a beginning within two seconds of the ping before is
    that of the same start.  What a heartbeat by WebSocket leaves out stays as it was.

    @param heartbeats: each gateway once.
    @param clock_set_at: when the clock by which they were seen was last set; None if it never was.  The time
        between a ping before that and one after it is not known.
    """
    await cursor.execute(
        SAVE_HEARTBEATS,
        {
            "gw_ids": [beat.gw_id for beat in heartbeats],
            "seen": [beat.seen_at for beat in heartbeats],
            "sources": [beat.source for beat in heartbeats],
            "versions": [beat.version for beat in heartbeats],
            "sys_uptimes": [beat.sys_uptime for beat in heartbeats],
            "memory": [beat.memory_free for beat in heartbeats],
            "loads": [beat.load for beat in heartbeats],
            "wifidog_uptimes": [beat.wifidog_uptime for beat in heartbeats],
            "shared": [beat.shared_at for beat in heartbeats],
            "by_websocket": [beat.by_websocket for beat in heartbeats],
            "clock_set_at": clock_set_at,
        },
    )


async def fetch_heartbeat(cursor: Cursor, gw_id: str) -> Heartbeat | None:
    """Return the last ping of a gateway; None if it has not called since it was adopted."""
    await cursor.execute(FETCH_HEARTBEAT, {"gw_id": gw_id})
    return HEARTBEATS.one(cursor)


async def fetch_restarts(cursor: Cursor, gw_ids: Collection[str]) -> dict[str, datetime]:
    """Return when gateways last restarted, as their pings show, by gw_id; those that never did are absent."""
    await cursor.execute(FIND_RESTARTS, {"gw_ids": list(gw_ids)})
    return {gw_id: restarted_at for gw_id, restarted_at in cursor.fetchall() if restarted_at is not None}
