"""A PostgreSQL that is stopped, restarted, killed and frozen under a running L{Database}."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg2
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import DeferredList
from twisted.internet.defer import ensureDeferred as start
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.support.deadline import within
from tests.support.observing import descriptors, log_lines, turns_of_the_reactor
from tests.support.postgres import ThrowawayPostgres
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.store.driver.database import Database

DEADLINE = 1.0


@pytest.fixture(scope="module")
def victim():
    """A PostgreSQL to be hurt; not running."""
    server = ThrowawayPostgres()
    yield server
    server.remove()


@pytest.fixture
def running(victim):
    """The same, running with an empty table when the test begins; put out of its misery afterwards."""
    victim.start()
    direct(victim, "DROP TABLE IF EXISTS notes; CREATE TABLE notes (number serial PRIMARY KEY)")
    yield victim
    victim.stop()


def direct(server, statement):
    """Run a statement on a connection of its own; return the rows, if any."""
    connection = psycopg2.connect(server.dsn)
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@asynccontextmanager
async def opened(server) -> AsyncIterator[Database]:
    """A started L{Database}."""
    database = Database(clock=reactor, size=3)
    database.start(server.dsn)
    try:
        yield database
    finally:
        await within(10, database.stop())


async def write(cursor):
    """Add a row."""
    await cursor.execute("INSERT INTO notes DEFAULT VALUES RETURNING number")
    return cursor.fetchone()[0]


async def recovered(database, connections=1, seconds=15.0):
    """Wait until all connections are open again and a transaction succeeds; return the seconds that took."""
    since = reactor.seconds()
    while True:
        try:
            await within(10, database.transaction(write))
            if database.metrics()["connections"] >= connections:
                return reactor.seconds() - since
        except StoreUnavailable:
            assert reactor.seconds() - since < seconds, "it does not come back"
        await deferLater(reactor, 0.05)


class Load:
    """
    Writes all the time.

    @ivar acknowledged: numbers of rows whose commit was confirmed.
    @ivar refused: how often L{StoreUnavailable} came.
    @ivar longest: seconds the slowest transaction took, either way.
    """

    def __init__(self, database, workers=6):
        self.acknowledged, self.refused, self.longest = [], 0, 0.0
        self._database, self._stopping = database, False
        self._workers = DeferredList([start(self._work()) for _ in range(workers)], fireOnOneErrback=True)

    async def _work(self):
        while not self._stopping:
            since = reactor.seconds()
            try:
                number = await self._database.transaction(write, deadline=timedelta(seconds=DEADLINE))
                self.acknowledged.append(number)
            except StoreUnavailable:
                self.refused += 1
            self.longest = max(self.longest, reactor.seconds() - since)
            await deferLater(reactor, 0.01)

    async def stop(self):
        """Stop all workers, and wait for them."""
        self._stopping = True
        await within(10, self._workers)


@ensureDeferred
async def test_stopped_at_start_then_started(victim):
    """It starts without PostgreSQL, refuses at once after a while, and works soon after PostgreSQL does."""
    with log_lines("wifidogd.store") as lines:
        async with opened(victim) as database:
            await deferLater(reactor, 2.5)
            since = reactor.seconds()
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                await within(5, database.transaction(write))
            assert reactor.seconds() - since < 2.5
            assert database.available_since is None
            assert [(line["open"], "\n" in line["reason"]) for line in lines] == [(0, False)]
            await deferToThread(victim.start)
            direct(victim, "CREATE TABLE IF NOT EXISTS notes (number serial PRIMARY KEY)")
            assert await recovered(database, connections=3) < 10
            assert database.available_since is not None
    victim.stop()


@ensureDeferred
async def test_restarted_under_load(running):
    """Nothing acknowledged is lost, nothing blocks, and the old instant of availability is forgotten."""
    async with opened(running) as database:
        await recovered(database)
        before = database.available_since
        with turns_of_the_reactor() as turns, log_lines("wifidogd.store") as lines:
            load = Load(database)
            await deferLater(reactor, 0.5)
            await deferToThread(running.stop)
            await deferLater(reactor, 2)
            await deferToThread(running.start)
            await recovered(database, connections=3)
            await load.stop()
        assert load.refused
        assert load.longest < DEADLINE * 2.5
        assert database.available_since > before
        assert {row[0] for row in direct(running, "SELECT number FROM notes")} >= set(load.acknowledged)
        assert turns.longest < 2
        assert not [line for line in lines if "log_failure" in line]
        assert len(lines) <= 3


@ensureDeferred
async def test_all_backends_terminated_ten_times(running):
    """It comes back each time, with as many connections and as many descriptors as before."""
    async with opened(running) as database:
        await recovered(database, connections=3)
        before = descriptors()
        load = Load(database, workers=3)
        for _ in range(10):
            direct(running, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            await deferLater(reactor, 0.1)
            await recovered(database)
        await load.stop()
        await recovered(database, connections=3)
        assert descriptors() == before
        assert {row[0] for row in direct(running, "SELECT number FROM notes")} >= set(load.acknowledged)


@ensureDeferred
async def test_killed_without_warning(running):
    """kill -9 of everything: no acknowledged row is lost."""
    async with opened(running) as database:
        await recovered(database)
        load = Load(database)
        await deferLater(reactor, 0.5)
        running.kill()
        await deferLater(reactor, 1.5)
        await deferToThread(running.start)
        await recovered(database, connections=3)
        await load.stop()
        assert load.refused
        assert load.acknowledged
        assert load.longest < DEADLINE * 2.5
        assert {row[0] for row in direct(running, "SELECT number FROM notes")} >= set(load.acknowledged)


@ensureDeferred
async def test_frozen_for_longer_than_the_deadline(running):
    """SIGSTOP: every transaction ends at its deadline and the reactor goes on; PQcancel would wait for the thaw."""
    frozen = 6.0
    async with opened(running) as database:
        await recovered(database)
        with turns_of_the_reactor() as turns:
            load = Load(database)
            await deferLater(reactor, 0.3)
            running.freeze()
            try:
                await deferLater(reactor, frozen)
            finally:
                running.thaw()
            await recovered(database, connections=3)
            await load.stop()
        assert load.refused
        assert load.longest < DEADLINE * 2.5
        assert turns.longest < frozen / 2
        assert {row[0] for row in direct(running, "SELECT number FROM notes")} >= set(load.acknowledged)


@ensureDeferred
async def test_a_burst_while_it_is_frozen_is_bounded(running):
    """Thousands ask; each hears by its deadline, most at once."""
    async with opened(running) as database:
        await recovered(database, connections=3)
        running.freeze()
        try:
            since = reactor.seconds()
            burst = [start(database.transaction(write, deadline=timedelta(seconds=DEADLINE))) for _ in range(5000)]
            assert database.metrics()["waiting"] == 200
            results = await within(10, DeferredList(burst, consumeErrors=True))
            assert reactor.seconds() - since < DEADLINE * 4
        finally:
            running.thaw()
        assert all(not fine and result.check(StoreUnavailable) for fine, result in results)
        assert database.metrics()["waiting"] == 0
        await recovered(database, connections=3)
