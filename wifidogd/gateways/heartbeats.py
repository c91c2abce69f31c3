"""
Pings: remembered in memory, written in one statement every few seconds.

A ping is answered whatever the store does (protocol.md 0.7: a missing C{Pong}
may open a network to strangers), so nothing here waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from twisted.logger import Logger

from wifidogd.domain.addresses import neighbourhood
from wifidogd.domain.errors import StoreError, StoreRefused
from wifidogd.domain.gateways import Heartbeat, WaitingGateway
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.clock_watch import ClockWatch
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.heartbeats import save_heartbeats
from wifidogd.store.gateways.waiting_gateways import remember_waiting

log = Logger()

WAITING_ROOM = 200
"""
Gateways that may wait to be adopted, at most: anybody can invent one.

When it is full, a newcomer takes the place of one from whichever source has the most, so that who invents many keeps
nobody else out.
"""

Message = Heartbeat | WaitingGateway
"""What a gateway said of itself."""


class Heartbeats:
    """What gateways said of themselves and is not in the store yet: the last word of each."""

    def __init__(self, database: Database, registry: Registry, *, clock_watch: ClockWatch | None = None) -> None:
        """
        @param clock_watch: knows when the wall clock was set; None for never.
        """
        self._clock_watch = clock_watch
        self._database = database
        self._registry = registry
        self._beats: dict[str, Heartbeat] = {}
        self._waiting: dict[str, WaitingGateway] = {}
        self._crowds: dict[str, dict[str, None]] = {}

    def beat(self, heartbeat: Heartbeat) -> None:
        """Remember a ping; one of a gateway that is not adopted puts it on the waiting list."""
        if self._registry.gateway(heartbeat.gw_id) is not None:
            self._beats[heartbeat.gw_id] = heartbeat
            return
        seen = heartbeat.seen_at
        self.wait(WaitingGateway(heartbeat.gw_id, seen, seen, heartbeat.source, version=heartbeat.version))

    def wait(self, waiting: WaitingGateway) -> None:
        """Remember a gateway that waits to be adopted; it may take the place of another."""
        known = self._forget(waiting.gw_id)
        kept = self._waiting[waiting.gw_id] = waiting if known is None else _newer(known, waiting)
        self._crowds.setdefault(neighbourhood(kept.source), {})[kept.gw_id] = None
        if len(self._waiting) > WAITING_ROOM:
            self._forget(self._least_missed())

    def _forget(self, gw_id: str) -> WaitingGateway | None:
        known = self._waiting.pop(gw_id, None)
        if known is not None:
            source = neighbourhood(known.source)
            del self._crowds[source][gw_id]
            if not self._crowds[source]:
                del self._crowds[source]
        return known

    def _least_missed(self) -> str:
        """Choose who makes room: of the source with the most gateways the one not heard of for longest."""
        crowd = max(self._crowds.values(), key=len)
        return next(iter(crowd))

    async def flush(self) -> None:
        """
        Write what came since the last time; what cannot be written stays for the next.

        A word that the store refuses is sought by halves and forgotten:
        anybody can ping, and must not keep the others from being written.

        @raise StoreError: as L{Database.transaction}.
        """
        batches: list[Sequence[Message]] = [[*self._beats.values(), *self._waiting.values()]]
        self._beats, self._waiting, self._crowds = {}, {}, {}
        refusals: list[str] = []
        clock_set_at = None if self._clock_watch is None else self._clock_watch.set_at
        while batches:
            batch = batches.pop()
            try:
                await self._database.transaction(partial(_write, batch, clock_set_at))
            except StoreRefused as problem:
                middle = len(batch) // 2
                if middle:
                    batches += [batch[:middle], batch[middle:]]
                else:
                    refusals.append(f"{batch[0].gw_id!r}: {problem}")
            except StoreError:
                for unwritten in (batch, *batches):
                    self._take_back(unwritten)
                raise
        if refusals:
            log.warn("{count} pings cannot be stored, like that of {first}", count=len(refusals), first=refusals[0])

    def _take_back(self, words: Sequence[Message]) -> None:
        """Put words that could not be written before those that came in the meantime."""
        for word in words:
            if isinstance(word, Heartbeat):
                self._beats.setdefault(word.gw_id, word)
            else:
                newer = self._forget(word.gw_id)
                self.wait(word)
                if newer is not None:
                    self.wait(newer)


async def _write(words: Sequence[Message], clock_set_at: datetime | None, cursor: Cursor) -> None:
    beats = [word for word in words if isinstance(word, Heartbeat)]
    if beats:
        await save_heartbeats(cursor, beats, clock_set_at)
    waiting = [word for word in words if isinstance(word, WaitingGateway)]
    if waiting:
        await remember_waiting(cursor, waiting, WAITING_ROOM)


def _newer(known: WaitingGateway, waiting: WaitingGateway) -> WaitingGateway:
    return replace(
        waiting,
        first_seen=known.first_seen,
        address=waiting.address or known.address,
        port=waiting.port or known.port,
        version=waiting.version or known.version,
    )
