"""Deadlines of many that are waiting at once, for the price of one timer."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import ceil, floor
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T", bound=Hashable)


class Deadlines(Generic[T]):
    """
    Tells when somebody has waited for too long.

    A timer of the reactor for each of thousands of requests a second, nearly
    all of them cancelled, costs as much as reading their heads; here they
    share one, and who is due in the same step is in one set.  It ticks only
    while somebody waits.
    """

    def __init__(self, late: Callable[[T], object], *, step: float, clock: IReactorTime) -> None:
        """
        @param late: called with who has waited for too long, at most C{step} after the deadline.
        @param step: seconds.
        """
        self._late = late
        self._step = step
        self._clock = clock
        self._due: dict[int, set[T]] = {}
        self._timer: IDelayedCall | None = None

    def add(self, who: T, seconds: float) -> set[T]:
        """
        Give C{who} some time from now.

        @return: those who wait as long; who need not wait any more is to be discarded from it.
        """
        now = self._clock.seconds()
        step = ceil((now + seconds) / self._step)
        company = self._due.get(step)
        if company is None:
            company = self._due[step] = set()
        company.add(who)
        if self._timer is None:
            self._timer = self._clock.callLater(self._step - now % self._step, self._tick)
        return company

    def _tick(self) -> None:
        now = floor(self._clock.seconds() / self._step)
        for step in [step for step in self._due if step <= now]:
            company = self._due.pop(step)
            while company:
                self._late(company.pop())
        self._timer = None
        if any(self._due.values()):
            self._timer = self._clock.callLater(self._step - self._clock.seconds() % self._step, self._tick)
        else:
            self._due.clear()
