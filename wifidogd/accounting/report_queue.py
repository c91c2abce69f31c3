"""Reports that wait to be settled, in order of arrival."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred

from wifidogd.domain.decisions import Decision
from wifidogd.domain.errors import WifidogdError
from wifidogd.domain.sessions import Place, Report, Stage
from wifidogd.runtime.deadlines import Deadline

Subject = bytes | Place
"""A token, hashed, or where a guest is: a sign-in there ends the session that is there."""


@dataclass(slots=True, eq=False)
class Entry:
    """
    A report, and the answer that its gateway is waiting for.

    @ivar answer: fires once with the decision, or with the reason why there is none.
    @ivar keep_until: the clock time in seconds up to which the report is retried after a failure.
    @ivar deadline: when the gateway must have its answer; None before the report is queued.
    @ivar subjects: its token, and the place that it names, if any.
    """

    report: Report
    token_hash: bytes
    answer: Deferred[Decision]
    keep_until: float
    deadline: Deadline[Entry] | None = None
    subjects: tuple[Subject, ...] = field(init=False)

    def __post_init__(self) -> None:
        gw_id, mac = self.report.gw_id, self.report.mac
        if gw_id is None or mac is None:
            self.subjects = (self.token_hash,)
        else:
            self.subjects = (self.token_hash, Place(gw_id, mac, self.report.ip))

    def follows(self, has: Callable[[Subject], bool]) -> bool:
        """Return whether the report must wait for another one: on its session, or where it signs a guest in."""
        return has(self.token_hash) or (self.report.stage is Stage.LOGIN and has(self.subjects[-1]))

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
    """A queue that also knows which tokens and places its reports are about."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._subjects: dict[Subject, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def has(self, subject: Subject | None) -> bool:
        """Return whether a report on this token or place is waiting."""
        return subject in self._subjects

    def append(self, entry: Entry) -> None:
        """Add a report at the end."""
        self._count(entry)
        self._entries.append(entry)

    def put_back(self, entries: Iterable[Entry]) -> None:
        """Insert reports at the front, in their order."""
        for entry in reversed([*entries]):
            self._count(entry)
            self._entries.appendleft(entry)

    def take(self) -> Entry | None:
        """Remove and return the first report; None if there is none."""
        if not self._entries:
            return None
        entry = self._entries.popleft()
        for subject in entry.subjects:
            left = self._subjects.pop(subject) - 1
            if left:
                self._subjects[subject] = left
        return entry

    def _count(self, entry: Entry) -> None:
        for subject in entry.subjects:
            self._subjects[subject] = self._subjects.get(subject, 0) + 1
