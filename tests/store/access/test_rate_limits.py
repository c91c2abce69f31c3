"""Tries to sign in are counted before they are made, whoever makes them at the same time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.support.builders import MINUTE, NOON, SECOND, rows, run, together
from tests.support.deadline import within
from wifidogd.domain.errors import StoreRefused
from wifidogd.store.access.rate_limits import count_try, forget_tries, forgive_try
from wifidogd.store.driver.database import Database

ANN = ["account ann"]
BOTH = ["device lobby 02:00:00:00:00:01", "account ann"]

WINDOW = 15 * MINUTE


@ensureDeferred
async def test_tries_add_up_within_a_window(database: Database) -> None:
    """It opens with the first and does not move with the others."""
    for number in range(1, 4):
        now = NOON + number * SECOND
        assert await run(database, count_try, ANN, now, now - WINDOW) == [(number, NOON + SECOND)]


@pytest.mark.parametrize(
    ("later", "expected"),
    [(WINDOW - SECOND, (2, NOON)), (WINDOW, (1, NOON + WINDOW)), (9 * WINDOW, (1, NOON + 9 * WINDOW))],
)
@ensureDeferred
async def test_a_window_ends(database: Database, later: timedelta, expected: tuple[int, object]) -> None:
    """The first try after it opens the next."""
    await run(database, count_try, ANN, NOON, NOON - WINDOW)
    assert await run(database, count_try, ANN, NOON + later, NOON + later - WINDOW) == [expected]


@ensureDeferred
async def test_a_try_counts_against_all_its_subjects(database: Database) -> None:
    """Each in a window of its own; no subject, no count."""
    await run(database, count_try, ANN, NOON, NOON - WINDOW)
    now = NOON + MINUTE
    assert sorted(await run(database, count_try, BOTH, now, now - WINDOW)) == [(1, now), (2, NOON)]
    assert await run(database, count_try, [], now, now - WINDOW) == []


@ensureDeferred
async def test_twenty_tries_at_once_count_twenty(dsn: str, database: Database) -> None:
    """Through two servers, with the subjects in either order, some forgiven: none slips through, none dies."""
    other = Database(clock=reactor)
    other.start(dsn)
    guests = [((database, other)[number % 2], BOTH if number % 3 else BOTH[::-1]) for number in range(20)]
    try:
        counted = await together(*(run(server, count_try, both, NOON, NOON - WINDOW) for server, both in guests))
        accounts = sorted(tries for tries, _ in (min(both) for both in counted))
        assert accounts == list(range(1, 21))
        await together(
            *(run(server, forgive_try, both) for server, both in guests[:10]),
            *(run(database, count_try, BOTH, NOON, NOON - WINDOW) for _ in range(5)),
        )
        assert await rows(database, "SELECT tries FROM attempts") == [(15,), (15,)]
    finally:
        await within(10, other.stop())


@ensureDeferred
async def test_a_forgiven_try_is_none(database: Database) -> None:
    """Only that one; what is not counted cannot be forgiven."""
    for _ in range(2):
        await run(database, count_try, BOTH, NOON, NOON - WINDOW)
    await run(database, forgive_try, ANN)
    assert sorted(await run(database, count_try, BOTH, NOON, NOON - WINDOW)) == [(2, NOON), (3, NOON)]
    for _ in range(5):
        await run(database, forgive_try, [*BOTH, "account nobody"])
    assert await rows(database, "SELECT tries FROM attempts") == [(0,), (0,)]


@ensureDeferred
async def test_old_windows_are_forgotten_in_bounded_steps(database: Database) -> None:
    """The newest stays."""
    for number in range(5):
        await run(database, count_try, [f"account {number}"], NOON + number * SECOND, NOON - WINDOW)
    forgotten = [await run(database, forget_tries, NOON + 4 * SECOND, 3) for _ in range(3)]
    assert forgotten == [3, 1, 0]
    assert await rows(database, "SELECT subject FROM attempts") == [("account 4",)]


@ensureDeferred
async def test_a_subject_is_bounded(database: Database) -> None:
    """What a guest types cannot fill the table with long texts."""
    with pytest.raises(StoreRefused):
        await run(database, count_try, ["x" * 201], NOON, NOON - WINDOW)
