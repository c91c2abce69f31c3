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
    """Keeps one connection open, and opens another after a loss."""

    def __init__(
        self,
        parameters: Mapping[str, str],
        *,
        clock: IStoreReactor,
        chance: Callable[[], float],
        opened: Callable[[Connection], None],
        lost: Callable[[Connection, BaseException], None],
    ) -> None:
        """
        @param opened: called with each connection that opens.
        @param lost: called when it is gone, and for each that did not open.
        """
        self._parameters = parameters
        self._clock = clock
        self._chance = chance
        self._opened = opened
        self._lost = lost
        self._failures = 0
        self._connection: Connection | None = None
        self._open_since: float | None = None
        self._pause: IDelayedCall | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to connect."""
        self._pause = None
        self._open_since = None
        self._connection = Connection(self._clock, self._gone)
        Deferred.fromCoroutine(self._connect(self._connection))  # type: ignore[unused-awaitable]

    def stop(self, reason: BaseException) -> None:
        """Close the connection, whatever it is doing, and do not come back."""
        self._stopped = True
        if self._pause is not None:
            self._pause.cancel()
        if self._connection is not None:
            self._connection.abort(reason)

    async def _connect(self, connection: Connection) -> None:
        """Open a connection; a failure of any kind goes the way of a loss."""
        try:
            parameters = await with_addresses(self._parameters, self._clock.nameResolver)
            await connection.open(parameters, CONNECT_DEADLINE)
        except Exception as error:
            connection.abort(error)
            return
        self._open_since = self._clock.seconds()
        self._opened(connection)

    def _gone(self, connection: Connection, reason: BaseException) -> None:
        """Plan the next connection."""
        proven = self._open_since is not None and self._clock.seconds() - self._open_since >= PROVEN
        self._failures = 0 if proven else self._failures + 1
        if not self._stopped:
            self._pause = self._clock.callLater(pause_after(self._failures, self._chance()), self.start)
        self._lost(connection, reason)
