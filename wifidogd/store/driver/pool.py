"""A bounded pool of connections: every job has one deadline, and nothing queues, spins or blocks without bound."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from wifidogd.domain.errors import StoreRefused, StoreUnavailable
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.store.driver.connection import Connection, IStoreReactor
from wifidogd.store.driver.error_map import is_refusal
from wifidogd.store.driver.job import Job, Task
from wifidogd.store.driver.reconnect import Reconnector
from wifidogd.store.driver.resolver import Resolver

T = TypeVar("T")

GRACE = 1.0
"""Seconds without any connection after which new jobs are refused at once."""

log = Logger()


class Pool:
    """
    Runs tasks on a few connections.

    A connection serves again only when it is open and idle, else it is closed and another is opened.  A task that runs
    for too long loses its connection; it is never cancelled.  Some connections are for urgent jobs alone, so that these
    go on while all others are stuck at a lock.

    @ivar available_since: seconds of the clock since when at least one connection was open without interruption; None
        while there is none.
    """

    def __init__(
        self,
        *,
        clock: IStoreReactor,
        size: int,
        max_waiting: int,
        reserved: int = 0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """
        @param size: connections.
        @param max_waiting: jobs that may wait for one, and urgent ones beside them; more are refused.
        @param reserved: connections that ordinary jobs do not take, except for the last.
        @param chance: 0 to 1, spreads the attempts to reconnect.
        """
        self.available_since: float | None = None
        self._clock = clock
        self._size = size
        self._max_waiting = max_waiting
        self._reserved = reserved
        self._chance = chance
        self._reconnectors: list[Reconnector] = []
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._jobs: set[Job[Any]] = set()
        self._waiting: dict[bool, deque[Job[Any]]] = {True: deque(), False: deque()}
        self._ordinary: set[Connection] = set()
        self._down_since: float | None = None
        self._has_been_open = False
        self._serving = False
        self._log = RateLimitedLog(log, clock)

    def start(self, parameters: Mapping[str, str]) -> None:
        """Begin to connect; jobs are accepted from now on."""
        self._down_since = self._clock.seconds()
        resolver = Resolver(self._clock)
        self._reconnectors = [
            Reconnector(
                parameters, resolver, clock=self._clock, chance=self._chance, opened=self._opened, lost=self._lost
            )
            for _ in range(self._size)
        ]
        for reconnector in self._reconnectors:
            reconnector.start()

    async def stop(self) -> None:
        """Close all connections, fail all jobs, and wait a turn of the reactor for what was on its way."""
        reconnectors, self._reconnectors = self._reconnectors, []
        for reconnector in reconnectors:
            reconnector.stop(ConnectionAbortedError("the server is stopping"))
        for job in tuple(self._jobs):
            self._fail(job, "the server is stopping")
        for waiting in self._waiting.values():
            waiting.clear()
        await deferLater(self._clock, 0)

    def submit(self, task: Task[T], deadline: float, *, urgent: bool = False) -> Deferred[T]:
        """
        Run C{task(connection)} as soon as a connection is free.

        @param deadline: seconds, waiting included.
        @param urgent: before all that are not, and on connections that these do not get.
        @return: a copy of the result; cancelling it does not disturb the task.
        @raise StoreUnavailable: if there is no hope; at once.  The result may fail with it too.
        """
        waiting = self._waiting[urgent]
        self._refuse_if_hopeless(deadline, len(waiting))
        job = Job(task, deadline, self._clock, self._expire, urgent=urgent)
        self._jobs.add(job)
        waiting.append(job)
        self._serve()
        return job.result

    def metrics(self) -> dict[str, int]:
        """Count open connections and waiting jobs."""
        return {"connections": len(self._open), "waiting": sum(map(len, self._waiting.values()))}

    def _refuse_if_hopeless(self, deadline: float, waiting: int) -> None:
        """@raise StoreUnavailable: if stopped, down for more than L{GRACE}, out of time, or the queue is full."""
        if not self._reconnectors:
            raise StoreUnavailable("the database is not in use before the server has started or once it stops")
        if self._down_since is not None and self._clock.seconds() - self._down_since > GRACE:
            raise StoreUnavailable("PostgreSQL cannot be reached")
        if deadline <= 0:
            raise StoreUnavailable("no time is left for the database")
        if waiting >= self._max_waiting:
            raise StoreUnavailable(f"{self._max_waiting} transactions are waiting already")

    def _serve(self) -> None:
        """
        Give waiting jobs to idle connections until either runs out.

        A task that ends at once calls this again; the outer loop continues then, so that the stack stays flat.
        """
        if self._serving:
            return
        self._serving = True
        try:
            while self._idle and (queue := self._next_queue()):
                self._run(self._idle.pop(), queue.popleft())
        finally:
            self._serving = False

    def _next_queue(self) -> deque[Job[Any]]:
        """Return the queue to take the next job from; it may be empty."""
        if self._waiting[True] or len(self._ordinary) >= max(1, len(self._open) - self._reserved):
            return self._waiting[True]
        return self._waiting[False]

    def _run(self, connection: Connection, job: Job[Any]) -> None:
        """Start a task on an idle connection."""
        job.connection = connection
        job.started = self._clock.seconds()
        if not job.urgent:
            self._ordinary.add(connection)
        running = Deferred.fromCoroutine(job.task(connection))
        running.addBoth(self._ran, connection, job)  # type: ignore[unused-awaitable]

    def _ran(self, outcome: object, connection: Connection, job: Job[Any]) -> None:
        """Take the connection back, unless it is gone already or unfit."""
        self._ordinary.discard(connection)
        if connection.is_idle:
            connection.spare()
            self._idle.append(connection)
        else:
            connection.abort(ConnectionAbortedError("a transaction left its connection unusable"))
        self._settle(job, outcome)
        self._serve()

    def _expire(self, job: Job[Any]) -> None:
        """
        Give up on a job whose deadline has come.

        A task that had to wait keeps its connection until it has run for the whole deadline: were it closed now, a busy
        pool would reconnect instead of working off its queue.
        """
        if job.connection is None:
            self._waiting[job.urgent].remove(job)
            self._fail(job, "no connection was free within the deadline")
        else:
            self._fail(job, "PostgreSQL did not answer within the deadline")
            left = job.started + job.deadline - self._clock.seconds()
            job.connection.abort_after(max(0.0, left), TimeoutError("PostgreSQL does not answer"))

    def _settle(self, job: Job[Any], outcome: object) -> None:
        """Forget a job and fire its result."""
        self._jobs.discard(job)
        job.settle(outcome)

    def _fail(self, job: Job[Any], reason: str) -> None:
        """Fail a job, whatever its task still does."""
        self._settle(job, Failure(StoreUnavailable(reason)))

    def _opened(self, connection: Connection) -> None:
        """Add a new connection and serve waiting jobs."""
        self._open.add(connection)
        self._has_been_open = True
        self._idle.append(connection)
        if self.available_since is None:
            self.available_since = self._clock.seconds()
        self._down_since = None
        self._serve()

    def _lost(self, connection: Connection, reason: BaseException) -> None:
        """Remove a connection that is gone, or did not open."""
        self._open.discard(connection)
        self._ordinary.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._open:
            self.available_since = None
            if self._down_since is None:
                self._down_since = self._clock.seconds()
        said = str(reason).strip().partition("\n")[0] or type(reason).__name__
        if not self._has_been_open and is_refusal(said):
            for job in [job for waiting in self._waiting.values() for job in waiting]:
                self._waiting[job.urgent].remove(job)
                self._settle(job, Failure(StoreRefused(said.rpartition("FATAL:")[2].strip())))
        elif self._reconnectors:
            self._log.warn(
                "connection to PostgreSQL failed: {reason}; {open} of {size} are open, trying again",
                reason=said,
                open=len(self._open),
                size=self._size,
            )
