"""Clients that are waited for, in order, to choose those who must go when there are too many."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import islice
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

T = TypeVar("T", bound=Hashable)


class SlowClients(Generic[T]):
    """Remembers since when each client has been waited for, in order."""

    def __init__(self, grace: float, clock: IReactorTime) -> None:
        """
        @param grace: seconds that every client may take.
        """
        self._grace = grace
        self._clock = clock
        self._since: dict[T, float] = {}

    def add(self, client: T) -> None:
        """Wait for a client from now on."""
        self._since.pop(client, None)
        self._since[client] = self._clock.seconds()

    def discard(self, client: T) -> None:
        """Stop waiting for a client, if it was waited for."""
        self._since.pop(client, None)

    def longest(self, most: int) -> list[T]:
        """Return up to C{most} clients that have taken more than their time, those first who began first."""
        latest = self._clock.seconds() - self._grace
        return [client for client, since in islice(self._since.items(), most) if since <= latest]
