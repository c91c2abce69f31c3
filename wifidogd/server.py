"""What starts and stops in which order: database, then ports and timers; stop in reverse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError, ensureDeferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wifidogd.accounting.expiry import Expiry
from wifidogd.accounting.ledger import Ledger
from wifidogd.domain.errors import StoreError
from wifidogd.domain.server_address import ServerAddress
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.passwords import Passwords
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.runtime.startup import StartupService, Tell, say_why_not
from wifidogd.runtime.watchdog import Watchdog
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.embedded.cluster import Cluster
from wifidogd.store.gateways.server_address import record_server_address
from wifidogd.store.migrations import migrate
from wifidogd.web.server.site import WifidogdSite

log = Logger()

RETRY = 2.0
"""Seconds between two tries to prepare a database that is away when the server starts."""

SERVE_ON = 6.0
"""Seconds in which who has come in is served when the server stops: what guests ask is given up before that anyway."""

DRAIN = 2.0
"""Seconds that each other piece of work gets to be finished then."""

LAST_WORDS = 1.0
"""Seconds for that news to be sent, at most."""


@dataclass(frozen=True, slots=True)
class Components:
    """
    All that is to be started and stopped, made by the composition root.

    @ivar cluster: the private PostgreSQL; None where it is not ours to start.
    @ivar timers: to run while the database is prepared.
    """

    cluster: Cluster | None
    database: Database
    directory: Registry
    ledger: Ledger
    heartbeats: Heartbeats
    passwords: Passwords
    upkeep: Expiry
    timers: Sequence[Service]
    front: WifidogdSite


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """
    Where a server stands: alone, or as one of several workers.

    @ivar number: which of them it is, from 1.
    @ivar count: how many there are.
    @ivar ports: the reactor as far as endpoints see.
    @ivar up: called once guests can be served.
    @ivar watchdog: what watches the reactor; None where nothing does.
    @ivar refuse: told why it cannot start; see L{StartupService}.
    """

    number: int
    count: int
    ports: Any
    up: Callable[[], None]
    watchdog: Watchdog | None = None
    refuse: Tell = say_why_not

    @property
    def figures(self) -> dict[str, Callable[[], Mapping[str, float | str | None]]]:
        """For monitors: who blocked the reactor, which worker answers, and of how many if it is not alone."""
        figures: dict[str, Callable[[], Mapping[str, float | str | None]]] = {}
        if self.watchdog is not None:
            figures["blocked"] = self.watchdog.figures
        if self.count > 1:
            figures["worker"] = lambda: {"number": self.number, "of": self.count}
        return figures


class AuthServer(StartupService):
    """
    The running server.

    Ports open once there is a database to connect to, whether or not it
    answers yet: until it does, gateways are told to leave their guests as they
    are and guests to come back.

    @ivar ports: what is open, in the order of the endpoints.
    """

    def __init__(
        self,
        rooms: Components,
        endpoints: Sequence[IStreamServerEndpoint],
        *,
        dsn: str | None,
        place: WorkerIdentity,
        address: ServerAddress,
        utc_now: UtcNow,
        reactor: Any,
    ) -> None:
        """
        @param dsn: of the database; None for the private one that C{rooms} start.
        @param address: recorded in the database for wifidogctl.
        """
        super().__init__(reactor, refuse=place.refuse)
        self._rooms = rooms
        self._endpoints = endpoints
        self._dsn = dsn
        self._address = address
        self._utc_now = utc_now
        self._up = place.up
        self.ports: list[IListeningPort] = []

    async def begin(self) -> None:
        """Open the ports, prepare the database, start the timers."""
        await self._open()
        await self._prepare()
        await self._record_address()
        self._up()

    async def _open(self) -> None:
        rooms = self._rooms
        dsn = self._dsn
        if rooms.cluster is not None:
            dsn = await rooms.cluster.start()
        rooms.database.start(dsn or "")
        rooms.passwords.start()
        for endpoint in self._endpoints:
            port = await endpoint.listen(rooms.front)
            rooms.front.places.watch(port)
            self.ports.append(port)

    async def _prepare(self) -> None:
        """Bring schema and directory up to date, as soon as the database lets us."""
        sparing = RateLimitedLog(log, self._reactor)
        while not self._rooms.directory.loaded:
            try:
                await migrate(self._rooms.database)
                await self._rooms.directory.refresh()
            except StoreError as problem:
                sparing.warn("the database is not ready: {problem}", problem=problem)
                await deferLater(self._reactor, RETRY)
        for timer in self._rooms.timers:
            timer.startService()

    async def _record_address(self) -> None:
        """Record where this server is, for commands beside it; guests are served without that too."""

        async def record(cursor: Cursor) -> None:
            await record_server_address(cursor, self._address, self._utc_now())

        try:
            await self._rooms.database.transaction(record)
        except StoreError as problem:
            log.warn("wifidogctl is not told where this server is: {problem}", problem=problem)

    async def end(self) -> None:
        """
        Stop accepting, answer who was accepted, then stop the rest; some seconds at most.

        Whatever still waits for the database then fails with it, and so has an answer too.
        """
        rooms = self._rooms
        if rooms.cluster is not None and not self.ports:
            await rooms.cluster.stop()
        self.give_up_starting()
        rooms.front.places.take_in()
        for port in self.ports:
            await maybeDeferred(port.stopListening)
        await rooms.front.places.drain(SERVE_ON)
        await self._finish(rooms.ledger.drain())
        timers = [maybeDeferred(timer.stopService) for timer in rooms.timers if timer.running]
        await self._finish(gatherResults(timers))
        await self._finish(rooms.heartbeats.flush())
        if rooms.directory.loaded:
            await self._finish(rooms.upkeep.take_leave())
        await rooms.database.stop()
        await rooms.front.places.drain(LAST_WORDS)
        rooms.passwords.stop()
        if rooms.cluster is not None:
            await rooms.cluster.stop()

    async def _finish(self, work: Awaitable[Any]) -> None:
        """Await the end of something, but not for long."""
        deferred: Deferred[Any] = work if isinstance(work, Deferred) else ensureDeferred(work)  # type: ignore[arg-type]
        try:
            await deferred.addTimeout(DRAIN, self._reactor)
        except (TimeoutError, StoreError) as problem:
            log.warn("something was left undone: {problem}", problem=problem)
