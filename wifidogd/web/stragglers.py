"""Who keeps us waiting, and for how long: those who make room when the house is full."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import islice
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

T = TypeVar("T", bound=Hashable)


class Stragglers(Generic[T]):
    """Remembers since when somebody is waited for, in order."""

    def __init__(self, grace: float, clock: IReactorTime) -> None:
        """
        @param grace: seconds that everybody may take.
        """
        self._grace = grace
        self._clock = clock
        self._since: dict[T, float] = {}

    def add(self, who: T) -> None:
        """Wait for somebody from now on."""
        self._since.pop(who, None)
        self._since[who] = self._clock.seconds()

    def discard(self, who: T) -> None:
        """Wait for somebody no more, if they were waited for."""
        self._since.pop(who, None)

    def longest(self, most: int) -> list[T]:
        """Name so many of those who have taken more than their time, who began first first."""
        latest = self._clock.seconds() - self._grace
        return [who for who, since in islice(self._since.items(), most) if since <= latest]
