"""A queue of gateways' reports, and the pace at which batches of it are settled."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from wifidogd.domain.decisions import Decision
from wifidogd.domain.sessions import Report

BATCH = 300
"""Reports settled in one transaction, at most."""

PACE = 0.01
"""
Seconds between the starts of two batches, at least.

A lone report is settled at once; on a busy server a few more share a COMMIT.
"""

HELD_UP = 0.05
"""Seconds after which a batch in flight is not waited for: it may be stuck at rows that somebody else holds."""


@dataclass(slots=True, eq=False)
class Entry:
    """
    A report in the queue.

    @ivar keep_until: by the clock; nobody needs it settled later.
    @ivar company: those whose answers are due at the same time; it leaves them once it has one.
    """

    report: Report
    token_hash: bytes
    answer: Deferred[Decision]
    keep_until: float
    company: set[Entry] = field(default_factory=set)


class ReportQueue:
    """
    Reports in order of arrival, of which a bounded number of batches is in flight.

    @ivar waiting: those of which no batch has begun.
    @ivar in_flight: batches.
    """

    def __init__(self, most: int, begin: Callable[[ReportQueue], bool], *, clock: IReactorTime) -> None:
        """
        @param most: batches in flight.
        @param begin: called when a batch may begin, with this; tells whether one did.
        """
        self.waiting: deque[Entry] = deque()
        self.in_flight = 0
        self._tokens: Counter[bytes] = Counter()
        self._most = most
        self._begin = begin
        self._clock = clock
        self._began_at = 0.0
        self._pause: IDelayedCall | None = None
        self._turn: IDelayedCall | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and nothing is in flight."""
        return not self.in_flight and not self.waiting

    def has(self, token_hash: bytes) -> bool:
        """Tell whether a report on a token waits."""
        return token_hash in self._tokens

    def add(self, entry: Entry) -> None:
        """Let a report wait as the last."""
        self._tokens[entry.token_hash] += 1
        self.waiting.append(entry)

    def put_back(self, entries: Iterable[Entry]) -> None:
        """Let reports wait as the first, in this order."""
        for entry in reversed([*entries]):
            self._tokens[entry.token_hash] += 1
            self.waiting.appendleft(entry)

    def take(self) -> Entry:
        """Take the first that waits."""
        entry = self.waiting.popleft()
        self._tokens[entry.token_hash] -= 1
        if not self._tokens[entry.token_hash]:
            del self._tokens[entry.token_hash]
        return entry

    def go_on(self) -> None:
        """Begin what may begin, unless that is planned already."""
        if self._turn is None:
            self._start()

    def began(self) -> None:
        """Count a batch in."""
        self.in_flight += 1
        self._began_at = self._clock.seconds()

    def ended(self) -> None:
        """Count a batch out; the next need not wait for it any longer."""
        self.in_flight -= 1
        if self._turn is not None:
            self._turn.cancel()
        self._start()

    def rest(self, seconds: float) -> None:
        """Begin nothing for a while, unless a rest is going on."""
        if self._pause is None:
            self._pause = self._clock.callLater(seconds, self._rested)

    def _rested(self) -> None:
        self._pause = None
        self.go_on()

    def _start(self) -> None:
        """Begin as many batches as may be now, and look again when the next one may."""
        self._turn = None
        while self.waiting and self.in_flight < self._most and self._pause is None:
            wait = self._next_start() - self._clock.seconds()
            if wait > 0:
                self._turn = self._clock.callLater(wait, self._start)
                return
            if not self._begin(self):
                return

    def _next_start(self) -> float:
        """Say when the next batch may start, by the clock: beside another only if it is full, or that one is stuck."""
        if self.in_flight and len(self.waiting) < BATCH:
            return self._began_at + HELD_UP
        return self._began_at + PACE
