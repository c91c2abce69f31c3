"""A bounded pool of connections: every job has one deadline, and nothing queues, spins or blocks without bound."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from wifidogd.errors import StoreError, StoreUnavailable
from wifidogd.sparing import SparingLog
from wifidogd.store.connection import Connection, IStoreReactor
from wifidogd.store.link import Link

T = TypeVar("T")
Task = Callable[[Connection], Coroutine[Any, Any, T]]

GRACE = 1.0
"""Seconds without any connection after which new jobs are refused at once."""

log = Logger()


class Job(Generic[T]):
    """
    One task on its way through the pool.

    @ivar result: what the caller awaits.  It has no canceller: a caller who goes leaves the task undisturbed.
    @ivar link: where the task runs; None while it waits.
    """

    def __init__(self, task: Task[T], deadline: float, clock: IStoreReactor, expire: Callable[[Job[T]], None]) -> None:
        """@param deadline: seconds, after which C{expire} is called unless the job was settled."""
        self.task = task
        self.result: Deferred[T] = Deferred()
        self.link: Link | None = None
        self._timer = clock.callLater(deadline, expire, self)
        self._settled = False

    def settle(self, outcome: T | Failure) -> None:
        """Tell the caller, once; what comes later (a task that outlived its connection) is dropped."""
        if self._settled:
            return
        self._settled = True
        if self._timer.active():
            self._timer.cancel()
        if self.result.called and isinstance(outcome, Failure) and not isinstance(outcome.value, StoreError):
            log.failure("a task failed after its caller had gone", outcome)
        self.result.callback(outcome)


class Pool:
    """
    Runs tasks on a few connections.

    A connection serves again only when it is open and idle, else it is closed and another is opened.  A task past its
    deadline loses its connection; it is never cancelled.

    @ivar available_since: seconds of the clock since when at least one connection was open without interruption; None
        while there is none.
    """

    def __init__(
        self,
        *,
        clock: IStoreReactor,
        size: int,
        max_waiting: int,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """
        @param size: connections.
        @param max_waiting: jobs that may wait for one; more are refused.
        @param chance: 0 to 1, spreads the attempts to reconnect.
        """
        self.available_since: float | None = None
        self._clock = clock
        self._size = size
        self._max_waiting = max_waiting
        self._chance = chance
        self._links: list[Link] = []
        self._idle: list[Link] = []
        self._open: set[Link] = set()
        self._jobs: set[Job[Any]] = set()
        self._waiting: deque[Job[Any]] = deque()
        self._down_since: float | None = None
        self._serving = False
        self._log = SparingLog(log, clock)

    def start(self, parameters: Mapping[str, str]) -> None:
        """Begin to connect; jobs are accepted from now on."""
        self._down_since = self._clock.seconds()
        self._links = [
            Link(parameters, clock=self._clock, chance=self._chance, opened=self._link_opened, lost=self._link_lost)
            for _ in range(self._size)
        ]
        for link in self._links:
            link.start()

    async def stop(self) -> None:
        """Close all connections, fail all jobs, and wait a turn of the reactor for what was on its way."""
        links, self._links = self._links, []
        reason = StoreUnavailable("the server is stopping")
        for link in links:
            link.stop(reason)
        for job in tuple(self._jobs):
            self._fail(job, reason)
        self._waiting.clear()
        await deferLater(self._clock, 0)

    def submit(self, task: Task[T], deadline: float) -> Deferred[T]:
        """
        Run C{task(connection)} as soon as a connection is free.

        @param deadline: seconds, waiting included.
        @return: a copy of the result; cancelling it does not disturb the task.
        @raise StoreUnavailable: if there is no hope; at once.  The result may fail with it too.
        """
        self._refuse_if_hopeless()
        job = Job(task, max(0.0, deadline), self._clock, self._expire)
        self._jobs.add(job)
        self._waiting.append(job)
        self._serve()
        return job.result

    def figures(self) -> dict[str, int]:
        """Count open connections and waiting jobs."""
        return {"connections": len(self._open), "waiting": len(self._waiting)}

    def _refuse_if_hopeless(self) -> None:
        """@raise StoreUnavailable: if stopped, down for more than L{GRACE}, or the queue is full."""
        if not self._links:
            raise StoreUnavailable("the database is not in use before the server has started or once it stops")
        if self._down_since is not None and self._clock.seconds() - self._down_since > GRACE:
            raise StoreUnavailable("PostgreSQL cannot be reached")
        if not self._idle and len(self._waiting) >= self._max_waiting:
            raise StoreUnavailable(f"{self._max_waiting} transactions are waiting already")

    def _serve(self) -> None:
        """
        Pair idle connections with waiting jobs until either runs out.

        A task that ends at once comes back here; the outer loop goes on then, so that the stack stays flat.
        """
        if self._serving:
            return
        self._serving = True
        try:
            while self._idle and self._waiting:
                self._run(self._idle.pop(), self._waiting.popleft())
        finally:
            self._serving = False

    def _run(self, link: Link, job: Job[Any]) -> None:
        """Start a task on an idle connection."""
        connection = link.connection
        assert connection is not None, "idle links have a connection"
        job.link = link
        running = Deferred.fromCoroutine(job.task(connection))
        running.addBoth(self._ran, link, connection, job)  # type: ignore[unused-awaitable]

    def _ran(self, outcome: object, link: Link, connection: Connection, job: Job[Any]) -> None:
        """Take the connection back, unless it is gone already or unfit."""
        if link.connection is connection:
            if connection.is_idle:
                self._idle.append(link)
            else:
                link.drop(StoreUnavailable("a transaction left its connection unusable"))
        self._settle(job, outcome)
        self._serve()

    def _expire(self, job: Job[Any]) -> None:
        """Give up on a job whose deadline has come, and on its connection."""
        if job.link is None:
            self._waiting.remove(job)
            self._fail(job, StoreUnavailable("no connection was free within the deadline"))
        else:
            reason = StoreUnavailable("PostgreSQL did not answer within the deadline")
            self._fail(job, reason)
            job.link.drop(reason)

    def _settle(self, job: Job[Any], outcome: object) -> None:
        """Forget a job and tell its caller."""
        self._jobs.discard(job)
        job.settle(outcome)

    def _fail(self, job: Job[Any], reason: StoreUnavailable) -> None:
        """Settle a job whose task has no say in it any more."""
        self._settle(job, Failure(reason))  # type: ignore[no-untyped-call]

    def _link_opened(self, link: Link) -> None:
        """Put a new connection to use."""
        self._open.add(link)
        self._idle.append(link)
        if self.available_since is None:
            self.available_since = self._clock.seconds()
        self._down_since = None
        self._serve()

    def _link_lost(self, link: Link, reason: BaseException) -> None:
        """Note that a connection, or an attempt to get one, is gone."""
        self._open.discard(link)
        if link in self._idle:
            self._idle.remove(link)
        if not self._open:
            self.available_since = None
            if self._down_since is None:
                self._down_since = self._clock.seconds()
        if self._links:
            self._log.warn(
                "no connection to PostgreSQL: {reason}; {open} of {size} are open, trying again",
                reason=str(reason).strip().partition("\n")[0] or type(reason).__name__,
                open=len(self._open),
                size=self._size,
            )
