"""A DSN of several hosts, and a server that takes no writes any more."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.support.deadline import within
from tests.support.observing import log_lines
from tests.support.peers import HangsUp, StaysSilent, listening
from tests.support.postgres import ThrowawayPostgres
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.store.driver.database import Database


@asynccontextmanager
async def opened(dsn, size=2):
    """A started L{Database}."""
    database = Database(clock=reactor, size=size)
    database.start(dsn)
    yield database
    await within(5, database.stop())


def beside(peer, dsn):
    """Return a DSN that lists a peer without a database first, then the real server."""
    there = parse_dsn(dsn)
    return f"host=127.0.0.1,{there['host']} port={peer.port},{there['port']} user={there['user']} dbname=postgres"


async def write(cursor):
    """Work that no standby does."""
    await cursor.execute("CREATE TABLE IF NOT EXISTS notes ()")
    await cursor.execute("INSERT INTO notes DEFAULT VALUES")


@pytest.mark.parametrize("protocol", [HangsUp, StaysSilent])
@ensureDeferred
async def test_the_next_host_is_tried_within_the_deadline(dsn, protocol):
    """libpq alone would wait for a silent one until we give up, and then begin with it again."""
    async with listening(protocol) as peer, opened(beside(peer, dsn)) as database:
        await within(20, database.transaction(write, deadline=timedelta(seconds=10)))
        assert peer.calls >= 1


@ensureDeferred
async def test_one_line_says_what_is_wrong_with_each_host():
    """And there is a pause between two rounds."""
    async with listening(HangsUp) as first, listening(HangsUp) as second:
        with log_lines("wifidogd.store") as lines:
            async with opened(f"host=127.0.0.1,127.0.0.1 port={first.port},{second.port} dbname=postgres", size=1):
                await deferLater(reactor, 1)
                while second.calls < 2:
                    await within(10, deferLater(reactor, 0.02))
        assert 2 <= second.calls <= first.calls <= 40
    assert len(lines) == 1
    assert str(first.port) in lines[0]["reason"]
    assert str(second.port) in lines[0]["reason"]


@pytest.fixture(scope="module")
def moody():
    """A PostgreSQL whose settings tests change."""
    server = ThrowawayPostgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def changing(moody):
    """Change a setting for the length of a test, for those who are connected, too."""

    def change(setting):
        connection = psycopg2.connect(moody.dsn, options="-c default_transaction_read_only=off")
        connection.autocommit = True
        for statement in (f"ALTER SYSTEM {setting}", "SELECT pg_reload_conf()"):
            connection.cursor().execute(statement)
        connection.close()

    yield change
    change("RESET ALL")


@ensureDeferred
async def test_a_server_that_takes_no_writes_any_more_is_left_and_looked_for_again(moody, changing):
    """A primary that was demoted behind an address that stays, or whose disk is full at a managed service."""
    async with opened(moody.dsn, size=1) as database:
        await within(10, database.transaction(write))
        await deferToThread(changing, "SET default_transaction_read_only = on")
        with log_lines("wifidogd.store") as lines:
            await within(20, failing(database, "read-only transaction"))
            assert database.available_since is None
            await within(20, failing(database, "no connection was free"))
        assert "read-only" in lines[0]["reason"]
        await deferToThread(changing, "RESET default_transaction_read_only")
        await within(20, succeeding(database))


@ensureDeferred
async def test_a_commit_whose_wait_for_the_standby_was_cut_is_not_acknowledged(moody, changing):
    """PostgreSQL calls it a success, with a warning: it is on one disk only."""
    async with opened(moody.dsn, size=1) as database:
        await within(10, database.transaction(write))
        before = await within(10, database.transaction(count))
        await deferToThread(changing, "SET synchronous_standby_names = 'nobody'")
        cutting = deferToThread(cut_the_wait, moody)
        acknowledged = 0
        with pytest.raises(StoreUnavailable, match="warning"):
            while True:
                await within(30, database.transaction(write, deadline=timedelta(seconds=60)))
                acknowledged += 1
        await within(30, cutting)
        assert await within(10, database.transaction(count)) == before + acknowledged + 1


async def count(cursor):
    """See what was written."""
    await cursor.execute("SELECT count(*) FROM notes")
    return cursor.fetchone()[0]


def cut_the_wait(server):
    """Cancel the first wait for a standby."""
    connection = psycopg2.connect(server.dsn)
    connection.autocommit = True
    cursor = connection.cursor()
    cancelled = 0
    while not cancelled:
        cursor.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        cancelled = cursor.rowcount
    connection.close()


async def failing(database, message):
    """Write until it fails for this reason."""
    while True:
        try:
            await database.transaction(write, deadline=timedelta(seconds=0.3))
        except StoreUnavailable as problem:
            if message in str(problem):
                return
        await deferLater(reactor, 0.05)


async def succeeding(database):
    """Write until it works."""
    while True:
        try:
            return await database.transaction(write)
        except StoreUnavailable:
            await deferLater(reactor, 0.05)
