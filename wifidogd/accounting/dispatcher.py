"""
The one owner of all reports between their arrival and their answer.

It decides which reports form the next batch, when a batch starts, and which
reports are tried again; what settles a batch is a function that it is given.

There are two streams.  The prompt one takes nearly everything and leaves alone
whatever would end a session.  Logouts, endings, and whatever could not be
settled at the first try go through the patient one: a history table that is
locked, or a disk that is full, stops only those that need it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wifidogd.accounting.report_queue import Entry, Subject
from wifidogd.accounting.report_stream import BATCH, ReportStream
from wifidogd.domain.decisions import Decision
from wifidogd.domain.errors import Overloaded, StoreError, StoreUnavailable
from wifidogd.domain.sessions import Report, Stage
from wifidogd.runtime.deadlines import Deadlines

log = Logger()

IN_FLIGHT = 2
"""Batches of the prompt stream that are being settled at the same time, at most; the patient stream has one more."""

MAX_WAITING = 5000
"""Reports waiting in one stream, at most; beyond it gateways are told to leave their guests as they are."""

RETRY_PAUSE = 0.25
"""Seconds before the patient stream tries again after the database was away."""

ANSWER_STEP = 0.1
"""Seconds by which an answer that is given up may come late."""

HELD_MOST = 3.0
"""
Seconds for which a report may still be settled when its answer is due; less than any gateway lets pass between two.

Totals that are older than those that another server has settled would look like a gateway that started over.
"""

KEEP_LOGOUT = 600.0
"""Seconds that a logout is kept for a database that is away; then the session counts as stale anyway."""

Unsettled = Mapping[Entry, StoreError | None]
"""Reports of a batch that must be tried again, with what went wrong; None for those that were left to the patient."""

Settle = Callable[[Sequence[Entry], bool], Awaitable[Unsettled]]
"""
Settles a batch, answers what it can, and returns the rest; must not raise.

The second argument says whether reports that end a session are to be left alone.
"""


class Dispatcher:
    """Queues reports and has them settled in batches."""

    def __init__(self, settle: Settle, *, clock: IReactorTime) -> None:
        self._settle = settle
        self._clock = clock
        self._prompt = ReportStream(IN_FLIGHT, spares_endings=True)
        self._patient = ReportStream(1, spares_endings=False)
        self._held: set[Subject] = set()  # tokens of the batches in flight, and places of the patient one
        self._deadlines: Deadlines[Entry] = Deadlines(_give_up, step=ANSWER_STEP, clock=clock)
        self._drained: Deferred[None] | None = None
        self.is_stopping = False

    def submit(self, report: Report, token_hash: bytes, answer_within: float) -> Deferred[Decision]:
        """
        Queue a report.

        @param answer_within: seconds; it may still be settled for L{HELD_MOST} after it has been given up, and a logout
            for L{KEEP_LOGOUT}.
        @return: fails with L{StoreUnavailable} when that time is over.
        @raise Overloaded: if too many reports are waiting.
        """
        is_logout = report.stage is Stage.LOGOUT
        keep = KEEP_LOGOUT if is_logout else answer_within
        entry = Entry(report, token_hash, Deferred(), self._clock.seconds() + keep)
        # A report follows the last one on its session that waits; that one may still be in the prompt stream.
        follows = entry.follows(self._patient.waiting.has) and not entry.follows(self._prompt.waiting.has)
        stream = self._patient if is_logout or follows else self._prompt
        if len(stream.waiting) >= MAX_WAITING:
            raise Overloaded("too many reports are waiting")
        entry.deadline = self._deadlines.add(entry, answer_within)
        stream.waiting.append(entry)
        if stream.start is None:
            self._start(stream)
        return entry.answer

    @property
    def waiting(self) -> int:
        """How many reports wait in the prompt stream."""
        return len(self._prompt.waiting)

    def metrics(self) -> dict[str, int]:
        """Count what is queued and in flight, for monitors."""
        return {
            "reports_waiting": len(self._prompt.waiting) + len(self._patient.waiting),
            "batches_in_flight": self._prompt.in_flight + self._patient.in_flight,
        }

    async def drain(self) -> None:
        """Wait until every report has been settled or given up; what fails from now on is not tried again."""
        self.is_stopping = True
        if not self._is_empty:
            self._drained = Deferred()
            await self._drained

    @property
    def _is_empty(self) -> bool:
        return not any(self.metrics().values())

    def _start(self, stream: ReportStream) -> None:
        """Start as many batches as may start now, and plan the start of the next."""
        stream.start = None
        while stream.may_start:
            wait = stream.next_start - self._clock.seconds()
            if wait > 0:
                stream.start = self._clock.callLater(wait, self._start, stream)
                return
            batch = self._next_batch(stream)
            if not batch:
                return
            _ = ensureDeferred(self._run(stream, batch)).addErrback(partial(log.failure, "a batch of reports failed"))

    def _next_batch(self, stream: ReportStream) -> list[Entry]:
        """
        Take the reports that may be settled now, in order of arrival.

        A report waits for the batch in flight that is about its session, and
        for earlier reports on it that are to be tried again: totals that came
        out of order would look like a gateway that started over.  A sign-in
        waits for the end of the session in its place: the batch that it is in
        would have to wait for whatever that end waits for.
        """
        batch: list[Entry] = []
        passed_over: list[Entry] = []
        oldest = self._clock.seconds() - HELD_MOST
        while len(batch) < BATCH and (entry := stream.waiting.take()) is not None:
            if entry.keep_until < oldest:
                entry.fail(StoreUnavailable("the report has become too old"))
            elif stream is not self._patient and entry.follows(self._patient.waiting.has):
                self._patient.waiting.append(entry)
            elif entry.follows(self._held.__contains__):
                passed_over.append(entry)
            else:
                batch.append(entry)
        stream.waiting.put_back(passed_over)
        return batch

    async def _run(self, stream: ReportStream, batch: Sequence[Entry]) -> None:
        """Have a batch settled, then start what waited for it."""
        held: set[Subject] = {entry.token_hash for entry in batch}
        if stream is self._patient:
            held.update(subject for entry in batch for subject in entry.subjects)
        self._held |= held
        stream.in_flight += 1
        stream.began_at = self._clock.seconds()
        unsettled: Unsettled = {}
        try:
            unsettled = await self._settle(batch, stream.spares_endings)
        finally:
            self._held -= held
            stream.in_flight -= 1
            if unsettled:
                self._retry([(entry, unsettled[entry]) for entry in batch if entry in unsettled])
            self._proceed(stream)

    def _retry(self, unsettled: Sequence[tuple[Entry, StoreError | None]]) -> None:
        """Leave reports to the patient stream, and give up those that would come too late."""
        kept: list[Entry] = []
        latest = self._clock.seconds() + RETRY_PAUSE
        for entry, problem in unsettled:
            if problem is not None and (self.is_stopping or entry.keep_until <= latest):
                entry.fail(problem)
                continue
            kept.append(entry)
            if problem is not None and self._patient.rest is None:
                self._patient.rest = self._clock.callLater(RETRY_PAUSE, self._end_rest)
        self._patient.waiting.put_back(kept)

    def _end_rest(self) -> None:
        self._patient.rest = None
        if self._patient.start is None:
            self._start(self._patient)

    def _proceed(self, ended: ReportStream) -> None:
        """Start what a batch that has ended kept waiting."""
        if ended.start is not None:
            ended.start.cancel()
            ended.start = None
        for stream in (ended, self._prompt, self._patient):
            if stream.start is None:
                self._start(stream)
        if self._drained is not None and self._is_empty:
            drained, self._drained = self._drained, None
            drained.callback(None)


def _give_up(entry: Entry) -> None:
    entry.fail(StoreUnavailable("the database is too slow"))
