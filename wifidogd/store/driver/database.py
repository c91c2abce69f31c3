"""Transactions with a deadline: the only way to PostgreSQL, with errors that say what happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

import psycopg2
from psycopg2 import extensions

from wifidogd.domain.errors import StoreError, StoreUnavailable
from wifidogd.store.driver.connection import Connection, IStoreReactor
from wifidogd.store.driver.dsn import session_parameters
from wifidogd.store.driver.error_map import is_read_only, translated
from wifidogd.store.driver.pool import Pool

T = TypeVar("T")

PATIENCE = timedelta(seconds=5)


class Cursor(Protocol):
    """A transaction, as the functions of the store see it."""

    async def execute(self, statement: str, parameters: Mapping[str, object] | None = None) -> None:
        """
        Await a statement; C{%(name)s} stands for a parameter, and without parameters a C{%} is just that.

        @raise StoreError: as L{Database.transaction}.  The transaction cannot continue then.
        """

    def send(self, statement: str, parameters: Mapping[str, object] | None = None) -> None:
        """
        Send a statement together with the next one, or with COMMIT: it costs no round trip of its own.

        Its result cannot be read.  An error in it is raised by the next statement, or by the transaction.
        """

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows of the last statement."""

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row of the last statement; None after the last."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that the last statement returned; none if it returns no rows."""

    @property
    def rowcount(self) -> int:
        """Rows that the last statement returned or changed."""


Work = Callable[[Cursor], Awaitable[T]]


class Database:
    """
    Runs work in transactions on a bounded pool of connections.

    It may be started while PostgreSQL is away, and survives whatever happens to it.
    """

    def __init__(self, *, clock: IStoreReactor, size: int = 6, max_waiting: int = 200, reserved: int = 0) -> None:
        """
        @param clock: the reactor.
        @param size: connections.
        @param max_waiting: transactions that may wait for a connection; more are refused.
        @param reserved: connections for urgent transactions alone.
        """
        self._pool = Pool(clock=clock, size=size, max_waiting=max_waiting, reserved=reserved)

    def start(self, dsn: str) -> None:
        """
        Begin to connect, and accept transactions.

        @raise ConfigurationError: if the DSN cannot be read.
        """
        self._pool.start(session_parameters(dsn))

    async def stop(self) -> None:
        """Close all connections; transactions under way or waiting fail with L{StoreUnavailable}."""
        await self._pool.stop()

    async def transaction(self, work: Work[T], *, deadline: timedelta = PATIENCE, urgent: bool = False) -> T:
        """
        Await C{work(cursor)} between BEGIN and COMMIT.

        BEGIN travels with the first statement; work that executes nothing costs no round trip.  The caller gets a copy
        of the result: a browser that hangs up cancels the copy, and the work still finishes.  An exception of the work
        itself rolls back and passes unchanged.

        @param deadline: for everything, waiting for a connection included.
        @param urgent: before all that are not, as a gateway's report is before a guest's page.
        @raise StoreUnavailable: if PostgreSQL cannot be reached, is too slow or too busy, or went away before COMMIT
            was confirmed; the outcome is then unknown.  At once while it has been away for more than a second.
        @raise StoreConflict: on a deadlock, a serialisation failure or a unique key that exists; nothing was changed.
        @raise StoreRefused: if PostgreSQL refuses a statement or a value; nothing was changed.
        """
        return await self._pool.submit(partial(_transact, work), deadline.total_seconds(), urgent=urgent)

    @property
    def available_since(self) -> float | None:
        """Seconds of the clock since when a connection was open without interruption; None while there is none."""
        return self._pool.available_since

    def metrics(self) -> dict[str, int]:
        """Count open C{connections} and C{waiting} transactions."""
        return self._pool.metrics()


async def _transact(work: Work[T], connection: Connection) -> T:
    """Await the work in a transaction of this connection."""
    transaction = _Transaction(connection)
    try:
        result = await work(transaction)
    except Exception:
        await transaction.roll_back()
        raise
    await transaction.commit()
    return result


class _Transaction:
    """
    The cursor of one transaction.

    After an error it stays failed, even if the work swallows the error: PostgreSQL answers the COMMIT of a failed
    transaction with a ROLLBACK that looks like success, and if even BEGIN was not parsed, more statements would commit
    by themselves.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cursor = connection.new_cursor()
        self._begun = False
        self._unsent: list[bytes] = []
        self._error: StoreError | None = None

    def fetchall(self) -> list[tuple[Any, ...]]:
        """As L{Cursor} has it."""
        rows: list[tuple[Any, ...]] = self._fetched(self._cursor.fetchall)
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """As L{Cursor} has it."""
        row: tuple[Any, ...] | None = self._fetched(self._cursor.fetchone)
        return row

    @property
    def columns(self) -> tuple[str, ...]:
        """As L{Cursor} has it."""
        return tuple([column[0] for column in self._cursor.description or ()])

    @property
    def rowcount(self) -> int:
        """As L{Cursor} has it."""
        return int(self._cursor.rowcount)

    async def execute(self, statement: str, parameters: Mapping[str, object] | None = None) -> None:
        """As L{Cursor} has it."""
        with self._failing():
            statements = [] if self._begun else [b"BEGIN"]
            statements += [*self._unsent, self._cursor.mogrify(statement, parameters)]
            self._begun, self._unsent = True, []
            await self._connection.execute(self._cursor, b"; ".join(statements))

    def send(self, statement: str, parameters: Mapping[str, object] | None = None) -> None:
        """As L{Cursor} has it."""
        with self._failing():
            self._unsent.append(self._cursor.mogrify(statement, parameters))

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Translate errors and fail the transaction with them; a connection to a standby is closed at once."""
        if self._error is not None:
            raise self._error
        try:
            yield
        except Exception as error:
            self._error = translated(error)
            if self._error is None:
                raise
            if is_read_only(error):
                self._connection.abort(error)
            raise self._error from error

    def _fetched(self, fetch: Callable[[], T]) -> T:
        """Return rows that have arrived; they are lost with their connection."""
        try:
            return fetch()
        except psycopg2.InterfaceError as error:
            self._error = StoreUnavailable(str(error))
            raise self._error from error

    async def commit(self) -> None:
        """
        Commit, if anything was executed.

        A warning makes the outcome unknown: PostgreSQL warns when it no longer waits for a synchronous standby
        (C{syncrep.c}), and without the standby what it committed may be lost with it.

        @raise StoreError: what an earlier statement raised, or COMMIT itself; its outcome is unknown if that is
            L{StoreUnavailable}.
        """
        if self._error is not None:
            error = self._error
            await self.roll_back()
            raise error
        if self._begun or self._unsent:
            self._connection.take_warnings()
            try:
                await self.execute("COMMIT")
            except StoreError:
                await self.roll_back()
                raise
            if warnings := self._connection.take_warnings():
                raise StoreUnavailable(f"COMMIT came with a warning: {warnings[0].strip()}")

    async def roll_back(self) -> None:
        """Roll back, if there is a transaction; an error here costs the pool a connection."""
        self._unsent.clear()
        status = self._connection.transaction_status
        if status in (extensions.TRANSACTION_STATUS_INTRANS, extensions.TRANSACTION_STATUS_INERROR):
            self._error = None
            try:
                await self.execute("ROLLBACK")
            except StoreError:
                return
