"""
Pings: remembered in memory, written in one statement every few seconds.

A ping is answered whatever the store does (protocol.md 0.7: a missing C{Pong}
may open a network to strangers), so nothing here waits for it.
"""

from __future__ import annotations

from dataclasses import replace

from wifidogd.directory import Directory
from wifidogd.errors import StoreError
from wifidogd.model import Heartbeat, WaitingGateway
from wifidogd.store.database import Cursor, Database
from wifidogd.store.gateways import remember_waiting
from wifidogd.store.heartbeats import save_heartbeats

WAITING_ROOM = 200
"""Gateways that may wait to be adopted, at most: anybody can invent one."""


class Heartbeats:
    """What gateways said of themselves and is not in the store yet: the last word of each."""

    def __init__(self, database: Database, directory: Directory) -> None:
        self._database = database
        self._directory = directory
        self._beats: dict[str, Heartbeat] = {}
        self._waiting: dict[str, WaitingGateway] = {}

    def beat(self, heartbeat: Heartbeat) -> None:
        """Remember a ping; one of a gateway that is not adopted puts it on the waiting list."""
        if self._directory.gateway(heartbeat.gw_id) is not None:
            self._beats[heartbeat.gw_id] = heartbeat
            return
        seen = heartbeat.seen_at
        self.wait(WaitingGateway(heartbeat.gw_id, seen, seen, heartbeat.source, version=heartbeat.version))

    def wait(self, waiting: WaitingGateway) -> None:
        """Remember a gateway that waits to be adopted, as long as there is room."""
        known = self._waiting.get(waiting.gw_id)
        if known is not None:
            self._waiting[waiting.gw_id] = _newer(known, waiting)
        elif len(self._waiting) < WAITING_ROOM:
            self._waiting[waiting.gw_id] = waiting

    async def flush(self) -> None:
        """
        Write what came since the last time; what cannot be written stays for the next.

        @raise StoreError: as L{Database.transaction}.
        """
        beats, self._beats = self._beats, {}
        waiting, self._waiting = self._waiting, {}
        if not beats and not waiting:
            return

        async def write(cursor: Cursor) -> None:
            if beats:
                await save_heartbeats(cursor, list(beats.values()))
            if waiting:
                await remember_waiting(cursor, list(waiting.values()), WAITING_ROOM)

        try:
            await self._database.transaction(write)
        except StoreError:
            self._beats = beats | self._beats
            self._waiting = waiting | self._waiting
            raise


def _newer(known: WaitingGateway, waiting: WaitingGateway) -> WaitingGateway:
    return replace(
        waiting,
        first_seen=known.first_seen,
        address=waiting.address or known.address,
        port=waiting.port or known.port,
        version=waiting.version or known.version,
    )
