"""
What sessions use: as gateways count it, and of the allowances that they draw on; pure.

How totals that fell are told apart is in docs/protocol.md 3.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from wifidogd.domain.plans import Allowance, WhenFull
from wifidogd.domain.quotas import NOTHING, Amount, Limit, Use, Verdict, judge, left
from wifidogd.domain.sessions import Octets, Session

UNUSED = Use()

Arrival = tuple[datetime, bytes]
"""Since when a device has been online, and the token hash of its session: the later one is greater."""


@dataclass(frozen=True, slots=True)
class AllowanceUsage:
    """
    What is known of an allowance at one moment.

    @ivar online: the devices that use it now, by MAC, or by token hash while nobody knows the MAC.
    """

    allowance: Allowance
    use: Use = UNUSED
    online: Mapping[str, Arrival] = field(default_factory=dict)

    def enter(self, before: Session, after: Session, now: datetime) -> AllowanceUsage:
        """Return the usage after a report: with its time, octets and device, and with the first use if this is it."""
        drawn = drawn_between(before, after)
        incoming, outgoing = after.used.incoming - before.used.incoming, after.used.outgoing - before.used.outgoing
        use = Use(
            self.use.time + drawn.time,
            self.use.octets + Octets(incoming, outgoing),
            self.use.day + drawn,
            self.use.span + drawn,
        )
        allowance = self.allowance
        if allowance.first_used_at is None:
            allowance = replace(allowance, first_used_at=now)
        online = {**self.online, device_of(after): arrival_of(after)}
        if after.mac is not None and before.mac is None:
            online.pop(device_of(before), None)
        return AllowanceUsage(allowance, use, online)

    def leave(self, session: Session) -> AllowanceUsage:
        """Return the usage without the device of a session that ended, unless the device is online in another one."""
        device = device_of(session)
        if device not in self.online or self.online[device][1] != session.token_hash:
            return self
        return replace(self, online={other: arrival for other, arrival in self.online.items() if other != device})

    def judge(self, now: datetime) -> Verdict | None:
        """Return which limit is reached, as L{wifidogd.domain.quotas.judge}."""
        return judge(self.allowance, self.use, now)

    def refuses(self, device: str | None) -> bool:
        """Return whether a device is refused because as many as the plan allows are online."""
        plan = self.allowance.plan
        if plan.devices is None or plan.when_full is WhenFull.REPLACE:
            return False
        return len(self.online.keys() - {device}) >= plan.devices

    def displaces(self, session: Session) -> bool:
        """Return whether as many devices as the plan allows came online after this session."""
        plan = self.allowance.plan
        if plan.devices is None or plan.when_full is WhenFull.REFUSE:
            return False
        here = arrival_of(session)
        later = {device for device, arrival in self.online.items() if arrival > here}
        return len(later - {device_of(session)}) >= plan.devices


def judge_entry(usage: AllowanceUsage, session: Session, is_new: bool, now: datetime) -> Verdict | None:
    """
    Return which limit a report reaches whose use has been added; None for none.

    @param is_new: True for the report that brings the session online.
    """
    if is_new and usage.refuses(device_of(session)):
        return Verdict(Limit.DEVICES)
    return usage.judge(now)


def limit_by_allowance(session: Session, usage: AllowanceUsage, now: datetime) -> Session:
    """Give a session whose use nobody will report the time that its allowance has left."""
    time = left(usage.allowance, usage.use, now).time
    ends = [end for end in (session.expires_at, None if time is None else now + time) if end is not None]
    return replace(session, expires_at=min(ends, default=None))


def drawn_between(before: Session, after: Session) -> Amount:
    """Return what a session used between two reports."""
    return Amount(time_of(after) - time_of(before), after.used.total - before.used.total)


def time_of(session: Session) -> timedelta:
    """Return how long a session has been online, as far as its gateway has reported."""
    if session.activated_at is None or session.reported_at is None:
        return NOTHING
    return max(NOTHING, session.reported_at - session.activated_at)


def device_of(session: Session) -> str:
    """Return what a session's device is known by."""
    return session.mac or session.token_hash.hex()


def arrival_of(session: Session) -> Arrival:
    """Return when a session came online, and its token hash, so that no two are the same."""
    return session.activated_at or session.opened_at, session.token_hash


_RANGE = 2**32
"""Counters of 32 bits start again at zero after as many octets; those of 64 bits never get there."""

_QUARTER = _RANGE // 4


class Counted(NamedTuple):
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


def count_on(before: Counted, said: Octets, *, has_restarted: bool = False, is_exchanged: bool = False) -> Counted:
    """
    Add what was used since the last report.

    @param said: totals as the gateway prints them; a negative number is a counter of 32 bits printed as signed.
    @param has_restarted: True if its pings show that the gateway has restarted since the last report.
    @param is_exchanged: True if what grew in one direction was used in the other.  Totals are compared as they are
        printed, so that nothing looks like a restart when the gateway's setting changes.
    """
    if is_exchanged:
        after = count_on(before._replace(used=before.used.exchanged), said, has_restarted=has_restarted)
        return after._replace(used=after.used.exchanged)
    totals = said if said.incoming >= 0 and said.outgoing >= 0 else _unsigned(before.last, said)
    if totals is None:
        return before
    if not fell(before.last, totals):
        return Counted(_plus_growth(before.used, before.last, totals), totals)
    # Counters that restart begin with zero in both directions; a wrap ends there once in 2^32 times.
    if not has_restarted and totals != Octets():
        unwrapped = _unwrapped(before.last, totals)
        if unwrapped is not None:
            return Counted(_plus_growth(before.used, before.last, unwrapped), totals)
        if _may_be_late(before, totals):
            return before._replace(doubtful=totals)
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
