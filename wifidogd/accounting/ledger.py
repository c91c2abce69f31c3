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

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wifidogd.accounting.commit import Settled, settle
from wifidogd.accounting.dispatcher import HELD_MOST, IN_FLIGHT, Dispatcher, Unsettled
from wifidogd.accounting.report_queue import Entry
from wifidogd.domain.decisions import Decision
from wifidogd.domain.errors import Overloaded, StoreConflict, StoreRefused, StoreUnavailable
from wifidogd.domain.sessions import Dialect, Report, Stage, UtcNow
from wifidogd.domain.tokens import hash_secret
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
    ) -> None:
        """
        @param clock_watch: knows when this process was suspended and when the wall clock was set; None for never.
        """
        self._database = database
        self._registry = registry
        self._clock = clock
        self._utc_now = utc_now
        self._clock_watch = clock_watch
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
        if self._dispatcher.is_stopping:
            return fail(StoreUnavailable("the server is stopping"))
        if report.stage is not Stage.LOGOUT and self._has_just_woken():
            self.unsettled_at = self._utc_now()
            return fail(StoreUnavailable("this process was suspended, and the report may be as old"))
        try:
            return self._dispatcher.submit(report, hash_secret(report.token), answer_within(report))
        except Overloaded as problem:
            self.unsettled_at = self._utc_now()
            return fail(problem)

    async def drain(self) -> None:
        """Refuse new reports and wait until those accepted have been settled or given up."""
        await self._dispatcher.drain()

    def _has_just_woken(self) -> bool:
        """Return whether a report that is read now may have been sent long ago."""
        woke_at = None if self._clock_watch is None else self._clock_watch.woke_at
        return woke_at is not None and self._clock.seconds() - woke_at < HELD_MOST

    async def _settle(self, batch: Sequence[Entry], spares_endings: bool) -> Unsettled:
        """Settle a batch in one transaction and answer its reports; see L{Settle<wifidogd.accounting.dispatcher>}."""
        try:
            work = partial(self._judge, batch, spares_endings)
            settled = await self._database.transaction(work, deadline=SETTLE_WITHIN, urgent=True)
        except StoreUnavailable as problem:
            self.unsettled_at = self._utc_now()
            return dict.fromkeys(batch, problem)
        except Exception as problem:
            return await self._settle_apart(batch, spares_endings, problem)
        for entry, decision in settled.decisions:
            entry.succeed(decision)
        return dict.fromkeys(settled.endings)

    async def _settle_apart(self, batch: Sequence[Entry], spares_endings: bool, problem: Exception) -> Unsettled:
        """Settle the halves of a batch that failed as a whole, until the report to blame is alone."""
        if len(batch) > 1:
            middle = len(batch) // 2
            first = await self._settle(batch[:middle], spares_endings)
            return {**first, **await self._settle(batch[middle:], spares_endings)}
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
