"""The schema comes up to date by itself: once, in order, all or nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg2
import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor

from tests.support.builders import put, rows, together
from tests.support.deadline import within
from wifidogd.domain.errors import ConfigurationError, StoreRefused
from wifidogd.store.driver.database import Database
from wifidogd.store.migrations import LOCK, SCHEMA, migrate, released

UNCOMMENTED = """
    SELECT relname, attname
      FROM pg_class
      JOIN pg_attribute ON attrelid = pg_class.oid
     WHERE relnamespace = 'public'::regnamespace
       AND relkind IN ('r', 'p', 'v')
       AND NOT attisdropped
       AND (col_description(pg_class.oid, attnum) IS NULL AND attnum > 0
            OR obj_description(pg_class.oid, 'pg_class') IS NULL)
"""

TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname"

APPLIED = "SELECT number, name FROM schema_versions ORDER BY number"


@async_yield_fixture
async def empty(dsn: str) -> AsyncIterator[Database]:
    """A started L{Database} without any schema."""
    database = Database(clock=reactor)
    database.start(dsn)
    yield database
    await within(10, database.stop())


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    """Three small schema files; the numbers of the last two sort differently as text."""
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE guests (name text); INSERT INTO guests VALUES ('100 %')")
    (tmp_path / "9_second.sql").write_text("ALTER TABLE guests ADD COLUMN room integer")
    (tmp_path / "10_third.sql").write_text("UPDATE guests SET room = 10")
    return tmp_path


def test_released_files_are_numbered_without_gaps() -> None:
    """A number that two files share, or that is missing, would be applied on some databases only."""
    assert [number for number, _ in released()] == list(range(1, len(released()) + 1))
    assert all(name.startswith(f"{number:04d}_") for number, name in released())


@ensureDeferred
async def test_every_table_and_column_says_what_it_is(database: Database) -> None:
    """What C{psql}'s C{\\d+} shows to who repairs a database at night."""
    assert await rows(database, UNCOMMENTED) == []


@ensureDeferred
async def test_files_are_applied_once_and_in_order(empty: Database, schema: Path) -> None:
    """The second start finds nothing to do; the next release adds only its own."""
    (schema / "README").write_text("not a schema file")
    for _ in range(2):
        await within(20, migrate(empty, schema))
        assert await rows(empty, APPLIED) == [(1, "0001_first.sql"), (9, "9_second.sql"), (10, "10_third.sql")]
        assert await rows(empty, "SELECT name, room FROM guests") == [("100 %", 10)]
    (schema / "11_fourth.sql").write_text("UPDATE guests SET room = room + 1")
    await within(20, migrate(empty, schema))
    assert await rows(empty, "SELECT room FROM guests") == [(11,)]


@ensureDeferred
async def test_two_servers_may_start_at_the_same_time(dsn: str) -> None:
    """One applies the schema, the other waits for it; neither fails."""
    servers = [Database(clock=reactor) for _ in range(2)]
    for server in servers:
        server.start(dsn)
    try:
        await together(*(migrate(server) for server in servers))
        assert await rows(servers[0], APPLIED) == released()
        assert await rows(servers[1], "SELECT count(*) FROM signing_keys") == [(1,)]
    finally:
        for server in servers:
            await within(10, server.stop())


@ensureDeferred
async def test_a_server_waits_for_another_that_takes_long(dsn: str, schema: Path) -> None:
    """The limits that protect requests would give up on a long migration, and on one that waits for it."""
    outside = psycopg2.connect(dsn)
    outside.cursor().execute(LOCK)
    server = Database(clock=reactor)
    server.start(f"{dsn} options='-c lock_timeout=100ms -c statement_timeout=200ms'")
    try:
        reactor.callLater(0.5, outside.close)
        await within(20, migrate(server, schema))
        assert await rows(server, "SELECT count(*) FROM guests") == [(1,)]
    finally:
        outside.close()
        await within(10, server.stop())


@ensureDeferred
async def test_a_newer_schema_is_refused_in_a_sentence(empty: Database, schema: Path) -> None:
    """An old server would not know what the new columns mean; it must not guess."""
    await within(20, migrate(empty, schema))
    (schema / "10_third.sql").unlink()
    with pytest.raises(ConfigurationError, match=r"has schema 10, .* knows 9 at most: install the newer wifidogd"):
        await within(20, migrate(empty, schema))


@ensureDeferred
async def test_a_failing_file_leaves_nothing_behind(empty: Database, schema: Path) -> None:
    """Neither its own beginning nor the files before it; once it is mended everything is applied."""
    (schema / "10_third.sql").write_text("CREATE TABLE half (done boolean); SELECT 1 / 0")
    with pytest.raises(StoreRefused, match="division by zero"):
        await within(20, migrate(empty, schema))
    assert await rows(empty, TABLES) == []
    (schema / "10_third.sql").write_text("CREATE TABLE half (done boolean)")
    await within(20, migrate(empty, schema))
    assert await rows(empty, TABLES) == [("guests",), ("half",), ("schema_versions",)]


@ensureDeferred
async def test_the_shipped_schema_has_one_secret_of_its_own(database: Database, dsn: str) -> None:
    """Each database signs forms with another secret, and there can be only one."""
    [(secret,)] = await rows(database, "SELECT secret FROM signing_keys")
    assert len(secret) == 72
    assert secret not in (SCHEMA / "0001_initial.sql").read_text("utf-8")
    with pytest.raises(StoreRefused):
        await put(database, "INSERT INTO signing_keys (sole, secret) VALUES (false, 'second')")
