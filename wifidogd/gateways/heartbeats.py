"""
Pings of gateways, kept in memory and written in one statement every few seconds.

A ping is answered whatever the store does (docs/protocol.md 6.3: a missing C{Pong}
may open a network to strangers), so nothing here makes it wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from twisted.logger import Logger

from wifidogd.domain.addresses import blocks_of
from wifidogd.domain.errors import StoreError, StoreRefused
from wifidogd.domain.gateways import Heartbeat, WaitingGateway
from wifidogd.gateways.name_clashes import NameClashes
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.clock_watch import ClockWatch
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.heartbeats import save_heartbeats
from wifidogd.store.gateways.waiting_gateways import remember_waiting

log = Logger()

MOST_WAITING = 200
"""
Gateways that may wait to be adopted, at most: anybody can invent one.

A newcomer beyond that displaces one from whichever /48 or /24 has the most, and there from whichever source has:
inventing many keeps no other gateway out.
"""

MOST_ADOPTED = 100_000
"""Gateways that the registry reads, at most."""

News = Heartbeat | WaitingGateway
"""What a gateway said of itself."""


class Heartbeats:
    """The latest that each gateway said of itself and that is not in the store yet."""

    def __init__(self, database: Database, registry: Registry, *, clock_watch: ClockWatch | None = None) -> None:
        """
        @param clock_watch: knows when the wall clock was set; None for never.
        """
        self._clock_watch = clock_watch
        self._database = database
        self._registry = registry
        self._beats: dict[str, Heartbeat] = {}
        self._waiting: dict[str, WaitingGateway] = {}
        # Strangers invent names without end, and must not make us forget those of adopted gateways.
        self._adopted_clashes, self._waiting_clashes = NameClashes(MOST_ADOPTED), NameClashes(2 * MOST_WAITING)
        self._by_block: dict[str, dict[str, dict[str, None]]] = {}
        self._in_block: Counter[str] = Counter()

    def beat(self, heartbeat: Heartbeat) -> None:
        """Keep a ping; that of a gateway which is not adopted puts it on the waiting list."""
        gw_id, seen = heartbeat.gw_id, heartbeat.seen_at
        if self._registry.gateway(gw_id) is not None:
            is_shared = self._adopted_clashes.hear_ping(heartbeat)
            known = self._beats.get(gw_id)
            shared_at = seen if is_shared else None if known is None else known.shared_at
            newest = replace(heartbeat, shared_at=shared_at)
            self._beats[gw_id] = newest if known is None else _completed(newest, known)
            return
        shared_at = seen if self._waiting_clashes.hear_ping(heartbeat) else None
        self._keep(WaitingGateway(gw_id, seen, seen, heartbeat.source, version=heartbeat.version, shared_at=shared_at))

    def wait(self, waiting: WaitingGateway) -> None:
        """
        Keep a gateway that waits to be adopted, as it or its guest says; it may displace another.

        One that is adopted does not wait: its guest came from another address than the registered one.
        """
        gateway = self._registry.gateway(waiting.gw_id)
        if gateway is not None:
            if waiting.address is not None:
                self._adopted_clashes.hear_elsewhere(gateway.gw_id, waiting.address, gateway.address, waiting.last_seen)
            return
        if waiting.address is not None and self._waiting_clashes.hear_guest(
            waiting.gw_id, waiting.address, waiting.last_seen
        ):
            waiting = replace(waiting, shared_at=waiting.last_seen)
        self._keep(waiting)

    def _keep(self, waiting: WaitingGateway) -> None:
        known = self._forget(waiting.gw_id)
        kept = self._waiting[waiting.gw_id] = waiting if known is None else _newer(known, waiting)
        source, block = _blocks(kept)
        self._by_block.setdefault(block, {}).setdefault(source, {})[kept.gw_id] = None
        self._in_block[block] += 1
        if len(self._waiting) > MOST_WAITING:
            self._forget(self._most_crowded())

    def _forget(self, gw_id: str) -> WaitingGateway | None:
        known = self._waiting.pop(gw_id, None)
        if known is not None:
            source, block = _blocks(known)
            del self._by_block[block][source][gw_id]
            self._in_block[block] -= 1
            if not self._by_block[block][source]:
                del self._by_block[block][source]
            if not self._by_block[block]:
                del self._by_block[block], self._in_block[block]
        return known

    def _most_crowded(self) -> str:
        """Return the gateway to displace: of the block and source with the most, the one not heard of for longest."""
        block = max(self._in_block, key=self._in_block.__getitem__)
        gw_ids = max(self._by_block[block].values(), key=len)
        return next(iter(gw_ids))

    async def flush(self) -> None:
        """
        Write what came since the last time; what cannot be written is kept for the next.

        News that the store refuses is found by halving the batch, and dropped:
        anybody can ping, and must not keep the rest from being written.

        @raise StoreError: as L{Database.transaction}.
        """
        batches: list[Sequence[News]] = [[*self._beats.values(), *self._waiting.values()]]
        self._beats, self._waiting, self._by_block, self._in_block = {}, {}, {}, Counter()
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
            log.warn(
                "{count} pings cannot be stored and are dropped, such as that of {first}",
                count=len(refusals),
                first=refusals[0],
            )

    def _take_back(self, unwritten: Sequence[News]) -> None:
        """Keep what could not be written, as older than what came in the meantime."""
        for news in unwritten:
            if isinstance(news, Heartbeat):
                newest = self._beats.get(news.gw_id)
                self._beats[news.gw_id] = news if newest is None else _completed(newest, news)
            else:
                newer = self._forget(news.gw_id)
                self._keep(news)
                if newer is not None:
                    self._keep(newer)


async def _write(batch: Sequence[News], clock_set_at: datetime | None, cursor: Cursor) -> None:
    beats = [news for news in batch if isinstance(news, Heartbeat)]
    if beats:
        await save_heartbeats(cursor, beats, clock_set_at)
    waiting = [news for news in batch if isinstance(news, WaitingGateway)]
    if waiting:
        await remember_waiting(cursor, waiting, MOST_WAITING)


def _blocks(waiting: WaitingGateway) -> tuple[str, str]:
    """Return the narrowest and the widest block of addresses that a gateway calls from."""
    blocks = blocks_of(waiting.source)
    return blocks[0], blocks[-1]


def _completed(heartbeat: Heartbeat, known: Heartbeat) -> Heartbeat:
    """
    Return a heartbeat with what it leaves out, if it came by WebSocket, as the one before it said.

    The store notices a restart by the uptime, and must not miss one that only the heartbeat before told of.
    """
    since = heartbeat.seen_at - known.seen_at
    running, up = known.wifidog_uptime, known.sys_uptime
    if heartbeat.wifidog_uptime is None and running is not None:
        heartbeat = replace(heartbeat, wifidog_uptime=max(running + since, running))
    if not heartbeat.by_websocket:
        return heartbeat
    return replace(
        heartbeat,
        version=heartbeat.version or known.version,
        sys_uptime=up if heartbeat.sys_uptime is None else heartbeat.sys_uptime,
        memory_free=known.memory_free if heartbeat.memory_free is None else heartbeat.memory_free,
        load=known.load if heartbeat.load is None else heartbeat.load,
        by_websocket=known.by_websocket,
    )


def _newer(known: WaitingGateway, waiting: WaitingGateway) -> WaitingGateway:
    return replace(
        waiting,
        first_seen=known.first_seen,
        address=waiting.address or known.address,
        port=waiting.port or known.port,
        version=waiting.version or known.version,
        shared_at=waiting.shared_at or known.shared_at,
        device_id=waiting.device_id or known.device_id,
    )
