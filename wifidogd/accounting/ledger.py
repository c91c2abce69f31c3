"""
Group commit for gateway reports.

Reports that arrive while a batch is being settled form the next one: a lone
report is settled at once, a busy server pays one COMMIT for hundreds.  An
answer goes out only after COMMIT.

Logouts, and whatever could not be settled at the first try, go another way
than the others: a table of history that is locked, or a disk that is full,
stops those that need it, and nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wifidogd.accounting.commit import Settled, settle
from wifidogd.accounting.report_queue import BATCH, Entry, ReportQueue
from wifidogd.domain.decisions import Decision
from wifidogd.domain.errors import Overloaded, StoreConflict, StoreError, StoreRefused, StoreUnavailable
from wifidogd.domain.sessions import Dialect, Report, Stage, UtcNow
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.deadlines import Deadlines
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.store.driver.database import Cursor, Database

IN_FLIGHT = 2
"""Batches being settled at the same time, at most; one more of those that go the other way."""

TRANSACTIONS = IN_FLIGHT + 1
"""Of the ledger, at the same time, at most."""

MAX_WAITING = 5000
"""Reports waiting either way, at most; beyond it gateways are told to leave their guests as they are."""

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


class Ledger:
    """
    Settles what gateways report.

    @ivar unsettled_at: when a report last could not be settled; None if that never happened.
    """

    def __init__(
        self,
        database: Database,
        directory: Registry,
        *,
        clock: IReactorTime,
        utc_now: UtcNow,
        woke_at: Callable[[], float | None] = lambda: None,
        clock_set_at: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """
        @param woke_at: tells when this process went on after it had been stopped; None for never.
        @param clock_set_at: tells when the wall clock was last set; None for never.
        """
        self._woke_at = woke_at
        self._clock_set_at = clock_set_at
        self._database = database
        self._directory = directory
        self._clock = clock
        self._utc_now = utc_now
        self._log = RateLimitedLog(Logger(), clock)
        self._prompt = ReportQueue(IN_FLIGHT, self._begin, clock=clock)
        self._patient = ReportQueue(1, self._begin, clock=clock)
        self._held: set[bytes] = set()
        self._due: Deadlines[Entry] = Deadlines(self._give_up, step=ANSWER_STEP, clock=clock)
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
        token_hash = hash_secret(report.token)
        is_last_word = report.stage is Stage.LOGOUT
        lane = self._patient if is_last_word or self._patient.has(token_hash) else self._prompt
        if len(lane.waiting) >= MAX_WAITING:
            self.unsettled_at = self._utc_now()
            return fail(Overloaded("too many reports are waiting"))
        if not is_last_word and self._has_just_woken():
            self.unsettled_at = self._utc_now()
            return fail(StoreUnavailable("this process was stopped, and the report may be as old"))
        patience = answer_within(report)
        keep = KEEP_LOGOUT if is_last_word else patience
        entry = Entry(report, token_hash, Deferred(), self._clock.seconds() + keep)
        entry.company = self._due.add(entry, patience)
        lane.add(entry)
        lane.go_on()
        return entry.answer

    def figures(self) -> dict[str, int]:
        """Count what is queued, for monitors."""
        lanes = (self._prompt, self._patient)
        return {
            "reports_waiting": sum(len(lane.waiting) for lane in lanes),
            "batches_in_flight": sum(lane.in_flight for lane in lanes),
        }

    async def drain(self) -> None:
        """Accept nothing more and wait until what was accepted has been settled or given up."""
        self._stopping = True
        if not self._is_empty():
            self._idle = Deferred()
            await self._idle

    def _is_empty(self) -> bool:
        return self._prompt.is_empty and self._patient.is_empty

    def _begin(self, lane: ReportQueue) -> bool:
        """Begin to settle the next batch, if there is one that may be settled now."""
        batch = self._next_batch(lane)
        if batch:
            tokens = {entry.token_hash for entry in batch}
            self._held |= tokens
            lane.began()
            _ = Deferred.fromCoroutine(self._settle(batch, lane)).addBoth(self._ended, lane, tokens)
        return bool(batch)

    def _has_just_woken(self) -> bool:
        """Tell whether what is heard now may have been said long ago."""
        woke_at = self._woke_at()
        return woke_at is not None and self._clock.seconds() - woke_at < HELD_MOST

    def _next_batch(self, lane: ReportQueue) -> list[Entry]:
        """
        Take the reports that may be settled now, in order of arrival.

        Those on a session that another batch is about, or an earlier report
        that waits for another try, wait for it: totals that came out of order
        would look like a gateway that started over.
        """
        batch: list[Entry] = []
        passed_over: list[Entry] = []
        while lane.waiting and len(batch) < BATCH:
            entry = lane.take()
            if self._clock.seconds() > entry.keep_until + HELD_MOST:
                self._fail(entry, StoreUnavailable("the report has become too old"))
            elif lane is self._prompt and self._patient.has(entry.token_hash):
                self._patient.add(entry)
            else:
                (passed_over if entry.token_hash in self._held else batch).append(entry)
        lane.put_back(passed_over)
        return batch

    def _ended(self, result: object, lane: ReportQueue, tokens: set[bytes]) -> None:
        self._held -= tokens
        lane.ended()
        for each in (self._prompt, self._patient):
            each.go_on()
        if self._idle is not None and self._is_empty():
            idle, self._idle = self._idle, None
            idle.callback(None)

    async def _settle(self, batch: Sequence[Entry], lane: ReportQueue) -> None:
        """Settle a batch and hand out the answers; never fails."""
        try:
            work = partial(self._judge, batch, lane)
            done = await self._database.transaction(work, deadline=SETTLE_WITHIN, urgent=True)
        except StoreUnavailable as problem:
            self._put_off(batch, problem)
        except Exception as problem:
            await self._settle_apart(batch, lane, problem)
        else:
            for entry, decision in done.decisions:
                entry.company.discard(entry)
                if not entry.answer.called:
                    entry.answer.callback(decision)
            self._patient.put_back(done.endings)

    async def _settle_apart(self, batch: Sequence[Entry], lane: ReportQueue, problem: Exception) -> None:
        """Settle the halves of a batch that failed as a whole, until the report to blame is alone."""
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._settle(batch[:middle], lane)
            await self._settle(batch[middle:], lane)
        elif isinstance(problem, StoreConflict):
            self._put_off(batch, problem)
        else:
            self._log.warn("report {report} cannot be settled: {problem}", report=batch[0].report, problem=problem)
            self._fail(batch[0], StoreRefused(str(problem)))

    def _put_off(self, batch: Sequence[Entry], problem: StoreError) -> None:
        """Keep the reports that may wait for another try; give up the others."""
        self.unsettled_at = self._utc_now()
        now = self._clock.seconds()
        kept = []
        for entry in batch:
            if self._stopping or now + PAUSE >= entry.keep_until:
                self._fail(entry, problem)
            else:
                kept.append(entry)
        if kept:
            self._patient.put_back(kept)
            self._patient.rest(PAUSE)

    def _give_up(self, entry: Entry) -> None:
        self._fail(entry, StoreUnavailable("the database is too slow"))

    def _fail(self, entry: Entry, problem: StoreError) -> None:
        entry.company.discard(entry)
        if not entry.answer.called:
            entry.answer.errback(problem)

    async def _judge(self, batch: Sequence[Entry], lane: ReportQueue, cursor: Cursor) -> Settled:
        if not self._directory.loaded:
            raise StoreUnavailable("which gateways are adopted is not known yet")
        return await settle(
            cursor,
            batch,
            self._directory.may_ask,
            self._utc_now(),
            clock_set_at=self._clock_set_at(),
            spares_endings=lane is self._prompt,
        )
