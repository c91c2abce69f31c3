"""One place in the pool: an open connection, or the wait for the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from wifidogd.store.connection import Connection, IStoreReactor
from wifidogd.store.dsn import with_addresses

CONNECT_DEADLINE = 5.0
"""Seconds for a connection to be open, not counting the look-up of names, which the C library bounds."""

PROVEN = 1.0
"""Seconds a connection has to live before the next loss counts as the first; a server may log in and drop."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0


def pause_after(failures: int, chance: float) -> float:
    """
    Say how many seconds to wait before connecting again.

    @param failures: in a row, not counting the loss of a connection that had proven itself.
    @param chance: 0 to 1, so that places which failed together do not come back together.
    """
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 16))
    return longest * (0.5 + chance / 2)


class Link:
    """
    Keeps one connection open, and opens another after a loss.

    @ivar connection: the open one; None while there is none.
    """

    def __init__(
        self,
        parameters: Mapping[str, str],
        *,
        clock: IStoreReactor,
        chance: Callable[[], float],
        opened: Callable[[Link], None],
        lost: Callable[[Link, BaseException], None],
    ) -> None:
        """
        @param opened: called when L{connection} is there.
        @param lost: called when it is no longer, or when an attempt to get one failed.
        """
        self.connection: Connection | None = None
        self._parameters = parameters
        self._clock = clock
        self._chance = chance
        self._opened = opened
        self._lost = lost
        self._failures = 0
        self._since = 0.0
        self._attempt: Connection | None = None
        self._pause: IDelayedCall | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to connect."""
        self._pause = None
        self._attempt = Connection(self._clock, self._gone)
        Deferred.fromCoroutine(self._connect(self._attempt))  # type: ignore[unused-awaitable]

    def stop(self, reason: BaseException) -> None:
        """Close what is open and do not come back."""
        self._stopped = True
        if self._pause is not None:
            self._pause.cancel()
        self.drop(reason)

    def drop(self, reason: BaseException) -> None:
        """Close the connection, whatever it is doing; another follows."""
        if self._attempt is not None:
            self._attempt.abort(reason)

    async def _connect(self, connection: Connection) -> None:
        """Open a connection; a failure of any kind goes the way of a loss."""
        try:
            parameters = await with_addresses(self._parameters, self._clock.nameResolver)
            await connection.open(parameters, CONNECT_DEADLINE)
        except Exception as error:
            connection.abort(error)
            return
        self.connection = connection
        self._since = self._clock.seconds()
        self._opened(self)

    def _gone(self, reason: BaseException) -> None:
        """Plan the next connection."""
        proven = self.connection is not None and self._clock.seconds() - self._since >= PROVEN
        self._failures = 0 if proven else self._failures + 1
        self.connection = self._attempt = None
        if not self._stopped:
            self._pause = self._clock.callLater(pause_after(self._failures, self._chance()), self.start)
        self._lost(self, reason)
