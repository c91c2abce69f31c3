"""A task that the pool runs, with its deadline and its result."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from wifidogd.domain.errors import StoreError
from wifidogd.store.driver.connection import Connection

T = TypeVar("T")
Task = Callable[[Connection], Coroutine[Any, Any, T]]

log = Logger()


class Job(Generic[T]):
    """
    A task, its deadline, and the Deferred that its caller awaits.

    @ivar deadline: seconds from now on.
    @ivar urgent: whether it goes before all that are not.
    @ivar result: what the caller awaits.  It has no canceller: a caller who leaves does not disturb the task.
    @ivar connection: where the task runs; None while it waits.
    @ivar started: when it began to run, by the clock.
    """

    def __init__(
        self,
        task: Task[T],
        deadline: float,
        clock: IReactorTime,
        expire: Callable[[Job[T]], None],
        *,
        urgent: bool = False,
    ) -> None:
        """@param expire: called at the deadline, unless the job was settled before."""
        self.task = task
        self.deadline = deadline
        self.urgent = urgent
        self.result: Deferred[T] = Deferred()
        self.connection: Connection | None = None
        self.started = 0.0
        self._timer = clock.callLater(deadline, expire, self)
        self._settled = False

    def settle(self, outcome: T | Failure) -> None:
        """Fire the result, once; what comes later (a task that outlived its connection) is dropped."""
        if self._settled:
            return
        self._settled = True
        if self._timer.active():
            self._timer.cancel()
        if self.result.called and isinstance(outcome, Failure) and not isinstance(outcome.value, StoreError):
            log.failure("a task failed after its caller had gone", outcome)
        self.result.callback(outcome)
