"""Fixtures that more than one room's tests need."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

import psycopg2
import pytest
import pytest_twisted
from hypothesis import HealthCheck, settings
from twisted.internet import reactor

from tests.deadline import within
from tests.postgres import ThrowawayPostgres
from wifidogd.store.database import Database
from wifidogd.store.migrations import migrate

settings.register_profile("wifidogd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wifidogd")

_names = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[ThrowawayPostgres]:
    """A running PostgreSQL for the whole run; tests that hurt one start their own."""
    server = ThrowawayPostgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def make_database(postgres: ThrowawayPostgres) -> str:
    """Create an empty database and tell its DSN."""
    name = f"test_{next(_names)}"
    connection = psycopg2.connect(postgres.dsn)
    try:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
    finally:
        connection.close()
    return postgres.dsn.replace("dbname=postgres", f"dbname={name}")


@pytest.fixture
def dsn(postgres: ThrowawayPostgres) -> str:
    """An empty database of the test's own."""
    return make_database(postgres)


@pytest_twisted.async_yield_fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """A started L{Database} on a fresh, migrated schema."""
    database = Database(clock=reactor)  # type: ignore[arg-type]
    database.start(dsn)
    await within(20, migrate(database))
    yield database
    await within(10, database.stop())
