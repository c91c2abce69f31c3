"""One txpostgres connection that can be closed at once, whatever it is doing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import psycopg2
from psycopg2 import extensions
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReactorPluggableNameResolver, IReactorTime
from twisted.python.failure import Failure
from txpostgres import txpostgres

BYTEA = extensions.new_type(
    psycopg2.BINARY.values,
    "BYTEA",
    lambda value, cursor: None if value is None else bytes(psycopg2.BINARY(value, cursor)),
)
"""Reads bytea as L{bytes}; psycopg2 alone gives memoryviews."""

BYTEA_ARRAY = extensions.new_array_type((1001,), "BYTEA[]", BYTEA)


class IStoreReactor(IReactorTime, IReactorFDSet, IReactorPluggableNameResolver):
    """The interfaces of a reactor that the store needs."""


class Connection(txpostgres.Connection):  # type: ignore[misc]
    """
    A connection that is opened once, used by one transaction at a time, and closed for good.

    Unlike its base it polls for its cursors itself and stays registered with the reactor, which saves four epoll calls
    a statement and leaves nothing behind when it is closed in the middle of one.  The reactor watches a duplicate of
    the descriptor: libpq closes its own as soon as it reads that the server is gone, and the reactor would miss every
    event of whoever gets that number next.

    Nothing here ever cancels: that calls PQcancel, which blocks.
    """

    _pollingD: Deferred[object] | None

    def __init__(self, reactor: IStoreReactor, lost: Callable[[Connection, BaseException], None]) -> None:
        """@param lost: called once with this and the reason when it is gone, open or not yet."""
        super().__init__(reactor)
        self._lost: Callable[[Connection, BaseException], None] | None = lost
        self._descriptor: int | None = None
        self._timer: IDelayedCall | None = None
        self._cursor: Any = None

    async def open(self, parameters: Mapping[str, str], deadline: float) -> None:
        """
        Connect and log in.

        @param deadline: seconds; libpq's own connect_timeout does nothing for asynchronous connections.
        @raise Exception: whatever psycopg2 makes of it; the caller still has to L{abort}.
        """
        if self._lost is not None:
            self.abort_after(deadline, TimeoutError(f"no connection within {deadline:g} s"))
            await self.connect(**parameters)
        if self._lost is None:
            raise ConnectionAbortedError("closed before it was open")
        self.spare()
        extensions.register_type(BYTEA, self._connection)
        extensions.register_type(BYTEA_ARRAY, self._connection)
        self.reactor.removeReader(self)
        self._descriptor = os.dup(self._connection.fileno())
        self.reactor.addReader(self)

    def new_cursor(self) -> Any:
        """Make a bare psycopg2 cursor, to pass to L{execute} and to fetch from."""
        return self._connection.cursor()

    def execute(
        self, cursor: Any, statement: str | bytes, parameters: Mapping[str, object] | None = None
    ) -> Deferred[object]:
        """
        Send a statement, or several with semicolons between them.

        The cursor is kept here until the next one: psycopg2 holds it weakly, and if it has gone when the result comes,
        throws the result away in a loop that blocks, after COPY for ever.

        @return: fires when the whole result of the last one is in C{cursor}.
        @raise Exception: what psycopg2 finds wrong before sending anything.
        """
        cursor.execute(statement, parameters)
        self._cursor = cursor
        polling: Deferred[object] = self.poll()
        return polling

    def take_warnings(self) -> list[str]:
        """Return the warnings that the server has sent since the last call, and forget them."""
        notices: list[str] = self._connection.notices
        taken = notices[:]
        notices.clear()
        return taken

    @property
    def transaction_status(self) -> int:
        """One of psycopg2's C{TRANSACTION_STATUS_} numbers; C{TRANSACTION_STATUS_UNKNOWN} once closed."""
        if self._lost is None or self._connection.closed:
            return int(extensions.TRANSACTION_STATUS_UNKNOWN)
        return int(self._connection.get_transaction_status())

    @property
    def is_idle(self) -> bool:
        """Whether another transaction may start here; after COPY, say, never again."""
        return self.transaction_status == int(extensions.TRANSACTION_STATUS_IDLE)

    def abort(self, reason: BaseException) -> None:
        """
        Close at once; a statement on its way fails with C{reason}.  Does nothing the second time.

        psycopg2's close() is called for a connection it counts as closed too: the descriptor would stay open until the
        collector comes.
        """
        if self._lost is None:
            return
        lost, self._lost = self._lost, None
        self.spare()
        if self._connection is not None:
            self.reactor.removeReader(self)
            self.reactor.removeWriter(self)
            self._connection.close()
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        lost(self, reason)
        if self._connection is not None:
            super().connectionLost(Failure(reason))

    def abort_after(self, seconds: float, reason: BaseException) -> None:
        """L{abort} then, unless L{spare} is called before."""
        if self._lost is not None:
            self._timer = self.reactor.callLater(seconds, self.abort, reason)

    def spare(self) -> None:
        """Cancel an L{abort_after}, if there is one."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def fileno(self) -> int:
        """Return the descriptor for the reactor to watch; -1 for none."""
        return int(super().fileno()) if self._descriptor is None else self._descriptor

    def doRead(self) -> None:
        """Read what has arrived: part of a result, a step of the login, or the end of the connection."""
        if self._descriptor is None:
            self.reactor.removeReader(self)
            self.reactor.removeWriter(self)
        self._advance()

    def doWrite(self) -> None:
        """Send more of a long statement, or take a step of the login."""
        if self._descriptor is None:
            self.reactor.removeReader(self)
        self.reactor.removeWriter(self)
        self._advance()

    def _advance(self) -> None:
        """
        Let libpq take one step, and fire the waiting Deferred at once if it is the last.

        The base class fires it a turn of the reactor later, in case polling has only just begun; here the reactor
        called, so nothing else is running.

        While libpq connects it may change to the next address with another descriptor, so the reactor was told to
        forget the old one before.
        """
        waiting = self._pollingD
        try:
            state = self._connection.poll()
        except Exception as error:
            self._pollingD = None
            if waiting is None:
                self.abort(error)
            else:
                waiting.errback(error)
            return
        if state == extensions.POLL_READ:
            self.reactor.addReader(self)
        elif state == extensions.POLL_WRITE:
            self.reactor.addWriter(self)
        elif waiting is not None:
            self._pollingD = None
            waiting.callback(self)

    def connectionLost(self, reason: Failure) -> None:
        """Abort because the socket hung up; a login may still find another address."""
        if self._descriptor is not None:
            self.abort(ConnectionResetError("the connection to PostgreSQL hung up"))
        else:
            super().connectionLost(reason)
