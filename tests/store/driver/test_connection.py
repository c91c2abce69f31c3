"""One connection: what it is opened with, and that it closes in any state without a trace."""

from __future__ import annotations

import pytest
from psycopg2 import extensions
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.error import ConnectionLost
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.support.deadline import within
from tests.support.observing import descriptors, turns_of_the_reactor, watched
from tests.support.peers import FeignsTls, Forwards, HangsUp, LogsIn, StaysSilent, TalksGarbage, listening
from wifidogd.store.driver.connection import Connection
from wifidogd.store.driver.dsn import LIMITS, session_parameters


class Losses(list):
    """Notes what a connection reports at its end."""

    def __call__(self, connection, reason):
        self.append(str(reason))


async def opened(dsn, lost=None):
    """Open a connection to a real server."""
    connection = Connection(reactor, Losses() if lost is None else lost)
    await within(10, connection.open(session_parameters(dsn), 5.0))
    return connection


async def one(connection, statement, parameters=None):
    """Execute a statement; the first column of its first row."""
    cursor = connection.new_cursor()
    await within(10, connection.execute(cursor, statement, parameters))
    return cursor.fetchone()[0]


@pytest.mark.parametrize("name", LIMITS)
@ensureDeferred
async def test_sessions_carry_our_limits(dsn, name):
    """Work whose client has gone ends; the server knows all the names."""
    connection = await opened(dsn)
    assert await one(connection, "SELECT current_setting(%(name)s)", {"name": name}) == LIMITS[name]
    connection.abort(Exception("done"))


@ensureDeferred
async def test_a_limit_of_the_dsn_wins(dsn):
    """As the server sees it."""
    connection = await opened(f"{dsn} options='-c statement_timeout=77s'")
    assert await one(connection, "SELECT current_setting('statement_timeout')") == "77s"
    connection.abort(Exception("done"))


@ensureDeferred
async def test_bytea_comes_as_bytes(dsn):
    """Alone and in arrays, NULL included."""
    connection = await opened(dsn)
    value = await one(connection, "SELECT ARRAY[%(raw)s, NULL, ''::bytea]", {"raw": b"\x00\xff'\\"})
    assert value == [b"\x00\xff'\\", None, b""]
    assert await one(connection, "SELECT NULL::bytea") is None
    connection.abort(Exception("done"))


@ensureDeferred
async def test_a_long_statement_is_sent_in_pieces(dsn):
    """Megabytes do not fit the socket's buffer: the reactor has to say when there is room."""
    connection = await opened(dsn)
    assert await one(connection, "SELECT length(%(text)s)", {"text": "x" * 8_000_000}) == 8_000_000
    assert connection.is_idle
    connection.abort(Exception("done"))


@ensureDeferred
async def test_closing_in_the_middle_of_a_statement_fails_it_at_once(dsn):
    """Without PQcancel, which blocks, and without leaving anything in the reactor."""
    before, watched_before = descriptors(), watched()
    lost = Losses()
    connection = await opened(dsn, lost)
    with turns_of_the_reactor() as turns:
        running = connection.execute(connection.new_cursor(), "SELECT pg_sleep(20)", None)
        await deferLater(reactor, 0.1)
        connection.abort(TimeoutError("too late"))
        with pytest.raises(TimeoutError, match="too late"):
            await within(5, running)
    assert lost == ["too late"]
    assert turns.longest < 5
    assert (descriptors(), watched()) == (before, watched_before)
    assert connection.transaction_status == extensions.TRANSACTION_STATUS_UNKNOWN


@ensureDeferred
async def test_closing_twice_is_closing_once(dsn):
    """The second reason is not reported."""
    lost = Losses()
    connection = await opened(dsn, lost)
    connection.abort(Exception("first"))
    connection.abort(Exception("second"))
    assert lost == ["first"]
    assert not connection.is_idle
    assert connection.fileno() == -1


@ensureDeferred
async def test_an_event_that_comes_after_the_end_hurts_nobody(dsn):
    """The reactor may call doWrite right after a doRead that ended it; the number may be another's by then."""
    connection = await opened(dsn)
    number = connection.fileno()
    connection.abort(Exception("done"))
    successors = [await opened(dsn) for _ in "ab"]
    assert number in [successor.fileno() for successor in successors]
    connection.doRead()
    connection.doWrite()
    assert {*successors} <= watched()
    for successor in successors:
        assert await one(successor, "SELECT 1") == 1
        successor.abort(Exception("done"))


@ensureDeferred
async def test_an_idle_connection_notices_that_the_server_ended_it(dsn):
    """It says why, closes its descriptor itself and logs nothing."""
    before, watched_before = descriptors(), watched()
    lost = Losses()
    victim, killer = await opened(dsn, lost), await opened(dsn)
    pid = await one(victim, "SELECT pg_backend_pid()")
    await one(killer, "SELECT pg_terminate_backend(%(pid)s)", {"pid": pid})
    for _ in range(200):
        if lost:
            break
        await deferLater(reactor, 0.02)
    killer.abort(Exception("done"))
    assert [line.partition("\n")[0] for line in lost] == ["server closed the connection unexpectedly"]
    assert (descriptors(), watched()) == (before, watched_before)


@pytest.mark.parametrize("protocol", [HangsUp, StaysSilent, TalksGarbage, FeignsTls])
@ensureDeferred
async def test_a_peer_that_is_no_postgresql_costs_one_attempt(protocol):
    """Whatever it does, opening ends within its deadline, and nothing stays behind."""
    async with listening(protocol) as peer:
        before, watched_before = descriptors(), watched()
        lost = Losses()
        connection = Connection(reactor, lost)
        with turns_of_the_reactor() as turns:
            with pytest.raises(Exception) as caught:
                await within(10, connection.open(session_parameters(peer.dsn), 1.0))
            connection.abort(caught.value)
        assert len(lost) == 1
        assert turns.longest < 5
        for _ in range(100):
            if watched() == watched_before:
                break
            await deferLater(reactor, 0.02)
        assert (descriptors(), watched()) == (before, watched_before)


@ensureDeferred
async def test_a_hang_up_that_the_reactor_sees_first_fails_the_statement(dsn):
    """As an OSError, like every loss that psycopg2 has no word for."""
    connection = await opened(dsn)
    running = connection.execute(connection.new_cursor(), "SELECT pg_sleep(20)", None)
    connection.connectionLost(Failure(ConnectionLost()))
    with pytest.raises(ConnectionResetError, match="hung up"):
        await within(5, running)


@ensureDeferred
async def test_closing_in_the_middle_of_a_login_ends_it():
    """The server said nothing yet."""
    async with listening(StaysSilent) as peer:
        lost = Losses()
        connection = Connection(reactor, lost)
        opening = within(10, connection.open(session_parameters(peer.dsn), 5.0))
        reactor.callLater(0.1, connection.abort, ConnectionAbortedError("stopping"))
        with pytest.raises(ConnectionAbortedError, match="stopping"):
            await opening
        assert lost == ["stopping"]


@ensureDeferred
async def test_a_statement_to_a_peer_that_went_silent_is_given_up():
    """The limit set by the pool closes the connection under the statement."""
    async with listening(LogsIn) as peer:
        connection = await opened(peer.dsn)
        connection.abort_after(0.2, TimeoutError("PostgreSQL does not answer"))
        with pytest.raises(TimeoutError, match="does not answer"):
            await within(5, connection.execute(connection.new_cursor(), "SELECT 1", None))


@ensureDeferred
async def test_a_spared_connection_lives_on(dsn):
    """The limit is taken back."""
    connection = await opened(dsn)
    connection.abort_after(0.05, TimeoutError("never"))
    connection.spare()
    await deferLater(reactor, 0.2)
    assert await one(connection, "SELECT 1") == 1
    connection.abort(Exception("done"))


@ensureDeferred
async def test_the_next_address_is_tried(postgres, dsn):
    """libpq changes sockets under way; the reactor must follow and forget the first."""

    class ToTheServer(Forwards):
        socket = f"{postgres.dsn.split()[0].removeprefix('host=')}/.s.PGSQL.5432"

    watched_before = watched()
    async with listening(ToTheServer) as peer:
        database = dsn.partition("dbname=")[2]
        connection = Connection(reactor, Losses())
        hosts = f"host=a,b hostaddr=127.0.0.2,127.0.0.1 port={peer.port} user=tester dbname={database}"
        await within(10, connection.open(session_parameters(hosts), 5.0))
        assert await one(connection, "SELECT repeat('x', 100000)") == "x" * 100_000
        connection.abort(Exception("done"))
    for _ in range(250):
        if watched() == watched_before:
            break
        await deferLater(reactor, 0.02)
    assert watched() == watched_before
