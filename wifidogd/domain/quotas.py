"""Limits over all sessions that draw on an allowance: which one is reached, and when its guest may come back; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from wifidogd.domain.opening_hours import closing, is_open, midnight, next_opening
from wifidogd.domain.plans import Allowance, Plan, TimeCounts
from wifidogd.domain.sessions import Octets, Reason, add_octets

NOTHING = timedelta()
NO_OCTETS = Octets()


class Limit(Enum):
    """A limit of an allowance; the value is the reason that the history gives for a session that it ended."""

    REVOKED = Reason.REVOKED
    NOT_VALID = Reason.NOT_VALID
    TIME = Reason.TIME_IS_UP
    OCTETS = Reason.QUOTA_IS_SPENT
    SPAN = Reason.SPAN_IS_SPENT
    DAY = Reason.DAY_IS_SPENT
    CLOSED = Reason.CLOSED
    DEVICES = Reason.DEVICES


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    Why an allowance cannot be used now.

    @ivar back_at: when it can be used again; None when it never can by itself, or that is not known.
    """

    limit: Limit
    back_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Amount:
    """Time online and octets in both directions together."""

    time: timedelta = NOTHING
    octets: int = 0

    def __add__(self, other: Amount) -> Amount:
        """Return the sums; of octets L{MAX_OCTETS<wifidogd.domain.sessions.MAX_OCTETS>} at most."""
        return Amount(self.time + other.time, add_octets(self.octets, other.octets))


@dataclass(frozen=True, slots=True)
class Slot:
    """What was used in the minute that begins at C{starts_at}."""

    starts_at: datetime
    used: Amount


@dataclass(frozen=True, slots=True)
class Use:
    """
    What all sessions have used of an allowance, open ones as last reported.

    @ivar time: online, of all of them together.
    @ivar day: in this calendar day; nothing if the plan has no such limit.
    @ivar span: in the sliding window that ends now; likewise.
    """

    time: timedelta = NOTHING
    octets: Octets = NO_OCTETS
    day: Amount = Amount()
    span: Amount = Amount()


@dataclass(frozen=True, slots=True)
class Left:
    """
    What may still be used, by the tightest limits.

    @ivar time: None for no limit; C{time_limit} names which it is.
    @ivar octets: None for no limit; C{octets_limit} names which it is.
    """

    time: timedelta | None = None
    time_limit: Limit | None = None
    octets: int | None = None
    octets_limit: Limit | None = None


def judge(allowance: Allowance, use: Use, now: datetime, slots: Sequence[Slot] = ()) -> Verdict | None:
    """
    Return which limit of an allowance is reached, and when it lifts.

    Limits are inclusive, to the second and to the octet.  Of several, the one
    that lifts last is returned.

    @param slots: of the sliding window, oldest first; without them it is not known when that limit lifts.
    @return: None while none is reached.
    """
    lasting = next(_lasting(allowance, use, now), None)
    if lasting is not None:
        return Verdict(lasting)
    passing = list(_passing(allowance, use, now, slots))
    if not passing:
        return None
    verdict = next((each for each in passing if each.back_at is None), None)
    if verdict is None:
        verdict = max(passing, key=lambda each: each.back_at or now)
    return replace(verdict, back_at=_usable_from(allowance, verdict.back_at))


def left(allowance: Allowance, use: Use, now: datetime) -> Left:
    """Return what may still be used, never less than nothing."""
    times = list(_times_left(allowance, use, now))
    octets = list(_octets_left(allowance.plan, use))
    time, time_limit = min(times, key=lambda each: each[0]) if times else (None, None)
    size, octets_limit = min(octets, key=lambda each: each[0]) if octets else (None, None)
    return Left(
        None if time is None else max(NOTHING, time), time_limit, None if size is None else max(0, size), octets_limit
    )


def is_slotted(plan: Plan) -> bool:
    """Return whether a plan limits days or windows, so that use must be recorded by the minute."""
    return plan.day_time is not None or plan.day_octets is not None or plan.span is not None


def slot_of(now: datetime) -> datetime:
    """Return the beginning of the minute in which an instant falls."""
    return now.replace(second=0, microsecond=0)


def _lasting(allowance: Allowance, use: Use, now: datetime) -> Iterator[Limit]:
    """Yield the reached limits that never lift by themselves."""
    plan = allowance.plan
    if allowance.revoked:
        yield Limit.REVOKED
    if any(end is not None and now >= end for end in (plan.valid_until, allowance.valid_until)):
        yield Limit.NOT_VALID
    if plan.time_limit is not None and _time_used(allowance, use, now) >= plan.time_limit:
        yield Limit.TIME
    if any(size <= 0 for size in _total_octets_left(plan, use)):
        yield Limit.OCTETS


def _passing(allowance: Allowance, use: Use, now: datetime, slots: Sequence[Slot]) -> Iterator[Verdict]:
    """Yield the reached limits that lift again, and when."""
    plan, zone = allowance.plan, allowance.time_zone
    if plan.valid_from is not None and now < plan.valid_from:
        yield Verdict(Limit.NOT_VALID, plan.valid_from)
    if _is_spent(use.span, plan.span_time, plan.span_octets):
        yield Verdict(Limit.SPAN, _span_lifts(plan, slots))
    if _is_spent(use.day, plan.day_time, plan.day_octets):
        yield Verdict(Limit.DAY, midnight(now, zone, 1))
    if not is_open(plan.hours, now, zone):
        yield Verdict(Limit.CLOSED, next_opening(plan.hours, now, zone))


def _usable_from(allowance: Allowance, back_at: datetime | None) -> datetime | None:
    """Return the next opening at or after an instant; None if the allowance is over by then."""
    if back_at is None:
        return None
    back_at = next_opening(allowance.plan.hours, back_at, allowance.time_zone)
    return None if any(back_at >= end for end in _ends(allowance)) else back_at


def _ends(allowance: Allowance) -> Iterator[datetime]:
    """Yield the instants from which on the allowance cannot be used, whatever was used of it."""
    plan = allowance.plan
    yield from (end for end in (plan.valid_until, allowance.valid_until) if end is not None)
    if plan.time_limit is not None and plan.time_counts is TimeCounts.WALL and allowance.first_used_at is not None:
        yield allowance.first_used_at + plan.time_limit


def _time_used(allowance: Allowance, use: Use, now: datetime) -> timedelta:
    if allowance.plan.time_counts is TimeCounts.USED:
        return use.time
    return NOTHING if allowance.first_used_at is None else now - allowance.first_used_at


def _is_spent(used: Amount, time: timedelta | None, octets: int | None) -> bool:
    return (time is not None and used.time >= time) or (octets is not None and used.octets >= octets)


def _span_lifts(plan: Plan, slots: Sequence[Slot]) -> datetime | None:
    """Return when enough of the window's oldest use has left it; None if the slots do not show that."""
    used = Amount()
    for slot in reversed(slots):
        used += slot.used
        if plan.span is not None and _is_spent(used, plan.span_time, plan.span_octets):
            return slot.starts_at + plan.span
    return None


def _times_left(allowance: Allowance, use: Use, now: datetime) -> Iterator[tuple[timedelta, Limit]]:
    plan = allowance.plan
    if plan.time_limit is not None:
        yield plan.time_limit - _time_used(allowance, use, now), Limit.TIME
    if plan.span_time is not None:
        yield plan.span_time - use.span.time, Limit.SPAN
    if plan.day_time is not None:
        yield plan.day_time - use.day.time, Limit.DAY
    yield from ((end - now, Limit.NOT_VALID) for end in (plan.valid_until, allowance.valid_until) if end is not None)
    closes = closing(plan.hours, now, allowance.time_zone)
    if closes is not None:
        yield closes - now, Limit.CLOSED


def _octets_left(plan: Plan, use: Use) -> Iterator[tuple[int, Limit]]:
    yield from ((size, Limit.OCTETS) for size in _total_octets_left(plan, use))
    if plan.span_octets is not None:
        yield plan.span_octets - use.span.octets, Limit.SPAN
    if plan.day_octets is not None:
        yield plan.day_octets - use.day.octets, Limit.DAY


def _total_octets_left(plan: Plan, use: Use) -> Iterator[int]:
    if plan.incoming_octets is not None:
        yield plan.incoming_octets - use.octets.incoming
    if plan.outgoing_octets is not None:
        yield plan.outgoing_octets - use.octets.outgoing
    if plan.total_octets is not None:
        yield plan.total_octets - use.octets.total
