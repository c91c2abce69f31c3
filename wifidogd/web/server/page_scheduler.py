"""Begins guests' pages in turns, so that gateways are answered in between, however many guests come at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.web.server import Request

MOST_A_TURN = 8
"""Pages that are begun in one turn of the reactor, a millisecond each."""


class PageScheduler:
    """
    Begins pages in the order in which guests ask, a few at a time.

    A page costs as much as five reports, and its guest waits for it; a gateway
    gives up after a second.  The queue is as long as there are connections,
    and it moves on whatever the database does: pages wait for that, or fail,
    after they have begun.
    """

    def __init__(self, *, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: deque[tuple[Request, Callable[[], None]]] = deque()
        self._begun = 0
        self._turn: IDelayedCall | None = None

    def schedule(self, request: Request, begin: Callable[[], None]) -> None:
        """
        Call C{begin} when it is this request's turn; at once if no other waits.

        @param request: forgotten if its client has gone by then.
        """
        self._waiting.append((request, begin))
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._next_turn)
        self._begin_some()

    def _begin_some(self) -> None:
        while self._waiting and self._begun < MOST_A_TURN:
            request, begin = self._waiting.popleft()
            if request.channel is not None:
                self._begun += 1
                begin()

    def _next_turn(self) -> None:
        self._begun = 0
        self._turn = self._clock.callLater(0, self._next_turn) if self._waiting else None
        self._begin_some()
