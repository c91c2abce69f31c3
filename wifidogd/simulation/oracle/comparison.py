"""Hold the history against what the server has stored, to the octet; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce

from wifidogd.domain.sessions import Octets
from wifidogd.domain.tokens import hash_secret
from wifidogd.simulation.oracle.expected import IN_USE, NO_OCTETS, ExpectedSessions, Phase
from wifidogd.simulation.oracle.history import History
from wifidogd.simulation.oracle.scenarios import ListedDevice
from wifidogd.store.operators.stored_sessions import Kept

MOST_DIFFERENCES = 20
"""Differences that are told one by one."""


@dataclass(slots=True)
class Audit:
    """
    What came of a comparison.

    @ivar sessions: that are in the tables and have been in use.
    @ivar expected: octets of all of them by the history; where it allows several, those nearest to the tables.
    @ivar stored: by the tables.
    @ivar open_questions: devices at a gateway for which more than one sum is right, as an answer is missing, or a
        gateway forgot a guest who was back at once, with totals that may belong to either session.
    @ivar unchecked: devices at a gateway of which the history gave up keeping track.
    @ivar differences: the first of them, in words.
    """

    sessions: int = 0
    expected: Octets = NO_OCTETS
    stored: Octets = NO_OCTETS
    open_questions: int = 0
    unchecked: int = 0
    difference_count: int = 0
    differences: list[str] = field(default_factory=list)

    def differ(self, what: str) -> None:
        """Record a difference."""
        self.difference_count += 1
        if len(self.differences) < MOST_DIFFERENCES:
            self.differences.append(what)


HttpClient = tuple[bytes | None, bool, Octets]
"""What must agree of a session: its token's hash while it is open, whether it is open, and its octets."""


def audit(history: History, kept: Iterable[Kept]) -> Audit:
    """
    Compare all that was acknowledged with all that is stored.

    Sessions of one device at one gateway are compared in the order in which they were opened: the history does not say
    which token was whose.
    """
    result = Audit()
    stored: dict[ListedDevice, list[Kept]] = {}
    for row in sorted(kept, key=lambda row: row.session_id):
        if row.mac is not None:
            stored.setdefault(ListedDevice(row.gw_id, row.mac), []).append(row)
        elif row.used != NO_OCTETS:
            result.differ(f"session {row.session_id} at {row.gw_id} was never in use but has {_octets(row.used)}")
    for device, scenarios in history.accounts():
        _compare(result, device, scenarios, stored.pop(device, []))
    for device, rows in stored.items():
        _compare(result, device, [()], rows)
    return result


def _compare(result: Audit, device: ListedDevice, scenarios: list[ExpectedSessions], rows: list[Kept]) -> None:
    found = [(row.token_hash, row.token_hash is not None, row.used) for row in rows]
    used = _sum(used for _, _, used in found)
    result.sessions += len(found)
    result.stored = _sum((result.stored, used))
    if not scenarios:
        result.unchecked += 1
        result.expected = _sum((result.expected, used))
        return
    possible = [_lines(sessions) for sessions in scenarios]
    result.open_questions += len({tuple(used for _, _, used in lines) for lines in possible}) > 1
    lines = found if found in possible else min(possible, key=lambda lines: _distance(lines, found))
    result.expected = _sum((result.expected, _sum(used for _, _, used in lines)))
    if found not in possible:
        stored = ", ".join(f"{_octets(row.used)} ({row.reason or 'open'})" for row in rows) or "nothing"
        result.differ(f"{device.mac} at {device.gw_id}: reported {_said(lines)}, stored {stored}")


def _lines(sessions: ExpectedSessions) -> list[HttpClient]:
    """Write down what the tables must hold of sessions that have been in use."""
    return [
        (hash_secret(session.token) if session.phase in IN_USE else None, session.phase in IN_USE, session.used)
        for session in sessions
        if session.phase in (*IN_USE, Phase.ENDED)
    ]


def _distance(lines: list[HttpClient], found: list[HttpClient]) -> tuple[int, int]:
    """Return how far apart two accounts are: in sessions, then in octets."""
    return abs(len(lines) - len(found)), abs(
        sum(used.total for _, _, used in lines) - sum(used.total for _, _, used in found)
    )


def _sum(parts: Iterable[Octets]) -> Octets:
    return reduce(Octets.__add__, parts, NO_OCTETS)


def _said(lines: list[HttpClient]) -> str:
    return ", ".join(f"{_octets(used)} ({'open' if is_open else 'ended'})" for _, is_open, used in lines) or "nothing"


def _octets(used: Octets) -> str:
    return f"{used.incoming} down {used.outgoing} up"
