"""One connection of the pool, reopened after each loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from wifidogd.runtime.backoff import doubling
from wifidogd.store.driver.connection import Connection, IStoreReactor
from wifidogd.store.driver.dsn import hosts
from wifidogd.store.driver.resolver import Resolver

CONNECT_DEADLINE = 5.0
"""
Seconds for a connection to be open, not counting the look-up of names.

Each of several hosts gets an equal share of what is left after those before it, and at least L{LEAST_SHARE}.
"""

LEAST_SHARE = 1.0
"""Seconds for a host when those before it have left no time."""

PROVEN = 1.0
"""Seconds after which the loss of a connection counts as a first failure; a server may accept logins and drop them."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0

_PAUSE = doubling(FIRST_PAUSE, LONGEST_PAUSE)


def pause_after(failures: int, chance: float) -> float:
    """
    Return the seconds to wait before connecting again.

    @param failures: in a row, not counting the loss of a connection that had proven itself.
    @param chance: 0 to 1, so that connections which failed together do not return together.
    """
    return _PAUSE(failures) * (0.5 + chance / 2)


class Reconnector:
    """
    Keeps one connection open, and opens another after a loss.

    The database may have several hosts: all are tried before a pause, always beginning with the first.
    """

    def __init__(
        self,
        parameters: Mapping[str, str],
        resolver: Resolver,
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
        self._resolver = resolver
        self._clock = clock
        self._chance = chance
        self._opened = opened
        self._lost = lost
        self._failures = 0
        self._connection: Connection | None = None
        self._hosts: list[Mapping[str, str]] = []
        self._give_up_at = 0.0
        self._tried = ""
        self._errors: list[str] = []
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
        """Close the connection, whatever it is doing, and open no other."""
        self._stopped = True
        if self._pause is not None:
            self._pause.cancel()
        if self._connection is not None:
            self._connection.abort(reason)

    async def _connect(self, connection: Connection) -> None:
        """Open a connection to the next host; any failure is handled as a loss."""
        try:
            if not self._hosts:
                self._hosts = await hosts(self._parameters, self._resolver.addresses)
                self._give_up_at = self._clock.seconds() + CONNECT_DEADLINE
            share = (self._give_up_at - self._clock.seconds()) / len(self._hosts)
            host = self._hosts.pop(0)
            self._tried = f"{host['host'] or host['hostaddr']} port {host['port'] or 5432}"
            await connection.open(host, max(share, LEAST_SHARE))
        except Exception as error:
            connection.abort(error)
            return
        self._hosts, self._errors = [], []
        self._open_since = self._clock.seconds()
        self._opened(connection)

    def _gone(self, connection: Connection, reason: BaseException) -> None:
        """Try the next host, or schedule the next attempt."""
        if self._open_since is None:
            said = str(reason).strip().partition("\n")[0] or type(reason).__name__
            self._errors.append(f"{self._tried}: {said}")
        if self._hosts and not self._stopped:
            self.start()
            return
        proven = self._open_since is not None and self._clock.seconds() - self._open_since >= PROVEN
        self._failures = 0 if proven else self._failures + 1
        if not self._stopped:
            self._pause = self._clock.callLater(pause_after(self._failures, self._chance()), self.start)
        if len(self._errors) > 1:
            reason = ConnectionError("; ".join(self._errors))
        self._errors = []
        self._lost(connection, reason)
