"""
The parent of several workers: opens the ports, never accepts, and sees that the workers are there.

The listening sockets outlive every worker.  Connections wait in their backlog
while one is replaced, and what it would have taken goes to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import ensureDeferred, maybeDeferred
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure

from wifidogd.domain.errors import ConfigurationError
from wifidogd.runtime.startup import StartupService
from wifidogd.store.embedded.cluster import Cluster
from wifidogd.workers.child_process import Worker, spawn
from wifidogd.workers.inherited_sockets import shared
from wifidogd.workers.messages import Orders
from wifidogd.workers.restart import WorkerSlot

log = Logger()


class Backlog(Factory[Protocol]):
    """Never asked for a protocol: connections wait for a worker."""

    noisy = False


class Workers(StartupService):
    """
    Several servers on the same ports and the same database, each in a process of its own.

    @ivar ports: what is open, in the order of the endpoints.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        cluster: Cluster | None,
        endpoints: Sequence[IStreamServerEndpoint],
        *,
        up: Callable[[], None],
        reactor: Any,
    ) -> None:
        """
        @param cluster: the private PostgreSQL; None where the operator named a database.
        @param up: called once guests can be served, by all workers.
        """
        super().__init__(reactor)
        self._options = options
        self._cluster = cluster
        self._endpoints = endpoints
        self._up = up
        self._seats = [WorkerSlot(number, self._start_worker, reactor) for number in range(1, options["workers"] + 1)]
        self._have_been_up: set[int] = set()
        self.ports: list[Port] = []

    @property
    def pids(self) -> list[int]:
        """The processes of the workers that have begun, living or not."""
        return [seat.worker.pid for seat in self._seats if seat.worker is not None and seat.worker.pid is not None]

    async def begin(self) -> None:
        """Start PostgreSQL, open the ports, start the workers."""
        if self._cluster is not None:
            self._options = {**self._options, "database": await self._cluster.start()}
        for endpoint in self._endpoints:
            port = await endpoint.listen(Backlog())
            assert isinstance(port, Port), "the options allow no other endpoints"
            port.stopReading()
            self.ports.append(shared(port))
        for seat in self._seats:
            _ = ensureDeferred(seat.keep(self._may_refuse)).addErrback(self._gave_up)

    async def end(self) -> None:
        """Let the workers finish, for some seconds at most, then stop the rest."""
        if self._cluster is not None and not self.ports:
            await self._cluster.stop()
        self.give_up_starting()
        for port in self.ports:
            await maybeDeferred(port.stopListening)
        for ending in [ensureDeferred(seat.end()) for seat in self._seats]:
            await ending
        if self._cluster is not None:
            await self._cluster.stop()

    def _start_worker(self, number: int) -> Worker:
        families = tuple(int(port.addressFamily) for port in self.ports)
        worker = Worker(Orders(number, len(self._seats), families, self._options), self._reactor)
        _ = ensureDeferred(self._welcome(number, worker))
        spawn(worker, [port.fileno() for port in self.ports], self._reactor)
        return worker

    async def _welcome(self, number: int, worker: Worker) -> None:
        """Say once that guests can be served: when all have been up."""
        await worker.up.wait()
        if worker.is_up and number not in self._have_been_up:
            self._have_been_up.add(number)
            if len(self._have_been_up) == len(self._seats):
                self._up()

    def _may_refuse(self) -> bool:
        return not self._have_been_up

    def _gave_up(self, failure: Failure) -> None:
        """Stop everything as one process would, and say why once."""
        if self.has_failed:
            return
        if failure.check(ConfigurationError):
            self.refuse(failure.getErrorMessage())
        else:
            log.failure("the workers are not looked after any more", failure)
        self.fail()
