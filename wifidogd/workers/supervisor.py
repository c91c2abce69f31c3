"""
The parent of several workers: it opens the ports, never accepts, and keeps the workers running.

The listening sockets outlive every worker.  While one is replaced, connections
wait in their backlog or go to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import ensureDeferred, maybeDeferred
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure

from wifidogd.domain.errors import ConfigurationError
from wifidogd.runtime.startup import StartupService
from wifidogd.settings import Settings
from wifidogd.store.embedded.cluster import Cluster
from wifidogd.workers.child_process import Worker, spawn
from wifidogd.workers.inherited_sockets import shared
from wifidogd.workers.messages import Orders
from wifidogd.workers.restart import WorkerSlot

log = Logger()


class Backlog(Factory):
    """Stands at a port that never accepts; connections wait for a worker."""

    noisy = False


class Workers(StartupService):
    """
    Several servers on the same ports and the same database, each in a process of its own.

    @ivar ports: what is open, in the order of the endpoints.
    """

    def __init__(
        self,
        settings: Settings,
        cluster: Cluster | None,
        endpoints: Sequence[IStreamServerEndpoint],
        *,
        on_ready: Callable[[], None],
        reactor: Any,
    ) -> None:
        """
        @param cluster: the private PostgreSQL; None where the operator named a database.
        @param on_ready: called once guests can be served, by all workers.
        """
        super().__init__(reactor)
        self._settings = settings
        self._cluster = cluster
        self._endpoints = endpoints
        self._on_ready = on_ready
        self._slots = [WorkerSlot(number, self._start_worker, reactor) for number in range(1, settings.workers + 1)]
        self._have_been_up: set[int] = set()
        self.ports: list[Port] = []

    @property
    def pids(self) -> list[int]:
        """The process identifiers of all workers that have been started, alive or not."""
        return [slot.worker.pid for slot in self._slots if slot.worker is not None and slot.worker.pid is not None]

    async def begin(self) -> None:
        """Start PostgreSQL, open the ports, start the workers."""
        if self._cluster is not None:
            self._settings = replace(self._settings, database=await self._cluster.start())
        for endpoint in self._endpoints:
            port = await endpoint.listen(Backlog())
            assert isinstance(port, Port), "the settings allow no other endpoints"
            port.stopReading()
            self.ports.append(shared(port))
        for slot in self._slots:
            _ = ensureDeferred(slot.keep(self._may_refuse)).addErrback(self._gave_up)

    async def end(self) -> None:
        """Have the workers finish, within some seconds, then stop the rest."""
        if self._cluster is not None and not self.ports:
            await self._cluster.stop()
        self.give_up_starting()
        for port in self.ports:
            await maybeDeferred(port.stopListening)
        for ending in [ensureDeferred(slot.end()) for slot in self._slots]:
            await ending
        if self._cluster is not None:
            await self._cluster.stop()

    def _start_worker(self, number: int) -> Worker:
        families = tuple(int(port.addressFamily) for port in self.ports)
        worker = Worker(Orders(number, len(self._slots), families, self._settings), self._reactor)
        _ = ensureDeferred(self._note_ready(number, worker))
        spawn(worker, [port.fileno() for port in self.ports], self._reactor)
        return worker

    async def _note_ready(self, number: int, worker: Worker) -> None:
        """Call C{on_ready} once, when every worker has been up."""
        await worker.up.wait()
        if worker.is_up and number not in self._have_been_up:
            self._have_been_up.add(number)
            if len(self._have_been_up) == len(self._slots):
                self._on_ready()

    def _may_refuse(self) -> bool:
        return not self._have_been_up

    def _gave_up(self, failure: Failure) -> None:
        """Stop everything as a single process would, and log the reason once."""
        if self.has_failed:
            return
        if failure.check(ConfigurationError):
            self.refuse(failure.getErrorMessage())
        else:
            log.failure("a worker cannot be kept running", failure)
        self.fail()
