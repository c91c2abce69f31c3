"""L{Database} through pgbouncer: what a pooler does not support, and what works all the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from psycopg2.extensions import parse_dsn
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from tests.chaos.trials.pooler import OWN, Pooler, limits_of_the_role
from tests.support.checkout import ROOT
from tests.support.deadline import within
from tests.support.postgres import execute
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.store.driver.database import Database
from wifidogd.store.driver.dsn import LIMITS
from wifidogd.store.migrations import migrate

SERVERS = 3


def asking(setting):
    """Make work that asks what a setting is."""

    async def ask(cursor):
        await cursor.execute("SELECT current_setting(%(name)s)", {"name": setting})
        return cursor.fetchone()[0]

    return ask


async def sleeping(cursor):
    """Work that takes too long."""
    await cursor.execute("SELECT pg_sleep(5)")


def all_of(coroutines):
    """Await several at once."""
    return gatherResults([Deferred.fromCoroutine(each) for each in coroutines])


@pytest.mark.parametrize("mode", ["session", "transaction"])
@ensureDeferred
async def test_several_servers_share_a_database_through_a_pooler(postgres, dsn, scratch, mode):
    """They bring the schema up to date at the same time, find the role's limits, and outlive a deadline."""
    execute(dsn, *limits_of_the_role(f"tester IN DATABASE {parse_dsn(dsn)['dbname']}"))
    with Pooler(postgres, dsn, scratch, mode) as pooler:
        databases = [Database(clock=reactor, size=2) for _ in range(SERVERS)]
        for database in databases:
            database.start(pooler.dsn)
        await within(30, all_of(migrate(database) for database in databases))
        for name in set(LIMITS) - set(OWN):
            assert await within(10, databases[0].transaction(asking(name))) == LIMITS[name]
        with pytest.raises(StoreUnavailable):
            await within(10, databases[0].transaction(sleeping, deadline=timedelta(seconds=0.2)))
        await within(20, all_of(database.transaction(asking("port")) for database in databases for _ in range(10)))
        for database in databases:
            await within(10, database.stop())


def test_the_documentation_has_every_limit_of_the_role():
    """As statements to be copied."""
    text = (ROOT / "docs" / "high-availability.md").read_text()
    for statement in limits_of_the_role("wifidogd"):
        assert f"{statement};" in text
