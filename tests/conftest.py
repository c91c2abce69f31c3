"""Fixtures that tests of more than one component use."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from hypothesis import HealthCheck, settings
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from tests.support.deadline import within
from tests.support.postgres import ThrowawayPostgres
from tests.support.scratch import make_scratch
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.runtime.monotonic import go_by_steady_time
from wifidogd.store.driver.database import Database
from wifidogd.store.migrations import migrate

# Two runs of the suite try the same examples; `make test ARGS=--hypothesis-profile=search` tries others each time.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("wifidogd", settings.get_profile("search"), derandomize=True)
settings.load_profile("wifidogd")
go_by_steady_time(reactor)


@pytest_twisted.async_yield_fixture(scope="module", autouse=True)
async def nothing_goes_on_ticking() -> AsyncIterator[None]:
    """A module whose tests leave a timer behind fails: whatever it belongs to would disturb the tests that follow."""
    before = set(reactor.getDelayedCalls())
    yield
    for _ in range(40):
        left = set(reactor.getDelayedCalls()) - before
        if not left:
            return
        await deferLater(reactor, 0.05)
    raise AssertionError(f"still to be called: {left}")


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A directory that every user may enter, whom PostgreSQL runs as too."""
    path = make_scratch()
    yield path
    shutil.rmtree(path)


@pytest.fixture(autouse=True)
def nothing_fails_unheard() -> Iterator[None]:
    """A Deferred or a reactor call that failed with nobody listening fails the test, though Twisted only logs it."""
    unheard: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event and "Unhandled" in (formatEvent(event) or ""):
            unheard.append(event)

    globalLogPublisher.addObserver(observe)
    yield
    globalLogPublisher.removeObserver(observe)
    assert unheard == []


@pytest.fixture(autouse=True)
def gateways_are_patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where deadlines are not the subject, a busy machine must not make a report miss its own."""
    if "impatient" not in request.keywords:
        monkeypatch.setattr("wifidogd.accounting.ledger.ANSWER_WITHIN", 20.0)
        monkeypatch.setattr("wifidogd.accounting.ledger.LIST_ANSWER_WITHIN", {})


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
    """Create an empty database and return its DSN."""
    return postgres.create_database()


@pytest.fixture
def dsn(postgres: ThrowawayPostgres) -> str:
    """An empty database of the test's own."""
    return make_database(postgres)


async def migrated(database: Database) -> None:
    """Make the schema; on a busy machine it may take longer to connect than a server lets its callers wait."""
    while True:
        try:
            return await migrate(database)
        except StoreUnavailable:
            await deferLater(reactor, 0.1)


@pytest_twisted.async_yield_fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """A started L{Database} on a fresh, migrated schema."""
    database = Database(clock=reactor)  # type: ignore[arg-type]
    database.start(dsn)
    await within(20, migrated(database))
    yield database
    await within(10, database.stop())
