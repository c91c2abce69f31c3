"""What timers look for, at the very second when it is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred

from tests.support.builders import (
    LOBBY,
    MINUTE,
    NOON,
    SECOND,
    adopt_all,
    open_online,
    open_pending,
    put,
    rows,
    run,
    together,
    token_hash,
)
from wifidogd.store.accounting.expiry import (
    find_lost_in_restart,
    find_overdue,
    find_stale,
    forget_unused,
    purge_history,
)
from wifidogd.store.driver.database import Cursor, Database

LONG_AGO = NOON - timedelta(days=1)

ADD_HISTORY = """
    INSERT INTO past_sessions (session_id, network, gw_id, opened_at, ended_at, reason, incoming, outgoing)
    SELECT n, %(network)s, 'lobby', %(now)s, %(now)s - n * interval '1 day', 'logged out', 0, 0
      FROM generate_series(1, %(days)s) AS n
"""


async def restart(database: Database, at: datetime) -> None:
    """Record a restart of the lobby's gateway."""
    await put(
        database,
        "INSERT INTO heartbeats (gw_id, seen_at, source, restarted_at) VALUES ('lobby', %(at)s, '192.0.2.1', %(at)s)",
        {"at": at},
    )


@pytest.mark.parametrize(
    ("interval", "stale_after", "due"),
    [
        (MINUTE, 10 * MINUTE, 10 * MINUTE),
        (5 * MINUTE, 10 * MINUTE, 15 * MINUTE),
        (SECOND, MINUTE, MINUTE),
        (21 * SECOND, MINUTE, 63 * SECOND),
    ],
)
@ensureDeferred
async def test_a_session_is_stale_after_three_intervals_or_more(
    database: Database, interval: timedelta, stale_after: timedelta, due: timedelta
) -> None:
    """Whichever is longer, three intervals of its gateway or what its network says."""
    await adopt_all(database, replace(LOBBY, interval=interval))
    await put(database, "UPDATE networks SET stale_after = %(stale_after)s", {"stale_after": stale_after})
    await open_online(database, 1, at=LONG_AGO, reported=NOON)
    await open_pending(database, 2, at=LONG_AGO)
    assert await run(database, find_stale, NOON + due - SECOND, LONG_AGO, 9) == []
    assert await run(database, find_stale, NOON + due, LONG_AGO, 9) == [token_hash(1)]


@ensureDeferred
async def test_silence_counts_only_while_somebody_listened(database: Database) -> None:
    """A server that came back ten minutes ago has missed what was said before."""
    await adopt_all(database, LOBBY)
    await open_online(database, 1, at=LONG_AGO)
    assert await run(database, find_stale, NOON, NOON - 10 * MINUTE + SECOND, 9) == []
    assert await run(database, find_stale, NOON, NOON - 10 * MINUTE, 9) == [token_hash(1)]


@ensureDeferred
async def test_a_restarted_gateway_has_three_intervals(database: Database) -> None:
    """Who was reported since is still there; who was not is lost; a fresh token is not affected."""
    await adopt_all(database, LOBBY, replace(LOBBY, gw_id="bar"))
    await open_online(database, 1, at=LONG_AGO, reported=NOON - SECOND)
    await open_online(database, 2, at=LONG_AGO, reported=NOON)
    await open_online(database, 3, at=LONG_AGO, gw_id="bar")
    await open_pending(database, 4, at=LONG_AGO)
    await restart(database, NOON)
    due = NOON + 3 * MINUTE
    assert await run(database, find_lost_in_restart, due - SECOND, LONG_AGO, 9) == []
    assert await run(database, find_lost_in_restart, due, NOON + SECOND, 9) == []
    assert await run(database, find_lost_in_restart, due, NOON, 9) == [token_hash(1)]


@ensureDeferred
async def test_a_token_is_unused_after_its_time(database: Database) -> None:
    """Only one that no gateway has asked about."""
    await adopt_all(database, LOBBY)
    await open_pending(database, 1)
    await open_online(database, 2, at=LONG_AGO)
    assert await run(database, forget_unused, NOON + 3 * MINUTE - SECOND, 3 * MINUTE, 9) == 0
    assert await run(database, forget_unused, NOON + 3 * MINUTE, 3 * MINUTE, 9) == 1
    assert await rows(database, "SELECT token_hash FROM sessions") == [(token_hash(2),)]


@ensureDeferred
async def test_an_overdue_session_has_two_intervals_of_grace(database: Database) -> None:
    """Its gateway may still bring the last octets; a session without limit is never overdue."""
    await adopt_all(database, LOBBY)
    await open_online(database, 1, at=LONG_AGO, expires=NOON)
    await open_online(database, 2, at=LONG_AGO)
    assert await run(database, find_overdue, NOON + 2 * MINUTE - SECOND, LONG_AGO, 9) == []
    assert await run(database, find_overdue, NOON + 2 * MINUTE, NOON + SECOND, 9) == []
    assert await run(database, find_overdue, NOON + 2 * MINUTE, NOON, 9) == [token_hash(1)]


@pytest.mark.parametrize("kind", ["stale", "lost", "overdue"])
@ensureDeferred
async def test_rows_that_somebody_holds_are_passed_over(database: Database, kind: str) -> None:
    """A second server takes others, as many as it may, without waiting."""
    await adopt_all(database, LOBBY)
    for number in range(6):
        await open_online(database, number, at=LONG_AGO, expires=LONG_AGO + MINUTE)
    await restart(database, LONG_AGO + SECOND)
    find = {
        "stale": lambda cursor, limit: find_stale(cursor, NOON, LONG_AGO, limit),
        "lost": lambda cursor, limit: find_lost_in_restart(cursor, NOON, LONG_AGO, limit),
        "overdue": lambda cursor, limit: find_overdue(cursor, NOON, LONG_AGO, limit),
    }[kind]
    has_found: Deferred[None] = Deferred()
    may_go: Deferred[None] = Deferred()

    async def hold(cursor: Cursor) -> list[bytes]:
        found = await find(cursor, 4)
        has_found.callback(None)
        await may_go
        return found

    async def find_the_rest() -> list[bytes]:
        await has_found
        try:
            return await run(database, find, 4)
        finally:
            may_go.callback(None)

    held, rest = await together(run(database, hold), find_the_rest())
    assert (len(held), len(rest)) == (4, 2)
    assert sorted(held + rest) == [token_hash(number) for number in range(6)]


@ensureDeferred
async def test_history_is_purged_in_bounded_steps(database: Database) -> None:
    """Only one network's, only what is older, only so many at once."""
    for network in ("default", "hotel"):
        await put(database, ADD_HISTORY, {"network": network, "days": 10, "now": NOON})
    before = NOON - timedelta(days=4)
    purged = [await run(database, purge_history, "default", before, 4) for _ in range(3)]
    assert purged == [4, 2, 0]
    left = "SELECT network, count(*), min(ended_at) FROM past_sessions GROUP BY network ORDER BY network"
    assert await rows(database, left) == [("default", 4, before), ("hotel", 10, NOON - timedelta(days=10))]
