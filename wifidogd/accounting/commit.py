"""One batch of reports in one transaction: lock what they are about, judge them, write what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from wifidogd.accounting.allowances import lock_allowances_of, write_usage
from wifidogd.accounting.batch import ReportBatch
from wifidogd.accounting.report_queue import Entry
from wifidogd.domain.decisions import Decision, place_of, takes_place
from wifidogd.domain.sessions import Octets, Reason, Session, Stage, count_anew
from wifidogd.domain.usage import fell
from wifidogd.store.access.browsers import hand_over
from wifidogd.store.access.guest_sessions import ask_to_end
from wifidogd.store.accounting.sessions import end_sessions, lock_online, lock_sessions, save_sessions
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.heartbeats import fetch_restarts


class Settled(NamedTuple):
    """
    The outcome of a batch; an entry in neither list came too late, and changed nothing.

    @ivar decisions: on each report that was settled.
    @ivar endings: reports that end a session, or would if those did not, and were left alone.
    """

    decisions: list[tuple[Entry, Decision]]
    endings: list[Entry]


async def settle(
    cursor: Cursor,
    batch: Sequence[Entry],
    may_ask: Callable[[str, str | None], bool],
    now: datetime,
    *,
    clock_set_at: datetime | None,
    spares_endings: bool,
) -> Settled:
    """
    Settle the reports of a batch that are not too late.

    @param batch: in order of arrival; no other batch in flight is about the same sessions.
    @param may_ask: tells whether a gateway, by gw_id, is adopted and a key is good for it.
    @param clock_set_at: when the wall clock was last set; None for never.
    @param spares_endings: whether to leave alone whatever ends a session or continues one of another gateway, which
        needs tables that others may hold, and to wait for no session that somebody else is ending.
    @raise StoreLocked: if one is.
    @raise StoreError: as L{Database.transaction<wifidogd.store.driver.database.Database.transaction>}.
    """
    waits = not spares_endings
    sessions = await lock_sessions(cursor, sorted({entry.token_hash for entry in batch}), waits=waits)
    if clock_set_at is not None:
        sessions = {token: count_anew(session, clock_set_at) for token, session in sessions.items()}
    origins = await _lock_origins(cursor, sessions, waits=waits)
    arriving = [entry for entry in batch if takes_place(sessions.get(entry.token_hash), entry.report)]
    late = _too_late(arriving)
    places = {place_of(sessions[entry.token_hash], entry.report) for entry in arriving if entry not in late}
    online = await lock_online(cursor, list(filter(None, places)), waits=waits) if places else []
    online += origins
    usages = await lock_allowances_of(cursor, (*sessions.values(), *online), now)
    timely = [entry for entry in batch if entry not in late]
    restarted = _with_lower_totals(timely, sessions)
    restarts = await fetch_restarts(cursor, restarted) if restarted else {}
    known = partial(ReportBatch, sessions, online, may_ask, usages, restarts)
    reports, decisions = _enter(timely, known(), now)
    involved: set[bytes] = set()
    while spares_endings and (more := _involved(decisions, reports) - involved):
        involved |= more
        reports, decisions = _enter([entry for entry in timely if entry.token_hash not in involved], known(), now)
    if reports.ended:
        end_sessions(cursor, reports.ended)
    if reports.changed:
        save_sessions(cursor, reports.changed)
    for token_hash in reports.left:
        ask_to_end(cursor, token_hash, Reason.ROAMED)
        hand_over(cursor, token_hash)
    await write_usage(cursor, reports, now)
    return Settled(decisions, [entry for entry in timely if entry.token_hash in involved])


async def _lock_origins(cursor: Cursor, sessions: Mapping[bytes, Session], *, waits: bool) -> list[Session]:
    """Return the open sessions that pending ones continue, and lock them; nothing is asked where there are none."""
    tokens = {
        session.roamed_from
        for session in sessions.values()
        if session.activated_at is None and session.roamed_from is not None
    }
    missing = sorted(tokens - sessions.keys())
    return list((await lock_sessions(cursor, missing, waits=waits)).values()) if missing else []


def _enter(
    entries: Iterable[Entry], reports: ReportBatch, now: datetime
) -> tuple[ReportBatch, list[tuple[Entry, Decision]]]:
    return reports, [(entry, reports.enter(entry.token_hash, entry.report, now)) for entry in entries]


def _involved(decisions: Iterable[tuple[Entry, Decision]], reports: ReportBatch) -> set[bytes]:
    """Return the token hashes of sessions that end, of those that replace them, and of those that continue them."""
    if not reports.ended and not reports.left:
        return set()
    ended = {each.session.token_hash for each in reports.ended}
    places = {place_of(each.session) for each in reports.ended}
    successors = (decision.session for _, decision in decisions if decision.session is not None)
    # A session that is taken over is written twice, and PostgreSQL then looks up its gateway, which others may hold.
    return ended | {
        each.token_hash for each in successors if place_of(each) in places or each.roamed_from in reports.left
    }


def _with_lower_totals(entries: Iterable[Entry], sessions: Mapping[bytes, Session]) -> set[str]:
    """Return the gateways, by gw_id, that report lower totals than before: they may have restarted."""
    gw_ids: set[str] = set()
    last: dict[bytes, Octets] = {}
    for entry in entries:
        session, octets = sessions.get(entry.token_hash), entry.report.octets
        if session is not None and octets is not None and entry.report.stage is not Stage.LOGIN:
            if fell(last.get(entry.token_hash, session.last), octets):
                gw_ids.add(session.gw_id)
            last[entry.token_hash] = octets
    return gw_ids


def _too_late(arriving: Iterable[Entry]) -> set[Entry]:
    """
    Return the first reports on tokens whose answer was given up.

    The guest may have signed in anew since, and the old token would take the place of the new one.
    """
    late: set[Entry] = set()
    arrived: set[bytes] = set()
    for entry in arriving:
        if entry.answer.called and entry.token_hash not in arrived:
            late.add(entry)
        else:
            arrived.add(entry.token_hash)
    return late
