"""Tries to sign in are counted before they are made, whoever makes them at the same time."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.support.builders import LOBBY, MINUTE, NOON, SECOND, adopt_all, mac, put, rows, run, together
from tests.support.deadline import within
from wifidogd.domain.errors import StoreRefused
from wifidogd.store.access.rate_limits import (
    TRIES_WINDOW,
    Subject,
    SubjectKind,
    Tries,
    count_tries,
    forget_tries,
    forget_tries_of_devices,
    forgive_tries,
)
from wifidogd.store.accounts.accounts import add_account
from wifidogd.store.driver.database import Database

ANN = Subject(SubjectKind.PASSWORDS_OF_ACCOUNT, name="ann")
DEVICE = Subject(SubjectKind.DEVICE, "lobby", mac(1))
GATEWAY = Subject(SubjectKind.CODES_AT_GATEWAY, "lobby")
BOTH = [ANN, DEVICE]
MANY = 1_000
GARDEN = replace(LOBBY, gw_id="garden")


async def count(database: Database, *subjects: Subject, now: datetime = NOON, most: int = MANY) -> list[Tries]:
    """Count a try against subjects that have the same limit."""
    return await run(database, count_tries, [(subject, most) for subject in subjects], now)


async def counted(database: Database, *subjects: Subject, now: datetime = NOON) -> list[tuple[int, datetime]]:
    """Count a try; return the tries and windows."""
    return [(tries.count, tries.started_at) for tries in await count(database, *subjects, now=now)]


@ensureDeferred
async def test_tries_add_up_within_a_window(database: Database) -> None:
    """It opens with the first and does not move with the others."""
    for number in range(1, 4):
        assert await counted(database, ANN, now=NOON + number * SECOND) == [(number, NOON + SECOND)]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (TRIES_WINDOW - SECOND, (2, NOON)),
        (TRIES_WINDOW, (1, NOON + TRIES_WINDOW)),
        (9 * TRIES_WINDOW, (1, NOON + 9 * TRIES_WINDOW)),
    ],
)
@ensureDeferred
async def test_a_window_ends(database: Database, later: timedelta, expected: tuple[int, object]) -> None:
    """The first try after it opens the next."""
    await count(database, ANN)
    assert await counted(database, ANN, now=NOON + later) == [expected]


@ensureDeferred
async def test_a_try_counts_against_all_its_subjects(database: Database) -> None:
    """Each in a window of its own; no subject, no count."""
    await adopt_all(database, LOBBY)
    await count(database, ANN)
    now = NOON + MINUTE
    assert await counted(database, *BOTH, now=now) == [(2, NOON), (1, now)]
    assert await counted(database, now=now) == []


@pytest.mark.parametrize(
    "others",
    [
        [Subject(SubjectKind.PASSWORDS_OF_ACCOUNT, name="bob")],
        [Subject(SubjectKind.PASSWORDS_OF_ACCOUNT, account_id=1)],
        [Subject(SubjectKind.DEVICE, "lobby", mac(2))],
        [Subject(SubjectKind.DEVICE, "garden", mac(1))],
        [Subject(SubjectKind.SIGN_UPS_ON_DEVICE, "lobby", mac(1))],
        [Subject(SubjectKind.CODES_FROM_SOURCE, "lobby", source="2001:db8::")],
    ],
)
@ensureDeferred
async def test_subjects_are_told_apart_by_every_column(database: Database, others: list[Subject]) -> None:
    """Two that share all but one of them have tries of their own."""
    await adopt_all(database, LOBBY, GARDEN)
    await run(database, add_account, "ann", "hash", NOON)
    for _ in range(2):
        await count(database, ANN, DEVICE, GATEWAY)
    assert await counted(database, *others) == [(1, NOON)]


@ensureDeferred
async def test_what_follows_a_subject_that_has_had_its_tries_is_spared(database: Database) -> None:
    """A guesser who is stopped does not use up what others share, until the window is over."""
    await adopt_all(database, LOBBY)
    for number in range(1, 6):
        tries = await count(database, DEVICE, GATEWAY, now=NOON + number * SECOND, most=3)
        assert [each.count for each in tries] == ([number, number] if number <= 3 else [number])
    [_, gateway] = await count(database, DEVICE, GATEWAY, now=NOON + SECOND + TRIES_WINDOW, most=3)
    assert gateway.count == 1


@ensureDeferred
async def test_twenty_tries_at_once_count_twenty(dsn: str, database: Database) -> None:
    """Through two servers, some forgiven: none slips through, none dies."""
    await adopt_all(database, LOBBY)
    other = Database(clock=reactor)
    other.start(dsn)
    servers = [(database, other)[number % 2] for number in range(20)]
    try:
        outcomes = await together(*(count(server, *BOTH) for server in servers))
        for number in range(2):
            assert sorted(tries[number].count for tries in outcomes) == list(range(1, 21))
        ids = [tries.attempt_id for tries in outcomes[0]]
        await together(
            *(run(server, forgive_tries, ids) for server in servers[:10]),
            *(count(database, *BOTH) for _ in range(5)),
        )
        assert await rows(database, "SELECT tries FROM attempts") == [(15,), (15,)]
    finally:
        await within(10, other.stop())


@ensureDeferred
async def test_a_forgiven_try_is_none(database: Database) -> None:
    """Only that one; what is not counted cannot be forgiven."""
    await adopt_all(database, LOBBY)
    for _ in range(2):
        tries = await count(database, *BOTH)
    await run(database, forgive_tries, [tries[0].attempt_id])
    assert await counted(database, *BOTH) == [(2, NOON), (3, NOON)]
    for _ in range(5):
        await run(database, forgive_tries, [*(each.attempt_id for each in tries), 1_000_000])
    assert await rows(database, "SELECT tries FROM attempts") == [(0,), (0,)]


@ensureDeferred
async def test_old_windows_are_forgotten_in_bounded_steps(database: Database) -> None:
    """The newest is kept."""
    for number in range(5):
        await count(database, Subject(SubjectKind.PASSWORDS_OF_ACCOUNT, name=f"{number}"), now=NOON + number * SECOND)
    forgotten = [await run(database, forget_tries, NOON + 4 * SECOND, 3) for _ in range(3)]
    assert forgotten == [3, 1, 0]
    assert await rows(database, "SELECT name FROM attempts") == [("4",)]


@ensureDeferred
async def test_what_is_counted_goes_with_what_it_refers_to(database: Database) -> None:
    """An account, a gateway, and a device whose guest has its traces erased."""
    await adopt_all(database, LOBBY, GARDEN)
    await run(database, add_account, "ann", "hash", NOON)
    await count(database, Subject(SubjectKind.PASSWORDS_OF_ACCOUNT, account_id=1), DEVICE, GATEWAY)
    await count(
        database,
        Subject(SubjectKind.SIGN_UPS_ON_DEVICE, "lobby", mac(1)),
        Subject(SubjectKind.CODES_AT_GATEWAY, "garden"),
    )
    await run(database, forget_tries_of_devices, [("lobby", mac(1)), ("garden", mac(2))])
    kinds = "SELECT kind, gw_id FROM attempts ORDER BY attempt_id"
    left = [("passwords of account", None), ("codes at gateway", "lobby"), ("codes at gateway", "garden")]
    assert await rows(database, kinds) == left
    await put(database, "DELETE FROM accounts; DELETE FROM gateways WHERE gw_id = 'lobby'")
    assert await rows(database, kinds) == left[2:]


@pytest.mark.parametrize(
    "subject",
    [
        Subject(SubjectKind.PASSWORDS_OF_ACCOUNT, name="x" * 255),
        Subject(SubjectKind.PASSWORDS_OF_ACCOUNT),
        Subject(SubjectKind.PASSWORDS_OF_ACCOUNT, account_id=1, name="ann"),
        Subject(SubjectKind.CODES_FROM_SOURCE, "lobby"),
        Subject(SubjectKind.CODES_AT_GATEWAY, "removed"),
        Subject(SubjectKind.DEVICE, "lobby", mac(1), name="ann"),
    ],
)
@ensureDeferred
async def test_a_subject_is_what_its_kind_says(database: Database, subject: Subject) -> None:
    """What a guest types cannot fill the table with long texts, nor with what nobody will look for."""
    await adopt_all(database, LOBBY)
    await run(database, add_account, "ann", "hash", NOON)
    with pytest.raises(StoreRefused):
        await count(database, subject)


@ensureDeferred
async def test_the_table_knows_these_kinds_and_no_others(database: Database) -> None:
    """One that only the code or only the table knew would fail at a guest's try."""
    [(check,)] = await rows(
        database, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'attempts_subject_check'"
    )
    assert set(re.findall(r"WHEN '([^']*)'", check)) == {kind.value for kind in SubjectKind}
    with pytest.raises(StoreRefused):
        await put(database, "INSERT INTO attempts (kind, name, tries, started_at) VALUES ('another', 'ann', 1, now())")
