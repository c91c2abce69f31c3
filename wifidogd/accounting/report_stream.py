"""One of the streams in which reports are settled: those that wait, and when the next batch of them may start."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from twisted.internet.interfaces import IDelayedCall

from wifidogd.accounting.report_queue import ReportQueue

BATCH = 300
"""Reports settled in one transaction, at most."""

PACE = 0.01
"""
Seconds between the starts of two batches of a stream, at least.

A lone report is settled at once; on a busy server a few more share a COMMIT.
"""

HELD_UP = 0.05
"""
Seconds after which a batch in flight is not waited for: it may be stuck at rows that somebody else has locked.

Until then a second one starts beside it only if it is full.
"""


@dataclass(slots=True, eq=False)
class ReportStream:
    """
    Reports that are settled by the same rules, and the pace of their batches.

    @ivar most_in_flight: batches, at the same time.
    @ivar spares_endings: whether it leaves alone whatever ends a session.
    @ivar began_at: the clock time at which the latest batch started.
    @ivar start: the planned start of the next batch.
    @ivar rest: the end of a pause in which no batch starts.
    """

    most_in_flight: int
    spares_endings: bool
    waiting: ReportQueue = field(default_factory=ReportQueue)
    in_flight: int = 0
    began_at: float = -inf
    start: IDelayedCall | None = None
    rest: IDelayedCall | None = None

    @property
    def may_start(self) -> bool:
        """Whether another batch may be in flight."""
        return len(self.waiting) > 0 and self.in_flight < self.most_in_flight and self.rest is None

    @property
    def next_start(self) -> float:
        """The earliest clock time at which the next batch may start."""
        pause = HELD_UP if self.in_flight and len(self.waiting) < BATCH else PACE
        return self.began_at + pause
