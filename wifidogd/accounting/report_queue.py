"""Reports that wait to be settled, in order of arrival."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from twisted.internet.defer import Deferred

from wifidogd.domain.decisions import Decision
from wifidogd.domain.errors import WifidogdError
from wifidogd.domain.sessions import Report
from wifidogd.runtime.deadlines import Deadline


@dataclass(slots=True, eq=False)
class Entry:
    """
    A report, and the answer that its gateway is waiting for.

    @ivar answer: fires once with the decision, or with the reason why there is none.
    @ivar keep_until: the clock time in seconds up to which the report is retried after a failure.
    @ivar deadline: when the gateway must have its answer; None before the report is queued.
    """

    report: Report
    token_hash: bytes
    answer: Deferred[Decision]
    keep_until: float
    deadline: Deadline[Entry] | None = None

    def succeed(self, decision: Decision) -> None:
        """Answer the gateway, unless it has been answered."""
        if self.deadline is not None:
            self.deadline.cancel()
        if not self.answer.called:
            self.answer.callback(decision)

    def fail(self, problem: WifidogdError) -> None:
        """Answer the gateway that nobody can decide, unless it has been answered."""
        if self.deadline is not None:
            self.deadline.cancel()
        if not self.answer.called:
            self.answer.errback(problem)


class ReportQueue:
    """A queue that also knows which tokens its reports are about."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._tokens: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def has(self, token_hash: bytes) -> bool:
        """Return whether a report on this token is waiting."""
        return token_hash in self._tokens

    def append(self, entry: Entry) -> None:
        """Add a report at the end."""
        self._tokens[entry.token_hash] = self._tokens.get(entry.token_hash, 0) + 1
        self._entries.append(entry)

    def put_back(self, entries: Iterable[Entry]) -> None:
        """Insert reports at the front, in their order."""
        for entry in reversed([*entries]):
            self._tokens[entry.token_hash] = self._tokens.get(entry.token_hash, 0) + 1
            self._entries.appendleft(entry)

    def take(self) -> Entry | None:
        """Remove and return the first report; None if there is none."""
        if not self._entries:
            return None
        entry = self._entries.popleft()
        left = self._tokens.pop(entry.token_hash) - 1
        if left:
            self._tokens[entry.token_hash] = left
        return entry
