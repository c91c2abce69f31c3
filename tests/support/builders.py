"""What tests of several components store first: gateways, and sessions at given instants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from typing import Any, TypeVar

from twisted.internet.defer import ensureDeferred, gatherResults

from tests.support.deadline import within
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import Octets, Session
from wifidogd.store.access.guest_sessions import open_session
from wifidogd.store.accounting.sessions import lock_sessions, save_sessions
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.gateways import adopt

T = TypeVar("T")

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)

LOBBY = Gateway("lobby", "default", "192.168.1.1")


def token_hash(number: int) -> bytes:
    """Return the hash of an unknown token; hashes sort by their numbers."""
    return number.to_bytes(32, "big")


def mac(number: int) -> str:
    """Return the MAC of a device."""
    digits = f"{number:012x}"
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


async def run(database: Database, work: Callable[..., Any], *parameters: Any, **named: Any) -> Any:
    """Run one function of the store in a transaction of its own; one that only sends statements returns nothing."""

    async def await_it(cursor: Cursor) -> Any:
        outcome = work(cursor, *parameters, **named)
        return await outcome if isawaitable(outcome) else outcome

    return await within(20, database.transaction(await_it))


class Recording:
    """
    A database that keeps what is executed.

    @ivar statements: in order.
    @ivar before: called with each statement before it is sent; a coroutine function.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.statements: list[str] = []
        self.before: Callable[[str], Awaitable[None]] | None = None

    async def transaction(self, work: Callable[[Cursor], Awaitable[T]], **options: Any) -> T:
        """As L{Database.transaction}."""
        return await self._database.transaction(lambda cursor: work(_Listener(cursor, self)), **options)


class _Listener:
    """A cursor whose statements are recorded."""

    def __init__(self, cursor: Cursor, recording: Recording) -> None:
        self._cursor = cursor
        self._recording = recording

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    async def execute(self, statement: str, parameters: Mapping[str, object] | None = None) -> None:
        """As L{Cursor.execute}."""
        if self._recording.before is not None:
            await self._recording.before(statement)
        self._recording.statements.append(statement)
        await self._cursor.execute(statement, parameters)

    def send(self, statement: str, parameters: Mapping[str, object] | None = None) -> None:
        """As L{Cursor.send}."""
        self._recording.statements.append(statement)
        self._cursor.send(statement, parameters)


async def together(*works: Coroutine[Any, Any, T]) -> list[T]:
    """Run several coroutines at the same time; return their results in order."""
    return await within(30, gatherResults([ensureDeferred(work) for work in works], consumeErrors=True))


async def rows(database: Database, query: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, without the functions of the store."""

    async def fetch(cursor: Cursor) -> list[tuple[Any, ...]]:
        await cursor.execute(query, parameters)
        return cursor.fetchall()

    return await run(database, fetch)


async def put(database: Database, statement: str, parameters: Mapping[str, object] | None = None) -> None:
    """Run a statement that returns no rows, without the functions of the store."""
    await run(database, lambda cursor: cursor.execute(statement, parameters))


async def adopt_all(database: Database, *gateways: Gateway) -> None:
    """Adopt gateways at noon."""
    for gateway in gateways:
        await run(database, adopt, gateway, NOON)


async def open_pending(database: Database, number: int, *, gw_id: str = "lobby", at: datetime = NOON) -> None:
    """Open a session that no gateway has asked about."""
    limits = {"time_limit": None, "quota_octets": None}
    await run(database, open_session, token_hash(number), gw_id=gw_id, account_id=None, url=None, now=at, **limits)


async def open_online(
    database: Database,
    number: int,
    *,
    gw_id: str = "lobby",
    at: datetime = NOON,
    reported: datetime | None = None,
    expires: datetime | None = None,
    octets: Octets = Octets(),
) -> Session:
    """
    Let the device of the same number come online at an instant.

    @param reported: the last report; None for that of the login.
    """
    await open_pending(database, number, gw_id=gw_id, at=at)
    session = Session(
        token_hash(number),
        gw_id,
        opened_at=at,
        mac=mac(number),
        ip="10.0.0.2",
        activated_at=at,
        reported_at=reported or at,
        used=octets,
        last=octets,
        expires_at=expires,
    )
    await run(database, save, [session])
    return session


async def save(cursor: Cursor, sessions: Sequence[Session]) -> None:
    """Lock sessions and write them."""
    await lock_sessions(cursor, [session.token_hash for session in sessions])
    save_sessions(cursor, sessions)


async def history(database: Database) -> list[tuple[Any, ...]]:
    """Return device, end, reason and octets of each past session, in the order of the tokens."""
    return await rows(
        database, "SELECT mac, ended_at, reason, incoming, outgoing FROM past_sessions ORDER BY session_id, ended_at"
    )
