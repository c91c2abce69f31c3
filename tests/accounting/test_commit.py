"""One batch in one transaction, on a real PostgreSQL: what it settles, and what it leaves for another stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.defer import ensureDeferred as ensure_deferred
from twisted.internet.threads import blockingCallFromThread, deferToThread

from tests.support.builders import (
    LOBBY,
    MINUTE,
    NOON,
    Recording,
    adopt_all,
    history,
    mac,
    open_online,
    open_pending,
    put,
    rows,
    run,
    token_hash,
)
from tests.support.deadline import within
from wifidogd.accounting.commit import Settled, settle
from wifidogd.accounting.report_queue import Entry
from wifidogd.domain.decisions import Decision
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import AuthCode, Dialect, Octets, Reason, Report, Session, Stage
from wifidogd.store.driver.database import Cursor, Database

OPEN = "SELECT token_hash, incoming FROM sessions WHERE activated_at IS NOT NULL ORDER BY token_hash"


def may_ask(gw_id: str, key: str | None) -> bool:
    """The lobby alone is adopted."""
    return gw_id == "lobby"


def entry(number: int, stage: Stage, octets: int = 0, device: int | None = None) -> Entry:
    """Make a report on the session of a number, from the device of the same number unless another is named."""
    at = mac(number if device is None else device)
    report = Report(stage, Dialect.WIFIDOG, "", "lobby", at, "10.0.0.2", Octets(octets, 0))
    return Entry(report, token_hash(number), Deferred(), 0.0)


async def settle_batch(database: Database, batch: Sequence[Entry], *, spares_endings: bool = True) -> Settled:
    """Settle a batch at noon."""
    how: dict[str, Any] = {"clock_set_at": None, "spares_endings": spares_endings}
    return await run(database, settle, batch, may_ask, NOON, **how)


def numbers(entries: Sequence[Entry]) -> list[int]:
    """Name the sessions that reports are about."""
    return [int.from_bytes(entry.token_hash, "big") for entry in entries]


def codes(settled: Settled) -> dict[int, AuthCode]:
    """Name the verdict on each session that has one."""
    return {numbers([entry])[0]: decision.code for entry, decision in settled.decisions}


@async_yield_fixture
async def lobby(database: Database) -> Any:
    """A database with one adopted gateway."""
    await adopt_all(database, LOBBY)
    yield database


@ensureDeferred
async def test_every_session_that_would_be_replaced_is_spared_with_its_replacement(lobby: Database) -> None:
    """Three devices sign in anew while the history is locked; the counters of a fourth are settled."""
    for number in (1, 2, 3, 4):
        await open_online(lobby, number, at=NOON - MINUTE)
    for number in (11, 12, 13):
        await open_pending(lobby, number, at=NOON)
    batch = [entry(number, Stage.LOGIN, device=number - 10) for number in (11, 12, 13)]
    batch += [entry(4, Stage.COUNTERS, 500), entry(1, Stage.COUNTERS, 100), entry(13, Stage.COUNTERS, 70, device=3)]
    settled = await settle_batch(lobby, batch)
    assert codes(settled) == {4: AuthCode.ALLOWED}
    assert numbers(settled.endings) == [11, 12, 13, 1, 13]
    assert await history(lobby) == []
    assert await rows(lobby, OPEN) == [(token_hash(1), 0), (token_hash(2), 0), (token_hash(3), 0), (token_hash(4), 500)]
    again = await settle_batch(lobby, settled.endings, spares_endings=False)
    assert codes(again) == {11: AuthCode.ALLOWED, 12: AuthCode.ALLOWED, 13: AuthCode.ALLOWED, 1: AuthCode.DENIED}
    assert again.endings == []
    assert [(at, reason) for at, _, reason, *_ in await history(lobby)] == [
        (mac(number), Reason.REPLACED.value) for number in (1, 2, 3)
    ]


@ensureDeferred
async def test_a_replacement_that_brings_on_another_is_spared_with_all_of_them(lobby: Database) -> None:
    """A device that signs in three times in one batch: only the last of the three tokens would stay."""
    await open_online(lobby, 1, at=NOON - MINUTE)
    for number in (11, 12, 13):
        await open_pending(lobby, number, at=NOON)
    batch = [entry(number, Stage.LOGIN, device=1) for number in (11, 12, 13)]
    settled = await settle_batch(lobby, batch)
    assert (settled.decisions, numbers(settled.endings)) == ([], [11, 12, 13])
    assert await rows(lobby, OPEN) == [(token_hash(1), 0)]
    assert await history(lobby) == []


@ensureDeferred
async def test_sessions_whose_quota_is_spent_are_spared(lobby: Database) -> None:
    """Each of three at its own report; a report before it, on the same session, waits as well."""
    for number in (1, 2, 3, 4):
        await open_online(lobby, number, at=NOON - MINUTE)
    await put(lobby, "UPDATE sessions SET quota_octets = 1000")
    batch = [entry(2, Stage.COUNTERS, 10), entry(4, Stage.COUNTERS, 999)]
    batch += [entry(number, Stage.COUNTERS, 1000) for number in (3, 2, 1)]
    settled = await settle_batch(lobby, batch)
    assert codes(settled) == {4: AuthCode.ALLOWED}
    assert numbers(settled.endings) == [2, 3, 2, 1]
    assert await rows(lobby, OPEN) == [(token_hash(number), 999 if number == 4 else 0) for number in (1, 2, 3, 4)]


@ensureDeferred
async def test_who_takes_nobodys_place_is_settled_though_others_are_spared(lobby: Database) -> None:
    """A first login of one device beside the second of another."""
    await open_online(lobby, 1, at=NOON - MINUTE)
    for number in (11, 12):
        await open_pending(lobby, number, at=NOON)
    settled = await settle_batch(lobby, [entry(11, Stage.LOGIN, device=1), entry(12, Stage.LOGIN)])
    assert codes(settled) == {12: AuthCode.ALLOWED}
    assert numbers(settled.endings) == [11]


@pytest.mark.parametrize(
    ("given_up", "settled", "replaced"),
    [([], 3, True), ([0], 2, True), ([1], 3, True), ([0, 1], 1, True), ([0, 1, 2], 0, False)],
)
@ensureDeferred
async def test_reports_whose_answer_was_given_up_do_not_bring_a_token_online(
    lobby: Database, given_up: list[int], settled: int, replaced: bool
) -> None:
    """The first that its gateway still waits for does, and with it those that follow, waited for or not."""
    await open_online(lobby, 1, at=NOON - MINUTE)
    await open_pending(lobby, 11, at=NOON)
    batch = [entry(11, Stage.COUNTERS, 100 * number, device=1) for number in (1, 2, 3)]
    for number in given_up:
        batch[number].fail(StoreUnavailable("the database is too slow"))
        batch[number].answer.addErrback(lambda failure: failure.trap(StoreUnavailable) and None)
    done = await settle_batch(lobby, batch, spares_endings=False)
    assert [decision.code for _, decision in done.decisions] == [AuthCode.ALLOWED] * settled
    assert done.endings == []
    assert bool(await history(lobby)) is replaced


@ensureDeferred
async def test_reports_that_come_too_late_hold_nobodys_session(lobby: Database) -> None:
    """Neither that of the device, which they would have replaced, nor anything else: one statement is all."""
    await open_online(lobby, 1, at=NOON - MINUTE)
    await open_pending(lobby, 11, at=NOON)
    late = entry(11, Stage.COUNTERS, device=1)
    late.fail(StoreUnavailable("the database is too slow"))
    late.answer.addErrback(lambda failure: failure.trap(StoreUnavailable) and None)
    recording = Recording(lobby)
    assert await settle_batch(recording, [late]) == Settled([], [])  # type: ignore[arg-type]
    assert len(recording.statements) == 1


HOUR = timedelta(hours=1)
TOKENS = [token_hash(number) for number in range(1, 6)]
GW_IDS = st.sampled_from(["lobby", "garden"])
MACS = st.sampled_from([mac(1), mac(2)])
SMALL_OCTETS = st.builds(Octets, st.integers(0, 99), st.integers(0, 99))
PENDING = st.builds(
    Session,
    token_hash=st.just(b""),
    gw_id=GW_IDS,
    opened_at=st.sampled_from([NOON - MINUTE, NOON - HOUR]),
    quota_octets=st.none() | st.integers(1, 200),
    time_limit=st.sampled_from([None, HOUR]),
    ending=st.sampled_from([None, None, Reason.KICKED]),
)
LIVE = st.builds(
    replace,
    PENDING,
    mac=st.none() | MACS,
    activated_at=st.just(NOON - HOUR),
    reported_at=st.just(NOON - MINUTE),
    used=SMALL_OCTETS,
    last=SMALL_OCTETS,
    expires_at=st.sampled_from([None, NOON, NOON + HOUR]),
)
REPORTS = st.builds(
    Report,
    stage=st.sampled_from(Stage),
    dialect=st.just(Dialect.WIFIDOG),
    token=st.just(""),
    gw_id=st.none() | GW_IDS | st.just("cellar"),
    mac=st.none() | MACS,
    octets=st.none() | SMALL_OCTETS,
)

OPEN_ONE = """
    INSERT INTO sessions (token_hash, gw_id, mac, opened_at, activated_at, reported_at, incoming, outgoing,
                          last_incoming, last_outgoing, time_limit, quota_octets, expires_at, ending)
    VALUES (%(token_hash)s, %(gw_id)s, %(mac)s, %(opened_at)s, %(activated_at)s, %(reported_at)s, %(incoming)s,
            %(outgoing)s, %(last_incoming)s, %(last_outgoing)s, %(time_limit)s, %(quota_octets)s, %(expires_at)s,
            %(ending)s)
"""
LEFT = """
    SELECT token_hash, gw_id, mac, activated_at, reported_at, incoming, outgoing, last_incoming, last_outgoing,
           expires_at, ending
      FROM sessions
     ORDER BY token_hash
"""
GONE = """
    SELECT gw_id, mac, opened_at, activated_at, ended_at, reason, incoming, outgoing
      FROM past_sessions
     ORDER BY session_id
"""

Outcome = tuple[list[Decision], list[tuple[Any, ...]], list[tuple[Any, ...]]]


async def begin(cursor: Cursor, sessions: Sequence[Session]) -> None:
    """Have these sessions, a token each, but no device twice at one gateway."""
    kept = {
        (each.gw_id, each.mac or token): replace(each, token_hash=token)
        for token, each in zip(TOKENS, sessions, strict=False)
    }
    for each in kept.values():
        values = {name: getattr(each, name) for name in ("token_hash", "gw_id", "mac", "opened_at", "activated_at")}
        values |= {name: getattr(each, name) for name in ("reported_at", "time_limit", "quota_octets", "expires_at")}
        values |= {"incoming": each.used.incoming, "outgoing": each.used.outgoing}
        values |= {"last_incoming": each.last.incoming, "last_outgoing": each.last.outgoing}
        await cursor.execute(OPEN_ONE, values | {"ending": None if each.ending is None else each.ending.value})


async def settle_and_undo(cursor: Cursor, reports: Sequence[tuple[bytes, Report]], size: int) -> Outcome:
    """Settle reports in batches of a size, look at what has become of the sessions, and put everything back."""
    await cursor.execute("SAVEPOINT before")
    decisions: list[Decision] = []
    entries = [Entry(report, token, Deferred(), 0.0) for token, report in reports]
    for start in range(0, len(entries), size):
        batch = entries[start : start + size]
        settled = await settle(cursor, batch, adopted, NOON, clock_set_at=None, spares_endings=False)
        decisions += [decision for _, decision in settled.decisions]
    await cursor.execute(LEFT)
    open_sessions = cursor.fetchall()
    await cursor.execute(GONE)
    past_sessions = cursor.fetchall()
    await cursor.execute("ROLLBACK TO before")
    return decisions, open_sessions, past_sessions


def adopted(gw_id: str, key: str | None) -> bool:
    """The lobby and the garden are adopted, the cellar is not."""
    return gw_id in ("lobby", "garden")


class _Undone(Exception):
    """Raised to roll back."""


@ensureDeferred
async def test_a_batch_is_settled_as_its_reports_would_be_one_by_one(lobby: Database) -> None:
    """The same answers, the same sessions, the same history."""
    await adopt_all(lobby, Gateway("garden", "default", "10.0.1.1"))

    async def compare(cursor: Cursor, sessions: Sequence[Session], reports: Sequence[tuple[bytes, Report]]) -> None:
        await begin(cursor, sessions)
        assert await settle_and_undo(cursor, reports, len(reports)) == await settle_and_undo(cursor, reports, 1)
        raise _Undone

    @given(
        st.lists(PENDING | LIVE, min_size=1, max_size=len(TOKENS)),
        st.lists(st.tuples(st.sampled_from(TOKENS), REPORTS), min_size=1, max_size=12),
    )
    def check(sessions: list[Session], reports: list[tuple[bytes, Report]]) -> None:
        with pytest.raises(_Undone):
            blockingCallFromThread(reactor, lambda: ensure_deferred(run(lobby, compare, sessions, reports)))

    await within(200, deferToThread(check))
