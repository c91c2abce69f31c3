"""
Group commit for gateway reports.

Reports that arrive while a batch is being settled form the next one: a lone
report is settled at once, a busy server pays one COMMIT for hundreds.  An
answer goes out only after COMMIT.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from wifidogd.books import close_books, open_books
from wifidogd.credentials import hash_secret
from wifidogd.deadlines import Deadlines
from wifidogd.directory import Directory
from wifidogd.errors import Overloaded, StoreConflict, StoreError, StoreRefused, StoreUnavailable
from wifidogd.model import Dialect, Report, Stage, UtcNow
from wifidogd.rules import Decision, takes_place
from wifidogd.settlement import Settlement
from wifidogd.sparing import SparingLog
from wifidogd.store.database import Cursor, Database
from wifidogd.store.sessions import end_sessions, lock_online, lock_sessions, save_sessions

BATCH = 300
"""Reports settled in one transaction, at most."""

IN_FLIGHT = 2
"""Batches being settled at the same time, at most."""

PACE = 0.01
"""
Seconds between the starts of two batches, at least.

A lone report is settled at once; on a busy server a few more share a COMMIT.
"""

HELD_UP = 0.05
"""Seconds after which a batch in flight is not waited for: it may be stuck at rows that somebody else holds."""

MAX_WAITING = 5000
"""Reports waiting for a batch, at most; beyond it gateways are told to leave their guests as they are."""

SETTLE_WITHIN = timedelta(seconds=2)
"""How long one batch may take before its connection is given up."""

PAUSE = 0.25
"""Seconds before reports that may wait are tried again on a database that was away."""

ANSWER_WITHIN = 0.7
"""Seconds until a gateway must have an answer: apfree hangs up after 2 s, wifidog-ng 1.x after 1 s."""

ANSWER_STEP = 0.1
"""Seconds by which an answer that is given up may come late."""

PATIENT_ANSWER_WITHIN = 10.0
"""The reference gateway waits 30 s, and a guest signing in does not notice a restarting database."""

HELD_MOST = 3.0
"""
Seconds for which a report may still be settled when its answer is due; less than any gateway lets pass between two.

Totals that are older than those that another server has settled would look like a gateway that started over.
"""

KEEP_LOGOUT = 600.0
"""Seconds that a logout is kept for a database that is away; then the session counts as stale anyway."""


def answer_within(report: Report) -> float:
    """Say how many seconds the gateway that sent C{report} may be kept waiting."""
    patient = report.stage is Stage.LOGIN and report.dialect is Dialect.WIFIDOG
    return PATIENT_ANSWER_WITHIN if patient else ANSWER_WITHIN


@dataclass(slots=True, eq=False)
class _Entry:
    """A report in the queue; after C{keep_until} nobody needs it settled any more."""

    report: Report
    token_hash: bytes
    answer: Deferred[Decision]
    keep_until: float
    company: set[_Entry] = field(default_factory=set)


class Ledger:
    """
    Settles what gateways report.

    @ivar unsettled_at: when a report last could not be settled; None if that never happened.
    """

    def __init__(
        self,
        database: Database,
        directory: Directory,
        *,
        clock: IReactorTime,
        utc_now: UtcNow,
        woke_at: Callable[[], float | None] = lambda: None,
    ) -> None:
        """
        @param woke_at: tells when this process went on after it had been stopped; None for never.
        """
        self._woke_at = woke_at
        self._database = database
        self._directory = directory
        self._clock = clock
        self._utc_now = utc_now
        self._log = SparingLog(Logger(), clock)
        self._waiting: deque[_Entry] = deque()
        self._in_flight = 0
        self._started_at = 0.0
        self._held: set[bytes] = set()
        self._pause: IDelayedCall | None = None
        self._turn: IDelayedCall | None = None
        self._due: Deadlines[_Entry] = Deadlines(self._give_up, step=ANSWER_STEP, clock=clock)
        self._idle: Deferred[None] | None = None
        self._stopping = False
        self.unsettled_at: datetime | None = None

    def settle(self, report: Report) -> Deferred[Decision]:
        """
        Judge one report; what it changes is on disk when the answer comes.

        A report whose answer comes too late may still be settled, for a
        while: totals and repeated logins make that harmless.  A logout is the
        last word on its session, however old.

        @return: fails with L{StoreUnavailable} if it takes longer than the gateway waits, or cannot be done, and with
            L{Overloaded} if too many reports are waiting.
        """
        if self._stopping:
            return fail(StoreUnavailable("the server is stopping"))
        if len(self._waiting) >= MAX_WAITING:
            self.unsettled_at = self._utc_now()
            return fail(Overloaded("too many reports are waiting"))
        if report.stage is not Stage.LOGOUT and self._has_just_woken():
            self.unsettled_at = self._utc_now()
            return fail(StoreUnavailable("this process was stopped, and the report may be as old"))
        patience = answer_within(report)
        keep = KEEP_LOGOUT if report.stage is Stage.LOGOUT else patience
        entry = _Entry(report, hash_secret(report.token), Deferred(), self._clock.seconds() + keep)
        entry.company = self._due.add(entry, patience)
        self._waiting.append(entry)
        if self._turn is None:
            self._start_batches()
        return entry.answer

    def figures(self) -> dict[str, int]:
        """Count what is queued, for monitors."""
        return {"reports_waiting": len(self._waiting), "batches_in_flight": self._in_flight}

    async def drain(self) -> None:
        """Accept nothing more and wait until what was accepted has been settled or given up."""
        self._stopping = True
        if self._in_flight or self._waiting:
            self._idle = Deferred()
            await self._idle

    def _start_batches(self) -> None:
        """Start as many batches as may be now, and look again when the next one may."""
        self._turn = None
        while self._waiting and self._in_flight < IN_FLIGHT and self._pause is None:
            wait = self._next_start() - self._clock.seconds()
            if wait > 0:
                self._turn = self._clock.callLater(wait, self._start_batches)
                return
            batch = self._next_batch()
            if not batch:
                return
            tokens = {entry.token_hash for entry in batch}
            self._held |= tokens
            self._in_flight += 1
            self._started_at = self._clock.seconds()
            _ = Deferred.fromCoroutine(self._settle(batch)).addBoth(self._batch_done, tokens)

    def _has_just_woken(self) -> bool:
        """Tell whether what is heard now may have been said long ago."""
        woke_at = self._woke_at()
        return woke_at is not None and self._clock.seconds() - woke_at < HELD_MOST

    def _next_start(self) -> float:
        """Say when the next batch may start, by the clock: beside another only if it is full, or that one is stuck."""
        if self._in_flight and len(self._waiting) < BATCH:
            return self._started_at + HELD_UP
        return self._started_at + PACE

    def _next_batch(self) -> list[_Entry]:
        """
        Take the reports that may be settled now, in order of arrival.

        Those on a session that another batch is about wait for it: totals
        that came out of order would look like a gateway that started over.
        """
        batch: list[_Entry] = []
        passed_over: list[_Entry] = []
        while self._waiting and len(batch) < BATCH:
            entry = self._waiting.popleft()
            if self._clock.seconds() > entry.keep_until + HELD_MOST:
                self._fail(entry, StoreUnavailable("the report has become too old"))
                continue
            (passed_over if entry.token_hash in self._held else batch).append(entry)
        self._waiting.extendleft(reversed(passed_over))
        return batch

    def _batch_done(self, result: object, tokens: set[bytes]) -> None:
        self._in_flight -= 1
        self._held -= tokens
        if self._turn is not None:
            self._turn.cancel()
        self._start_batches()
        if self._idle is not None and not self._in_flight and not self._waiting:
            idle, self._idle = self._idle, None
            idle.callback(None)

    async def _settle(self, batch: Sequence[_Entry]) -> None:
        """Settle a batch and hand out the answers; never fails."""
        try:
            work = partial(self._judge, batch)
            settled = await self._database.transaction(work, deadline=SETTLE_WITHIN, urgent=True)
        except StoreUnavailable as problem:
            self._put_off(batch, problem)
        except Exception as problem:
            await self._settle_apart(batch, problem)
        else:
            for entry, decision in settled:
                entry.company.discard(entry)
                if not entry.answer.called:
                    entry.answer.callback(decision)

    async def _settle_apart(self, batch: Sequence[_Entry], problem: Exception) -> None:
        """Settle the halves of a batch that failed as a whole, until the report to blame is alone."""
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._settle(batch[:middle])
            await self._settle(batch[middle:])
        elif isinstance(problem, StoreConflict):
            self._put_off(batch, problem)
        else:
            self._log.warn("report {report} cannot be settled: {problem}", report=batch[0].report, problem=problem)
            self._fail(batch[0], StoreRefused(str(problem)))

    def _put_off(self, batch: Sequence[_Entry], problem: StoreError) -> None:
        """Keep the reports that may wait for another try; give up the others."""
        self.unsettled_at = self._utc_now()
        now = self._clock.seconds()
        for entry in reversed(batch):
            if self._stopping or now + PAUSE >= entry.keep_until:
                self._fail(entry, problem)
            else:
                self._waiting.appendleft(entry)
        if self._waiting and self._pause is None:
            self._pause = self._clock.callLater(PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._start_batches()

    def _give_up(self, entry: _Entry) -> None:
        self._fail(entry, StoreUnavailable("the database is too slow"))

    def _fail(self, entry: _Entry, problem: StoreError) -> None:
        entry.company.discard(entry)
        if not entry.answer.called:
            entry.answer.errback(problem)

    async def _judge(self, batch: Sequence[_Entry], cursor: Cursor) -> list[tuple[_Entry, Decision]]:
        """Settle what is not too late."""
        if not self._directory.loaded:
            raise StoreUnavailable("which gateways are adopted is not known yet")
        now = self._utc_now()
        sessions = await lock_sessions(cursor, sorted({entry.token_hash for entry in batch}))
        arriving = [entry for entry in batch if takes_place(sessions.get(entry.token_hash), entry.report)]
        late = _too_late(arriving)
        places = {(sessions[entry.token_hash].gw_id, str(entry.report.mac)) for entry in arriving if entry not in late}
        online = await lock_online(cursor, sorted(places)) if places else []
        tallies = await open_books(cursor, (*sessions.values(), *online), now)
        settlement = Settlement(sessions, online, self._directory.may_ask, tallies)
        settled = [
            (entry, settlement.enter(entry.token_hash, entry.report, now)) for entry in batch if entry not in late
        ]
        if settlement.ended:
            await end_sessions(cursor, settlement.ended)
        if settlement.changed:
            save_sessions(cursor, settlement.changed)
        await close_books(cursor, settlement, now)
        return settled


def _too_late(arriving: Iterable[_Entry]) -> set[_Entry]:
    """
    Pick the first reports on tokens whose answer was given up.

    The guest may have signed in anew since, and the old token would take the place of the new one.
    """
    late: set[_Entry] = set()
    arrived: set[bytes] = set()
    for entry in arriving:
        if entry.answer.called and entry.token_hash not in arrived:
            late.add(entry)
        else:
            arrived.add(entry.token_hash)
    return late
