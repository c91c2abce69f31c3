"""Deadlines of many that are waiting at once, for the price of one timer."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import ceil, floor
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T", bound=Hashable)


class Deadline(Generic[T]):
    """One deadline that L{Deadlines.add} has set."""

    __slots__ = ("_bucket", "_waiter")

    def __init__(self, bucket: set[T], waiter: T) -> None:
        """
        @param bucket: all that are due in the same step.
        """
        self._bucket = bucket
        self._waiter = waiter

    def cancel(self) -> None:
        """Stop waiting; nothing happens if the deadline has passed or was cancelled before."""
        self._bucket.discard(self._waiter)


class Deadlines(Generic[T]):
    """
    Calls a function with each waiter whose deadline has passed.

    A reactor timer for each of thousands of requests a second, nearly all of
    them cancelled, costs as much as parsing their heads.  Here all waiters
    share one timer, and those due in the same step share one set.  The timer
    runs only while somebody waits.
    """

    def __init__(self, late: Callable[[T], object], *, step: float, clock: IReactorTime) -> None:
        """
        @param late: called with each late waiter, at most C{step} after its deadline and never before.
        @param step: seconds.
        """
        self._late = late
        self._step = step
        self._clock = clock
        self._buckets: dict[int, set[T]] = {}
        self._timer: IDelayedCall | None = None

    def add(self, waiter: T, seconds: float) -> Deadline[T]:
        """
        Set a deadline C{seconds} from now.

        @return: to cancel it by.
        """
        now = self._clock.seconds()
        step = ceil((now + seconds) / self._step)
        bucket = self._buckets.get(step)
        if bucket is None:
            bucket = self._buckets[step] = set()
        bucket.add(waiter)
        if self._timer is None:
            self._timer = self._clock.callLater(self._step - now % self._step, self._tick)
        return Deadline(bucket, waiter)

    def _tick(self) -> None:
        now = floor(self._clock.seconds() / self._step)
        for step in [step for step in self._buckets if step <= now]:
            bucket = self._buckets.pop(step)
            while bucket:  # a late waiter may cancel the others
                self._late(bucket.pop())
        self._timer = None
        if any(self._buckets.values()):
            self._timer = self._clock.callLater(self._step - self._clock.seconds() % self._step, self._tick)
        else:
            self._buckets.clear()
