"""L{Database}: transactions, deadlines, and how errors of PostgreSQL are mapped."""

from __future__ import annotations

from datetime import timedelta

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.defer import ensureDeferred as start
from twisted.internet.task import deferLater
from txpostgres import txpostgres

from tests.support.deadline import within
from tests.support.observing import log_lines, turns_of_the_reactor
from wifidogd.domain.errors import ConfigurationError, StoreConflict, StoreRefused, StoreUnavailable
from wifidogd.store.driver.database import Database


@pytest_twisted.async_yield_fixture
async def database(dsn):
    """A L{Database} with a table to play with, and two connections."""
    database = Database(clock=reactor, size=2)
    database.start(dsn)

    async def create(cursor):
        await cursor.execute("CREATE TABLE notes (number integer PRIMARY KEY, text text CHECK (text <> 'forbidden'))")

    await within(20, database.transaction(create))
    await within(10, has_connections(database, 2))
    yield database
    await within(10, database.stop())


async def has_connections(database, count):
    """Wait until so many connections are open."""
    while database.metrics()["connections"] != count:
        await deferLater(reactor, 0.02)


def statement(text, parameters=None):
    """Make work of one statement that returns its rows, or None."""

    async def work(cursor):
        await cursor.execute(text, parameters)
        return cursor.fetchall() if text.startswith(("SELECT", "SHOW")) else None

    return work


async def run(database, text, parameters=None):
    """Run one statement."""
    return await within(10, database.transaction(statement(text, parameters)))


async def numbers(database):
    """Return the committed numbers."""
    return [row[0] for row in await run(database, "SELECT number FROM notes ORDER BY number")]


async def has_numbers(database, expected):
    """Wait until these are committed."""
    while await numbers(database) != expected:
        await deferLater(reactor, 0.02)


@ensureDeferred
async def test_an_async_function_really_runs(database):
    """txpostgres' own runInteraction commits without awaiting it."""

    async def work(cursor):
        await cursor.execute("INSERT INTO notes VALUES (%(number)s, %(text)s)", {"number": 1, "text": "100%"})
        await deferLater(reactor, 0.01)
        await cursor.execute("SELECT text, number FROM notes WHERE text LIKE '%0%'")
        assert cursor.rowcount == 1
        return cursor.fetchone(), cursor.fetchone()

    assert await within(10, database.transaction(work)) == (("100%", 1), None)
    assert await numbers(database) == [1]


@pytest.mark.parametrize("first", ["INSERT INTO notes VALUES (0, '%')", None])
@ensureDeferred
async def test_what_is_sent_is_executed_before_the_next_statement_or_commit(database, first):
    """In order, with its parameters, and even if it is all there is."""

    async def work(cursor):
        if first is not None:
            await cursor.execute(first)
        cursor.send("INSERT INTO notes VALUES (%(number)s, %(text)s)", {"number": 1, "text": "100%; 'quoted'"})
        cursor.send("INSERT INTO notes SELECT number + 1, text FROM notes WHERE number = 1")
        if first is not None:
            await cursor.execute("SELECT count(*) FROM notes")
            assert cursor.fetchone() == (3,)
            cursor.send("DELETE FROM notes WHERE number = 0")

    await within(10, database.transaction(work))
    assert await run(database, "SELECT * FROM notes ORDER BY number") == [(1, "100%; 'quoted'"), (2, "100%; 'quoted'")]


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ("INSERT INTO notes VALUES (1, 'again')", StoreConflict),
        ("INSERT INTO notes VALUES (2, 'forbidden')", StoreRefused),
        ("INSERT INTO nowhere VALUES (2)", StoreRefused),
    ],
)
@ensureDeferred
async def test_what_goes_wrong_with_a_statement_that_was_sent_undoes_everything(database, sent, error):
    """Its error takes the place of the next result, or of COMMIT; the connection stays good."""
    await run(database, "INSERT INTO notes VALUES (1, 'first')")

    async def at_the_end(cursor):
        await cursor.execute("INSERT INTO notes VALUES (3, 'before')")
        cursor.send(sent)

    async def on_the_way(cursor):
        cursor.send(sent)
        await cursor.execute("INSERT INTO notes VALUES (4, 'after')")

    for work in (at_the_end, on_the_way):
        with pytest.raises(error):
            await within(10, database.transaction(work))
    assert await numbers(database) == [1]
    assert database.metrics() == {"connections": 2, "waiting": 0}


@ensureDeferred
async def test_what_was_sent_goes_nowhere_if_the_work_raises(database):
    """As if it had been executed and undone."""

    async def work(cursor):
        cursor.send("INSERT INTO notes VALUES (1, 'unsent')")
        raise LookupError("mine")

    with pytest.raises(LookupError):
        await within(10, database.transaction(work))
    assert await numbers(database) == []


@ensureDeferred
async def test_everything_is_undone_when_the_work_raises(database):
    """And the exception is the work's own."""
    mine = LookupError("mine")

    async def work(cursor):
        await cursor.execute("INSERT INTO notes VALUES (1, '')")
        raise mine

    with pytest.raises(LookupError) as caught:
        await within(10, database.transaction(work))
    assert caught.value is mine
    assert await numbers(database) == []


@pytest.mark.parametrize(
    ("text", "parameters", "error", "message"),
    [
        ("INSERT INTO notes VALUES (0, '')", None, StoreConflict, "duplicate key value violates unique"),
        ("INSERT INTO notes VALUES (1, 'forbidden')", None, StoreRefused, "violates check constraint"),
        ("INSERT INTO notes VALUES (1, %(text)s)", {"text": "a\x00b"}, StoreRefused, "NUL"),
        ("INSERT INTO notes VALUES (1, %(text)s)", {"text": "\udc80"}, StoreRefused, "surrogates"),
        ("INSERT INTO notes VALUES (%(number)s)", {"number": 2**40}, StoreRefused, "integer out of range"),
        ("INSERT INTO notes VALUES (%(number)s)", {"number": object()}, StoreRefused, "can't adapt"),
        ("SELEKT 1", None, StoreRefused, "syntax error"),
        ("SELECT nothing FROM nowhere", None, StoreRefused, 'relation "nowhere" does not exist'),
        ("COPY notes FROM STDIN", None, StoreRefused, "copy"),
        ("COPY notes TO STDOUT", None, StoreRefused, "copy"),
        ("SET LOCAL statement_timeout = 50; SELECT pg_sleep(9)", None, StoreUnavailable, "statement_timeout"),
        ("SET transaction_read_only = on; DELETE FROM notes", None, StoreUnavailable, "read-only transaction"),
        ("DO $$ BEGIN RAISE serialization_failure; END $$", None, StoreConflict, "serialization_failure"),
        ("DO $$ BEGIN RAISE 'no' USING ERRCODE = 'XX000'; END $$", None, StoreUnavailable, "no"),
        ("DO $$ BEGIN RAISE disk_full; END $$", None, StoreUnavailable, "disk_full"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", None, StoreUnavailable, ""),
    ],
)
@ensureDeferred
async def test_errors_say_what_happened(database, text, parameters, error, message):
    """In one line; nothing was changed, and the database can still be used."""
    await run(database, "INSERT INTO notes VALUES (0, '')")
    with pytest.raises(error, match=f"(?i){message}") as caught:
        await run(database, text, parameters)
    assert "\n" not in str(caught.value)
    for _ in range(4):
        assert await numbers(database) == [0]


@ensureDeferred
async def test_a_mistake_of_ours_passes_unchanged(database):
    """A parameter that is missing is not the database's fault."""
    with pytest.raises(KeyError):
        await run(database, "SELECT %(missing)s", {})
    assert await numbers(database) == []


@ensureDeferred
async def test_a_deadlock_is_a_conflict_for_one_of_two(database):
    """Two transactions want two rows in opposite order; the other one commits."""
    await run(database, "INSERT INTO notes VALUES (1, ''), (2, '')")
    both = Deferred()
    ready = []

    async def lock(first, second, cursor):
        await cursor.execute("UPDATE notes SET text = 'x' WHERE number = %(number)s", {"number": first})
        ready.append(first)
        if len(ready) == 2:
            both.callback(None)
        if not both.called:
            await both
        await cursor.execute("UPDATE notes SET text = 'x' WHERE number = %(number)s", {"number": second})

    async def outcome(first, second):
        try:
            await database.transaction(lambda cursor: lock(first, second, cursor))
        except StoreConflict as error:
            return str(error)
        return "committed"

    outcomes = await within(15, gatherResults([start(outcome(1, 2)), start(outcome(2, 1))]))
    assert sorted(outcomes) == ["committed", "deadlock detected"]


@ensureDeferred
async def test_an_error_that_the_work_swallows_still_fails_the_transaction(database):
    """COMMIT after an error is a ROLLBACK that looks like success."""

    async def work(cursor):
        await cursor.execute("INSERT INTO notes VALUES (1, '')")
        with pytest.raises(StoreConflict):
            await cursor.execute("INSERT INTO notes VALUES (1, '')")
        return "done"

    with pytest.raises(StoreConflict):
        await within(10, database.transaction(work))
    assert await numbers(database) == []


@ensureDeferred
async def test_nothing_commits_by_itself_after_an_error_that_came_before_begin(database):
    """A first statement that cannot be parsed takes BEGIN with it."""

    async def work(cursor):
        with pytest.raises(StoreRefused):
            await cursor.execute("SELEKT 1")
        await cursor.execute("INSERT INTO notes VALUES (1, '')")

    with pytest.raises(StoreRefused):
        await within(10, database.transaction(work))
    assert await numbers(database) == []


@ensureDeferred
async def test_work_without_a_statement_costs_no_transaction(database):
    """Its result is passed on."""

    async def work(cursor):
        return 7

    assert await within(5, database.transaction(work)) == 7


@ensureDeferred
async def test_a_caller_who_goes_does_not_disturb_the_work(database, monkeypatch):
    """Klein cancels when the browser hangs up; the work commits, its connection serves again, no PQcancel."""
    monkeypatch.setattr(txpostgres.Connection, "_cancel", lambda *ignored: pytest.fail("PQcancel"))
    pids = set()

    async def work(cursor):
        await cursor.execute("SELECT pg_backend_pid(), pg_sleep(0.3)")
        pids.add(cursor.fetchone()[0])
        await cursor.execute("INSERT INTO notes VALUES (1, '')")

    running = start(database.transaction(work))
    await deferLater(reactor, 0.1)
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await within(10, has_numbers(database, [1]))
    seen = await within(
        5, gatherResults([start(run(database, "SELECT pg_backend_pid(), pg_sleep(0.2)")) for _ in "ab"])
    )
    assert pids < {rows[0][0] for rows in seen}


async def has_lines(lines, count):
    """Wait until so many are logged."""
    while len(lines) < count:
        await deferLater(reactor, 0.02)


@ensureDeferred
async def test_an_unexpected_error_after_the_caller_has_gone_is_logged(database):
    """Nobody else would hear of it."""

    async def work(cursor):
        await cursor.execute("SELECT pg_sleep(0.1)")
        raise LookupError("unheard")

    with log_lines("wifidogd.store") as lines:
        running = start(database.transaction(work))
        running.cancel()
        with pytest.raises(CancelledError):
            await running
        await within(10, has_lines(lines, 1))
    assert [str(line["log_failure"].value) for line in lines] == ["unheard"]


@ensureDeferred
async def test_a_commit_that_is_not_confirmed_is_unknown_and_not_tried_again(database):
    """The backend ends at COMMIT, in a deferred trigger."""
    await run(
        database,
        """
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER die AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION die();
        """,
    )
    times = []

    async def work(cursor):
        times.append(1)
        await cursor.execute("INSERT INTO notes VALUES (1, '')")

    with pytest.raises(StoreUnavailable):
        await within(10, database.transaction(work))
    assert times == [1]
    assert await numbers(database) == []


@pytest.mark.parametrize("fetch", ["fetchall", "fetchone"])
@ensureDeferred
async def test_rows_of_a_connection_that_was_lost_meanwhile_cannot_be_had(database, fetch):
    """Between a statement's end and the work's next step the connection may go: psycopg2 says its cursor is closed."""

    async def work(cursor):
        await cursor.execute("SELECT pg_backend_pid() FROM generate_series(1, 3)")
        await run(database, f"SELECT pg_terminate_backend({cursor.fetchone()[0]})")
        await deferLater(reactor, 0.5)
        return getattr(cursor, fetch)()

    with pytest.raises(StoreUnavailable):
        await within(10, database.transaction(work))
    assert await run(database, "SELECT 1") == [(1,)]


@ensureDeferred
async def test_the_deadline_ends_a_statement_and_its_connection(database):
    """The caller hears at the deadline; another connection follows, and the server stops working for the lost one."""
    with turns_of_the_reactor() as turns, pytest.raises(StoreUnavailable, match="deadline"):
        await within(8, database.transaction(statement("SELECT pg_sleep(20)"), deadline=timedelta(seconds=0.3)))
    assert turns.longest < 5
    await within(10, has_connections(database, 2))
    assert database.metrics()["waiting"] == 0
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid()"
    for _ in range(50):
        if await run(database, running) == [(0,)]:
            return
        await deferLater(reactor, 0.1)
    pytest.fail("the server still works for a client that has gone")


@pytest.mark.parametrize("seconds", [0, -1])
@ensureDeferred
async def test_no_time_left_is_no_reason_to_lose_a_connection(database, seconds):
    """Whoever has spent the deadline already is told at once."""
    with pytest.raises(StoreUnavailable, match="no time"):
        await within(5, database.transaction(statement("SELECT 1"), deadline=timedelta(seconds=seconds)))
    assert database.metrics() == {"connections": 2, "waiting": 0}


@ensureDeferred
async def test_a_large_first_result_does_not_block(database):
    """BEGIN and the first rows arrive long before the last ones: the reactor must not wait for those."""
    slow_rows = """
        SELECT repeat('x', 1000), CASE WHEN n = 500 THEN pg_sleep(3)::text END FROM generate_series(1, 1000) AS n
    """
    with turns_of_the_reactor() as turns:
        rows = await run(database, slow_rows.strip())
    assert len(rows) == 1000
    assert turns.longest < 1.5


@ensureDeferred
async def test_instants_come_back_in_utc(database):
    """Whatever the server's own time zone is."""
    rows = await run(database, "SELECT '2026-11-22 12:00+02'::timestamptz")
    assert rows[0][0].isoformat() == "2026-11-22T10:00:00+00:00"


@ensureDeferred
async def test_it_knows_since_when_it_is_available(dsn):
    """From the first connection to stop."""
    database = Database(clock=reactor, size=2)
    assert database.available_since is None
    before = reactor.seconds()
    database.start(dsn)
    assert database.available_since is None
    await run(database, "SELECT 1")
    assert before <= database.available_since <= reactor.seconds()
    assert database.metrics()["waiting"] == 0
    await within(10, database.stop())
    assert database.available_since is None
    assert database.metrics() == {"connections": 0, "waiting": 0}


@ensureDeferred
async def test_stopping_fails_what_is_under_way_and_leaves_nothing_behind(dsn):
    """Running, waiting and new transactions, and no delayed call."""
    before = set(reactor.getDelayedCalls())
    database = Database(clock=reactor, size=2)
    database.start(dsn)
    await run(database, "SELECT 1")
    never = Deferred()

    async def wait_for_something_else(cursor):
        await never

    works = [wait_for_something_else, statement("SELECT pg_sleep(20)"), statement("SELECT 1"), statement("SELECT 2")]
    pending = [start(database.transaction(work)) for work in works]
    await deferLater(reactor, 0.1)
    await within(5, database.stop())
    for each in [*pending, start(database.transaction(statement("SELECT 1")))]:
        with pytest.raises(StoreUnavailable):
            await within(5, each)
    never.callback(None)
    assert {call for call in reactor.getDelayedCalls() if call not in before} == set()


@ensureDeferred
async def test_a_database_that_was_not_started_says_so():
    """Rather than let somebody wait."""
    with pytest.raises(StoreUnavailable, match="started"):
        await within(5, Database(clock=reactor).transaction(statement("SELECT 1")))


def test_an_unreadable_dsn_is_the_operators_matter():
    """It is not tried for ever."""
    with pytest.raises(ConfigurationError, match="write it like"):
        Database(clock=reactor).start("=")
