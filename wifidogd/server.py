"""What starts and stops in which order: database, then ports, then timers; stop in reverse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, TimeoutError, ensureDeferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wifidogd.accounting.expiry import Expiry
from wifidogd.accounting.ledger import Ledger
from wifidogd.domain.errors import ConfigurationError, StoreError, StoreRefused
from wifidogd.domain.server_address import ServerAddress
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.devices import Devices
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.gateways.registry import Registry
from wifidogd.gateways.router_claims import RouterClaims
from wifidogd.runtime.clock_watch import ClockWatch
from wifidogd.runtime.passwords import Passwords
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.runtime.startup import Refuse, StartupService, log_refusal
from wifidogd.runtime.watchdog import Watchdog
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.embedded.cluster import Cluster
from wifidogd.store.gateways.server_address import record_server_address
from wifidogd.store.migrations import migrate
from wifidogd.web.server.site import WifidogdSite

log = Logger()

RETRY = 2.0
"""Seconds between two attempts to prepare a database that is away when the server starts."""

SERVE_ON = 6.0
"""Seconds in which accepted requests are still answered when the server stops; guests' are given up before anyway."""

DRAIN = 2.0
"""Seconds that each other piece of work then has to finish."""

SEND_LAST = 1.0
"""Seconds in which the last answers are sent, at most."""

Metrics = Callable[[], Mapping[str, float | str | None]]


@dataclass(frozen=True, slots=True)
class Components:
    """
    Everything that is started and stopped, made by the composition root.

    @ivar cluster: the private PostgreSQL; None where it is not this process's to start.
    @ivar timers: run once the database is prepared.
    """

    cluster: Cluster | None
    database: Database
    registry: Registry
    ledger: Ledger
    heartbeats: Heartbeats
    devices: Devices
    claims: RouterClaims
    passwords: Passwords
    expiry: Expiry
    clock_watch: ClockWatch
    timers: Sequence[Service]
    site: WifidogdSite


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """
    Which process of a server this is: the only one, or one of several workers.

    @ivar number: from 1.
    @ivar count: of workers.
    @ivar ports: the reactor as far as endpoints see.
    @ivar on_ready: called once guests can be served.
    @ivar watchdog: what watches the reactor; None where nothing does.
    @ivar refuse: called with the reason why the server cannot start; see L{StartupService}.
    """

    number: int
    count: int
    ports: Any
    on_ready: Callable[[], None]
    watchdog: Watchdog | None = None
    refuse: Refuse = log_refusal

    @property
    def metrics(self) -> dict[str, Metrics]:
        """What blocked the reactor; and of several workers, which one answers."""
        metrics: dict[str, Metrics] = {}
        if self.watchdog is not None:
            metrics["blocked"] = self.watchdog.metrics
        if self.count > 1:
            metrics["worker"] = lambda: {"number": self.number, "of": self.count}
        return metrics


class AuthServer(StartupService):
    """
    The running server.

    Ports open once there is a database to connect to, whether or not it
    answers yet: until it does, gateways are told to leave their guests as they
    are, and guests to come back.

    @ivar ports: those that are open, in the order of the endpoints.
    @ivar timers: the child service that all timers are children of.
    """

    def __init__(
        self,
        components: Components,
        endpoints: Sequence[IStreamServerEndpoint],
        *,
        dsn: str | None,
        identity: WorkerIdentity,
        address: ServerAddress,
        utc_now: UtcNow,
        reactor: Any,
    ) -> None:
        """
        @param dsn: of the database; None for the private one in C{components}.
        @param address: recorded in the database for wifidogctl.
        """
        super().__init__(reactor, refuse=identity.refuse)
        self.components = components
        self._endpoints = endpoints
        self._dsn = dsn
        self._address = address
        self._utc_now = utc_now
        self._on_ready = identity.on_ready
        self.ports: list[IListeningPort] = []
        self.timers = MultiService()
        self.timers.setName("timers")
        self.timers.setServiceParent(self)
        for timer in components.timers:
            timer.setServiceParent(self.timers)

    async def begin(self) -> None:
        """Open the ports, prepare the database, start the timers."""
        await self._open()
        await self._prepare()
        self.components.clock_watch.begin()
        self.timers.startService()
        await self._record_address()
        self._on_ready()

    async def _open(self) -> None:
        parts = self.components
        dsn = self._dsn
        if parts.cluster is not None:
            dsn = await parts.cluster.start()
        parts.database.start(dsn or "")
        parts.passwords.start()
        for endpoint in self._endpoints:
            port = await endpoint.listen(parts.site)
            parts.site.connections.watch(port)
            self.ports.append(port)

    async def _prepare(self) -> None:
        """
        Bring the schema and the registry up to date, as soon as the database can be reached.

        @raise ConfigurationError: if it can, and refuses.
        """
        limited = RateLimitedLog(log, self._reactor)
        while not self.components.registry.loaded:
            try:
                await migrate(self.components.database)
                # Reports are settled from the moment when the registry has been read, a round trip before that ends.
                self.components.clock_watch.begin()
                await self.components.registry.refresh()
            except StoreRefused as problem:
                raise ConfigurationError(
                    f"The database refuses: {problem}. Correct --database, or the database."
                ) from problem
            except StoreError as problem:
                limited.warn("the database is not ready, trying again: {problem}", problem=problem)
                await deferLater(self._reactor, RETRY)

    async def _record_address(self) -> None:
        """Record where this server is, for commands beside it; guests are served without that too."""

        async def record(cursor: Cursor) -> None:
            await record_server_address(cursor, self._address, self._utc_now())

        try:
            await self.components.database.transaction(record)
        except StoreError as problem:
            log.warn("wifidogctl is not told where this server is: {problem}", problem=problem)

    async def end(self) -> None:
        """
        Stop accepting, answer what was accepted, then stop the rest; this takes some seconds at most.

        What still waits for the database then fails with it, and so is answered too.
        """
        parts = self.components
        if parts.cluster is not None and not self.ports:
            await parts.cluster.stop()
        self.give_up_starting()
        parts.site.connections.accept_waiting()
        for port in self.ports:
            await maybeDeferred(port.stopListening)
        await parts.site.connections.drain(SERVE_ON)
        await self._finish("settling reports", parts.ledger.drain())
        if self.timers.running:
            await self._finish("stopping timers", maybeDeferred(self.timers.stopService))
        if parts.registry.loaded:
            await self._finish("writing heartbeats", parts.heartbeats.flush())
            await self._finish("writing which devices gateways are on", parts.devices.flush())
            await self._finish("noting that no router is connected", parts.claims.sign_off())
            await self._finish("telling other servers", parts.expiry.sign_off())
        await parts.database.stop()
        await parts.site.connections.drain(SEND_LAST)
        parts.passwords.stop()
        if parts.cluster is not None:
            await parts.cluster.stop()

    async def _finish(self, name: str, work: Awaitable[Any]) -> None:
        """Await the end of some work, for L{DRAIN} seconds at most."""
        deferred: Deferred[Any] = work if isinstance(work, Deferred) else ensureDeferred(work)  # type: ignore[arg-type]
        try:
            await deferred.addTimeout(DRAIN, self._reactor)
        except TimeoutError:
            log.warn("{name} was not finished before the end: it took over {most:g} s", name=name, most=DRAIN)
        except StoreError as problem:
            log.warn("{name} was not finished before the end: {problem}", name=name, problem=problem)
