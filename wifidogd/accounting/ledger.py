"""
Group commit for gateway reports.

Reports that arrive while a batch is being settled form the next one: a lone
report is settled at once, a busy server pays one COMMIT for hundreds.  An
answer goes out only after COMMIT.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from wifidogd.accounting.commit import Settled, settle
from wifidogd.accounting.dispatcher import HELD_MOST, IN_FLIGHT, MAX_WAITING, Dispatcher, Unsettled
from wifidogd.accounting.report_queue import Entry
from wifidogd.accounting.report_stream import BATCH
from wifidogd.domain.decisions import Decision
from wifidogd.domain.errors import Overloaded, StoreConflict, StoreError, StoreLocked, StoreRefused, StoreUnavailable
from wifidogd.domain.sessions import Dialect, Report, Stage, UtcNow
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.observations import Observations
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.clock_watch import ClockWatch
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.store.driver.database import Cursor, Database

TRANSACTIONS = IN_FLIGHT + 1
"""Of the ledger, at the same time, at most."""

SETTLE_WITHIN = timedelta(seconds=2)
"""How long one batch may take before its connection is given up."""

ANSWER_WITHIN = 0.7
"""Seconds until a gateway must have an answer: apfree hangs up after 2 s, wifidog-ng 1.x after 1 s."""

LIST_ANSWER_WITHIN = {Dialect.APFREE: 1.3}
"""Seconds until a gateway must have the answer to a list of clients; L{ANSWER_WITHIN} where none are named."""

LIST_PART = BATCH
"""Reports of one list that wait to be settled at the same time: others have their turn between the parts."""

MOST_BEFORE_LISTS = MAX_WAITING // 2
"""Reports waiting beyond which no part of a list is accepted: it can be had in an interval, and a login cannot."""

PATIENT_ANSWER_WITHIN = 10.0
"""The reference gateway waits 30 s, and a guest signing in does not notice a restarting database."""


def answer_within(report: Report) -> float:
    """Return the seconds for which the gateway that sent C{report} may be kept waiting."""
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
        registry: Registry,
        *,
        clock: IReactorTime,
        utc_now: UtcNow,
        clock_watch: ClockWatch | None = None,
        observations: Observations | None = None,
    ) -> None:
        """
        @param clock_watch: knows when this process was suspended and when the wall clock was set; None for never.
        @param observations: learns from what is settled, and says which direction is which; None to take dialects at
            their words.
        """
        self._database = database
        self._registry = registry
        self._clock = clock
        self._utc_now = utc_now
        self._clock_watch = clock_watch
        self._observations = observations
        self._log = RateLimitedLog(Logger(), clock)
        self._dispatcher = Dispatcher(self._settle, clock=clock)
        self.metrics = self._dispatcher.metrics
        self.unsettled_at: datetime | None = None

    def settle(self, report: Report) -> Deferred[Decision]:
        """
        Judge one report; what it changes is on disk when the answer comes.

        A report whose answer comes too late may still be settled, for a
        while: totals and repeated logins make that harmless.  A logout is
        settled however old it is: nothing follows it on its session.

        @return: fails with L{StoreUnavailable} if it takes longer than the gateway waits, or cannot be done, and with
            L{Overloaded} if too many reports are waiting.
        """
        return self._submit(report, answer_within(report))

    def _submit(self, report: Report, within: float) -> Deferred[Decision]:
        if self._dispatcher.is_stopping:
            return fail(StoreUnavailable("the server is stopping"))
        if report.stage is not Stage.LOGOUT and self.has_just_woken:
            self.unsettled_at = self._utc_now()
            return fail(StoreUnavailable("this process was suspended, and the report may be as old"))
        if self._observations is not None:
            report = self._observations.direct(report)
        try:
            return self._dispatcher.submit(report, hash_secret(report.token), within)
        except Overloaded as problem:
            self.unsettled_at = self._utc_now()
            return fail(problem)

    async def settle_list(self, reports: Sequence[Report]) -> list[Decision | None]:
        """
        Judge the reports of one list, in parts; what they change is on disk when the answer comes.

        @param reports: all of one gateway's dialect, each about another client.
        @return: the decisions on them in their order; None for a report that could not be settled in time.
        """
        if not reports:
            return []
        due = self._clock.seconds() + LIST_ANSWER_WITHIN.get(reports[0].dialect, ANSWER_WITHIN)
        decisions: list[Decision | None] = []
        for first in range(0, len(reports), LIST_PART):
            left = due - self._clock.seconds()
            part = reports[first : first + LIST_PART]
            outcomes = await DeferredList([self._settle_listed(each, left) for each in part], consumeErrors=True)
            decisions += [_decision_or_none(outcome) for _, outcome in outcomes]
        return decisions

    def _settle_listed(self, report: Report, within: float) -> Deferred[Decision]:
        if within <= 0:
            return fail(StoreUnavailable("the list has taken too long"))
        if self._dispatcher.waiting > MOST_BEFORE_LISTS:
            self.unsettled_at = self._utc_now()
            return fail(Overloaded("too many reports are waiting"))
        return self._submit(report, within)

    async def drain(self) -> None:
        """Refuse new reports and wait until those accepted have been settled or given up."""
        await self._dispatcher.drain()

    @property
    def has_just_woken(self) -> bool:
        """Whether a report that is read now may have been sent long ago."""
        woke_at = None if self._clock_watch is None else self._clock_watch.woke_at
        return woke_at is not None and self._clock.seconds() - woke_at < HELD_MOST

    async def _settle(self, batch: Sequence[Entry], spares_endings: bool) -> Unsettled:
        """Settle a batch in one transaction and answer its reports; see L{Settle<wifidogd.accounting.dispatcher>}."""
        try:
            work = partial(self._judge, batch, spares_endings)
            settled = await self._database.transaction(work, deadline=SETTLE_WITHIN, urgent=True)
        except StoreUnavailable as problem:
            if spares_endings and isinstance(problem, StoreLocked):
                return await self._settle_apart(batch, spares_endings, problem)
            self.unsettled_at = self._utc_now()
            return dict.fromkeys(batch, problem)
        except Exception as problem:
            return await self._settle_apart(batch, spares_endings, problem)
        for entry, decision in settled.decisions:
            if self._observations is not None and decision.session is not None:
                self._observations.hear(entry.report, decision.session.gw_id)
            entry.succeed(decision)
        return dict.fromkeys(settled.endings)

    async def _settle_apart(self, batch: Sequence[Entry], spares_endings: bool, problem: Exception) -> Unsettled:
        """Settle the halves of a batch that failed as a whole, until the report to blame is alone."""
        if len(batch) > 1:
            middle = len(batch) // 2
            first = await self._settle(batch[:middle], spares_endings)
            return {**first, **await self._settle(batch[middle:], spares_endings)}
        if isinstance(problem, StoreLocked):
            # The session is being ended, or changed for as long as a page takes; the patient stream waits for it.
            return {batch[0]: None}
        if isinstance(problem, StoreConflict):
            self.unsettled_at = self._utc_now()
            return {batch[0]: problem}
        self._log.warn("report {report} cannot be settled: {problem}", report=batch[0].report, problem=problem)
        batch[0].fail(StoreRefused(str(problem)))
        return {}

    async def _judge(self, batch: Sequence[Entry], spares_endings: bool, cursor: Cursor) -> Settled:
        if not self._registry.loaded:
            raise StoreUnavailable("which gateways are adopted is not known yet")
        return await settle(
            cursor,
            batch,
            self._registry.may_ask,
            self._utc_now(),
            clock_set_at=None if self._clock_watch is None else self._clock_watch.set_at,
            spares_endings=spares_endings,
        )


def _decision_or_none(outcome: Decision | Failure) -> Decision | None:
    """Return what was settled; None for what could not be, or for what nobody waits any more."""
    if isinstance(outcome, Failure):
        outcome.trap(StoreError, Overloaded, CancelledError)
        return None
    return outcome
