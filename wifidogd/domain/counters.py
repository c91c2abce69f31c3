"""
What the totals that a gateway reports add to a session, whatever its counters did in between; pure.

The cases and how they are told apart are in docs/protocol.md 3.6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from wifidogd.domain.sessions import Octets

_RANGE = 2**32
"""Counters of 32 bits start again at zero after as many octets; those of 64 bits never get there."""

_QUARTER = _RANGE // 4


@dataclass(frozen=True, slots=True)
class Counted:
    """
    What a session has used, and where the totals of its gateway stand.

    @ivar used: never falls.
    @ivar last: the totals from which the next report counts on.
    @ivar doubtful: totals that came after C{last} and are lower, so that they were late or begin anew: the next report
        will tell; None when there are none.
    """

    used: Octets
    last: Octets
    doubtful: Octets | None = None


def count_on(before: Counted, said: Octets, *, has_restarted: bool = False) -> Counted:
    """
    Add what was used since the last report.

    @param said: totals as the gateway prints them; a negative number is a counter of 32 bits printed as signed.
    @param has_restarted: True if its pings show that the gateway has restarted since the last report.
    """
    totals = _unsigned(before.last, said)
    if totals is None:
        return before
    if not fell(before.last, totals):
        return Counted(_plus_growth(before.used, before.last, totals), totals)
    if not has_restarted:
        unwrapped = _unwrapped(before.last, totals)
        if unwrapped is not None:
            return Counted(_plus_growth(before.used, before.last, unwrapped), totals)
        if _may_be_late(before, totals):
            return replace(before, doubtful=totals)
    return Counted(before.used + totals, totals)


def fell(last: Octets, totals: Octets) -> bool:
    """Return whether totals are lower than the last in either direction."""
    return totals.incoming < last.incoming or totals.outgoing < last.outgoing


def _plus_growth(used: Octets, last: Octets, totals: Octets) -> Octets:
    return used + Octets(totals.incoming - last.incoming, totals.outgoing - last.outgoing)


def _unsigned(last: Octets, said: Octets) -> Octets | None:
    """Return totals with the sign bit read as a digit; None if a number is negative for another reason."""
    incoming = _unsigned_count(last.incoming, said.incoming)
    outgoing = _unsigned_count(last.outgoing, said.outgoing)
    return None if incoming is None or outgoing is None else Octets(incoming, outgoing)


def _unsigned_count(last: int, said: int) -> int | None:
    if said >= 0:
        return said
    # A counter passes through the lower half of its range before it is printed as negative.
    count = said + _RANGE
    return count if last < _RANGE and abs(count - last) < _RANGE // 2 <= count else None


def _unwrapped(last: Octets, totals: Octets) -> Octets | None:
    """Return totals as a longer counter would show them; None if one of those that fell has not wrapped."""
    incoming, outgoing = (
        _unwrapped_count(last.incoming, totals.incoming),
        _unwrapped_count(last.outgoing, totals.outgoing),
    )
    return None if incoming is None or outgoing is None else Octets(incoming, outgoing)


def _unwrapped_count(last: int, count: int) -> int | None:
    if count >= last:
        return count
    has_wrapped = count < _QUARTER and _RANGE - _QUARTER <= last < _RANGE
    return count + _RANGE if has_wrapped else None


def _may_be_late(before: Counted, totals: Octets) -> bool:
    """
    Return whether totals that fell were sent before the last ones, as far as anybody can tell.

    Not if the report before was lower too and these go on from it, nor if nothing was counted before them.
    """
    if before.used == Octets() or (before.doubtful is not None and not fell(before.doubtful, totals)):
        return False
    return _is_little_less(before.last.incoming, totals.incoming) and _is_little_less(
        before.last.outgoing, totals.outgoing
    )


def _is_little_less(last: int, count: int) -> bool:
    """Return whether a total is lower by less than half: who begins anew seldom uses as much in one interval."""
    return count == last or last < 2 * count < 2 * last
