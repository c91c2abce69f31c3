"""The history in partitions, made as docs/scaling.md tells operators to make them."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest_twisted

from tests.support.builders import LOBBY, NOON, adopt_all, history, mac, open_online, put, rows, run, token_hash
from tests.support.checkout import ROOT
from wifidogd.domain.sessions import Ended, Reason
from wifidogd.store.accounting.expiry import purge_history
from wifidogd.store.accounting.sessions import end_sessions, lock_sessions
from wifidogd.store.accounts.personal_data import erase_past
from wifidogd.store.driver.database import Database

SCALING = ROOT / "docs" / "scaling.md"

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)

ADD = """
    INSERT INTO past_sessions (session_id, network, gw_id, account_id, mac, opened_at, ended_at, reason,
                               incoming, outgoing)
    SELECT number, 'default', 'lobby', %(account_id)s, '02:00:00:00:00:01', %(at)s, %(at)s, 'logged out', 1, 1
      FROM generate_series(1, 5) AS number
"""


def partition(dsn: str) -> None:
    """Follow the instructions, statement by statement."""
    text = SCALING.read_text(encoding="utf-8")
    [statements] = [block for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL) if "PARTITION BY" in block]
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        connection.cursor().execute("SET timezone TO 'UTC'")
        for statement in statements.split(";\n"):
            if statement.strip():
                connection.cursor().execute(statement)


async def add(database: Database, at: datetime, account_id: int) -> None:
    """Put five stays into the history."""
    await put(database, ADD, {"at": at, "account_id": account_id})


@pytest_twisted.ensureDeferred
async def test_old_history_goes_and_rows_at_the_same_place_of_another_partition_stay(
    database: Database, dsn: str
) -> None:
    """Partitions number their rows each by itself."""
    await add(database, NOON, 1)
    partition(dsn)
    await add(database, DECEMBER, 2)
    assert await run(database, purge_history, "default", NOON + timedelta(days=1), 3) == 3
    assert await run(database, purge_history, "default", NOON + timedelta(days=1), 3) == 2
    left = "SELECT tableoid::regclass::text, count(*) FROM past_sessions GROUP BY 1"
    assert await rows(database, left) == [("past_sessions_2026_12", 5)]


@pytest_twisted.ensureDeferred
async def test_a_guest_is_erased_from_all_partitions_and_nobody_else_from_any(database: Database, dsn: str) -> None:
    """The same, for who has their data erased."""
    await add(database, NOON, 1)
    partition(dsn)
    await add(database, DECEMBER, 2)
    await add(database, DECEMBER, 1)
    await run(database, erase_past, 1)
    kept = "SELECT account_id, mac::text, count(*) FROM past_sessions GROUP BY 1, 2 ORDER BY 1"
    assert await rows(database, kept) == [(2, "02:00:00:00:00:01", 5), (None, None, 10)]


@pytest_twisted.ensureDeferred
async def test_stays_end_in_the_partition_of_their_end(database: Database, dsn: str) -> None:
    """As the server writes them, whether or not somebody has made the month's."""
    partition(dsn)
    await adopt_all(database, LOBBY)
    ends = [NOON, DECEMBER, DECEMBER + timedelta(days=40)]
    for number, end in enumerate(ends):
        await open_online(database, number, at=NOON)
        sessions = await run(database, lock_sessions, [token_hash(number)])
        await run(database, end_sessions, [Ended(each, end, Reason.LOGOUT) for each in sessions.values()])
    assert [(row[0], row[1]) for row in await history(database)] == [(mac(at), end) for at, end in enumerate(ends)]
    where = "SELECT tableoid::regclass::text FROM past_sessions ORDER BY ended_at"
    partitions = [name for (name,) in await rows(database, where)]
    assert partitions == ["past_sessions_old", "past_sessions_2026_12", "past_sessions_rest"]
