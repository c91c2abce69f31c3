"""One place in the pool: an open connection, or the wait for the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from wifidogd.runtime.backoff import doubling
from wifidogd.store.driver.connection import Connection, IStoreReactor
from wifidogd.store.driver.dsn import places
from wifidogd.store.driver.resolver import Resolver

CONNECT_DEADLINE = 5.0
"""
Seconds for a connection to be open, not counting the look-up of names.

Of several places each gets an equal share of what those before it have left, and L{LEAST_SHARE} in any case.
"""

LEAST_SHARE = 1.0
"""Seconds for a place that the ones before it have left no time."""

PROVEN = 1.0
"""Seconds a connection has to live before the next loss counts as the first; a server may log in and drop."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0

_PAUSE = doubling(FIRST_PAUSE, LONGEST_PAUSE)


def pause_after(failures: int, chance: float) -> float:
    """
    Return the seconds to wait before connecting again.

    @param failures: in a row, not counting the loss of a connection that had proven itself.
    @param chance: 0 to 1, so that places which failed together do not come back together.
    """
    return _PAUSE(failures) * (0.5 + chance / 2)


class Reconnector:
    """
    Keeps one connection open, and opens another after a loss.

    The database may be in several places: all are tried before a pause, always beginning with the first.
    """

    def __init__(
        self,
        parameters: Mapping[str, str],
        names: Resolver,
        *,
        clock: IStoreReactor,
        chance: Callable[[], float],
        opened: Callable[[Connection], None],
        lost: Callable[[Connection, BaseException], None],
    ) -> None:
        """
        @param opened: called with each connection that opens.
        @param lost: called when it is gone, and each time that none opened anywhere.
        """
        self._parameters = parameters
        self._names = names
        self._clock = clock
        self._chance = chance
        self._opened = opened
        self._lost = lost
        self._failures = 0
        self._connection: Connection | None = None
        self._places: list[Mapping[str, str]] = []
        self._give_up_at = 0.0
        self._named = ""
        self._troubles: list[str] = []
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
        """Open a connection at the next place; a failure of any kind goes the way of a loss."""
        try:
            if not self._places:
                self._places = await places(self._parameters, self._names.addresses)
                self._give_up_at = self._clock.seconds() + CONNECT_DEADLINE
            share = (self._give_up_at - self._clock.seconds()) / len(self._places)
            place = self._places.pop(0)
            self._named = f"{place['host'] or place['hostaddr']} port {place['port'] or 5432}"
            await connection.open(place, max(share, LEAST_SHARE))
        except Exception as error:
            connection.abort(error)
            return
        self._places, self._troubles = [], []
        self._open_since = self._clock.seconds()
        self._opened(connection)

    def _gone(self, connection: Connection, reason: BaseException) -> None:
        """Try the next place, or plan the next connection."""
        if self._open_since is None:
            said = str(reason).strip().partition("\n")[0] or type(reason).__name__
            self._troubles.append(f"{self._named}: {said}")
        if self._places and not self._stopped:
            self.start()
            return
        proven = self._open_since is not None and self._clock.seconds() - self._open_since >= PROVEN
        self._failures = 0 if proven else self._failures + 1
        if not self._stopped:
            self._pause = self._clock.callLater(pause_after(self._failures, self._chance()), self.start)
        if len(self._troubles) > 1:
            reason = ConnectionError("; ".join(self._troubles))
        self._troubles = []
        self._lost(connection, reason)
