"""Which limit of an allowance is reached, when it lifts, and what is left until then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wifidogd.domain.plans import Allowance, AllowanceOwner, Plan, TimeCounts
from wifidogd.domain.quotas import Amount, Left, Limit, Slot, Use, Verdict, is_slotted, judge, left, slot_of
from wifidogd.domain.sessions import Octets, Reason

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)
BERLIN = "Europe/Berlin"

PLAN = Plan("p", "P")
OWN = Allowance(1, AllowanceOwner(voucher_id=1), "default", "UTC", PLAN)


def under(**limits: object) -> Allowance:
    """An allowance of a plan with some limits, in Berlin."""
    return replace(OWN, time_zone=BERLIN, plan=replace(PLAN, **limits))  # type: ignore[arg-type]


WALL = replace(under(time_limit=HOUR), first_used_at=NOON - HOUR)
USED = under(time_limit=HOUR, time_counts=TimeCounts.USED)
DAY = under(day_time=2 * HOUR, day_octets=500)
SPAN = under(span=24 * HOUR, span_time=2 * HOUR, span_octets=500)
SHOP = under(hours="sun 14:00-18:00")
TIES = under(
    time_limit=2 * HOUR, time_counts=TimeCounts.USED, total_octets=100, day_time=3 * HOUR, day_octets=70,
    span=24 * HOUR, span_time=4 * HOUR, span_octets=80,
)  # fmt: skip
UNUSED = under(time_limit=HOUR, hours="sun 14:00-18:00")
MIDNIGHT = datetime(2026, 11, 22, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("allowance", "use", "now", "verdict"),
    [
        (OWN, Use(1000 * HOUR, Octets(10**15, 10**15)), NOON, None),
        (WALL, Use(), NOON - SECOND, None),
        (WALL, Use(), NOON - TICK, None),
        (WALL, Use(), NOON, Verdict(Limit.TIME)),
        (replace(WALL, first_used_at=None), Use(9 * HOUR), NOON, None),
        (USED, Use(HOUR - TICK), NOON, None),
        (USED, Use(HOUR), NOON, Verdict(Limit.TIME)),
        (replace(USED, first_used_at=NOON - 99 * HOUR), Use(HOUR - SECOND), NOON, None),
        (under(incoming_octets=100), Use(octets=Octets(99, 10**9)), NOON, None),
        (under(incoming_octets=100), Use(octets=Octets(100, 0)), NOON, Verdict(Limit.OCTETS)),
        (under(outgoing_octets=100), Use(octets=Octets(10**9, 99)), NOON, None),
        (under(outgoing_octets=100), Use(octets=Octets(0, 100)), NOON, Verdict(Limit.OCTETS)),
        (under(total_octets=100), Use(octets=Octets(60, 39)), NOON, None),
        (under(total_octets=100), Use(octets=Octets(60, 40)), NOON, Verdict(Limit.OCTETS)),
        (replace(OWN, revoked=True), Use(), NOON, Verdict(Limit.REVOKED)),
        (under(valid_from=NOON), Use(), NOON, None),
        (under(valid_from=NOON), Use(), NOON - TICK, Verdict(Limit.NOT_VALID, NOON)),
        (under(valid_until=NOON), Use(), NOON - TICK, None),
        (under(valid_until=NOON), Use(), NOON, Verdict(Limit.NOT_VALID)),
        (replace(OWN, valid_until=NOON), Use(), NOON - TICK, None),
        (replace(OWN, valid_until=NOON), Use(), NOON, Verdict(Limit.NOT_VALID)),
        (DAY, Use(99 * HOUR, Octets(9999, 0), Amount(2 * HOUR - TICK, 499)), NOON, None),
        (DAY, Use(day=Amount(2 * HOUR, 0)), NOON, Verdict(Limit.DAY, MIDNIGHT)),
        (DAY, Use(day=Amount(MINUTE, 500)), NOON, Verdict(Limit.DAY, MIDNIGHT)),
        (SPAN, Use(99 * HOUR, Octets(9999, 0), span=Amount(2 * HOUR - TICK, 499)), NOON, None),
        (SPAN, Use(span=Amount(2 * HOUR, 0)), NOON, Verdict(Limit.SPAN)),
        (SPAN, Use(span=Amount(MINUTE, 500)), NOON, Verdict(Limit.SPAN)),
        (SHOP, Use(), NOON, Verdict(Limit.CLOSED, NOON + HOUR)),
        (SHOP, Use(), NOON + HOUR, None),
        (SHOP, Use(), NOON + 5 * HOUR - TICK, None),
        (SHOP, Use(), NOON + 5 * HOUR, Verdict(Limit.CLOSED, NOON + timedelta(days=7, hours=1))),
        (UNUSED, Use(), NOON, Verdict(Limit.CLOSED, NOON + HOUR)),
        (replace(UNUSED, first_used_at=NOON - HOUR + TICK), Use(), NOON, Verdict(Limit.CLOSED)),
        (
            replace(UNUSED, plan=replace(UNUSED.plan, time_counts=TimeCounts.USED), first_used_at=NOON - HOUR),
            Use(HOUR - TICK),
            NOON,
            Verdict(Limit.CLOSED, NOON + HOUR),
        ),
        (replace(SHOP, first_used_at=NOON - 99 * HOUR), Use(), NOON, Verdict(Limit.CLOSED, NOON + HOUR)),
    ],
)
def test_limits_are_inclusive_to_the_second_and_the_octet(
    allowance: Allowance, use: Use, now: datetime, verdict: Verdict | None
) -> None:
    """A guest is out at the very moment, and the very octet, of the limit; and may be back at the very moment too."""
    assert judge(allowance, use, now) == verdict


SLOTS = [Slot(NOON - hours * HOUR, Amount(HOUR, 100)) for hours in (20, 10, 5, 1)]


@pytest.mark.parametrize(
    ("limits", "back_at"),
    [
        ({"span_time": 4 * HOUR}, NOON + 4 * HOUR),
        ({"span_time": 3 * HOUR}, NOON + 14 * HOUR),
        ({"span_time": HOUR}, NOON + 23 * HOUR),
        ({"span_octets": 400}, NOON + 4 * HOUR),
        ({"span_octets": 301}, NOON + 4 * HOUR),
        ({"span_octets": 300}, NOON + 14 * HOUR),
        ({"span_time": 4 * HOUR, "span_octets": 200}, NOON + 19 * HOUR),
    ],
)
def test_a_window_lifts_when_enough_of_it_has_passed(limits: dict[str, object], back_at: datetime) -> None:
    """Not when all of it has: what is left then is under the limit again."""
    use = Use(span=Amount(4 * HOUR, 400))
    allowance = under(span=24 * HOUR, **limits)
    assert judge(allowance, use, NOON, SLOTS) == Verdict(Limit.SPAN, back_at)
    rest = [slot for slot in SLOTS if slot.starts_at > back_at - 24 * HOUR]
    amount = Amount(sum((slot.used.time for slot in rest), timedelta()), sum(slot.used.octets for slot in rest))
    assert judge(allowance, Use(span=amount), back_at, rest) is None
    before = [slot for slot in SLOTS if slot.starts_at > back_at - TICK - 24 * HOUR]
    amount = Amount(sum((slot.used.time for slot in before), timedelta()), sum(slot.used.octets for slot in before))
    assert judge(allowance, Use(span=amount), back_at - TICK, before) is not None


ALL = Use(day=Amount(2 * HOUR, 0), span=Amount(2 * HOUR, 0))


@pytest.mark.parametrize(
    ("allowance", "use", "verdict"),
    [
        (under(day_time=HOUR, hours="sun 06:00-12:00"), ALL, Verdict(Limit.CLOSED, NOON + timedelta(days=6, hours=17))),
        (under(day_time=HOUR, hours="sun 08:00-18:00"), ALL, Verdict(Limit.DAY, NOON + timedelta(days=6, hours=19))),
        (under(day_time=HOUR, hours="mon 08:00-18:00, sun 08:00-18:00"), ALL, Verdict(Limit.DAY, NOON + 19 * HOUR)),
        (under(day_time=HOUR, span=24 * HOUR, span_time=HOUR), ALL, Verdict(Limit.SPAN, NOON + 23 * HOUR)),
        (under(day_time=HOUR, valid_until=MIDNIGHT), ALL, Verdict(Limit.DAY)),
        (under(day_time=HOUR, valid_until=MIDNIGHT + SECOND), ALL, Verdict(Limit.DAY, MIDNIGHT)),
        (replace(under(day_time=HOUR), valid_until=MIDNIGHT), ALL, Verdict(Limit.DAY)),
        (replace(under(day_time=HOUR, time_limit=24 * HOUR), first_used_at=NOON - HOUR), ALL,
         Verdict(Limit.DAY, MIDNIGHT)),
        (replace(under(day_time=HOUR, time_limit=11 * HOUR), first_used_at=NOON), ALL, Verdict(Limit.DAY)),
        (replace(WALL, revoked=True), ALL, Verdict(Limit.REVOKED)),
        (under(day_time=HOUR, total_octets=1), replace(ALL, octets=Octets(1, 0)), Verdict(Limit.OCTETS)),
        (under(day_time=HOUR, valid_from=NOON + 99 * HOUR), ALL, Verdict(Limit.NOT_VALID, NOON + 99 * HOUR)),
    ],
)  # fmt: skip
def test_of_several_limits_the_one_that_lifts_last_is_named(allowance: Allowance, use: Use, verdict: Verdict) -> None:
    """Nobody is told to come back at a time at which they would be refused again."""
    assert judge(allowance, use, NOON, SLOTS) == verdict


@pytest.mark.parametrize(
    ("allowance", "use", "now", "rest"),
    [
        (OWN, Use(HOUR), NOON, Left()),
        (WALL, Use(), NOON - MINUTE, Left(MINUTE, Limit.TIME)),
        (replace(WALL, first_used_at=None), Use(), NOON, Left(HOUR, Limit.TIME)),
        (WALL, Use(), NOON + MINUTE, Left(timedelta(), Limit.TIME)),
        (USED, Use(HOUR - MINUTE), NOON, Left(MINUTE, Limit.TIME)),
        (DAY, Use(day=Amount(HOUR, 400)), NOON, Left(HOUR, Limit.DAY, 100, Limit.DAY)),
        (SPAN, Use(span=Amount(HOUR, 600)), NOON, Left(HOUR, Limit.SPAN, 0, Limit.SPAN)),
        (SHOP, Use(), NOON + 2 * HOUR, Left(3 * HOUR, Limit.CLOSED)),
        (DAY, Use(day=Amount(90 * MINUTE, 100)), NOON, Left(30 * MINUTE, Limit.DAY, 400, Limit.DAY)),
        (SPAN, Use(span=Amount(90 * MINUTE, 100)), NOON, Left(30 * MINUTE, Limit.SPAN, 400, Limit.SPAN)),
        (replace(WALL, first_used_at=NOON - 45 * MINUTE), Use(), NOON, Left(15 * MINUTE, Limit.TIME)),
        (USED, Use(45 * MINUTE), NOON, Left(15 * MINUTE, Limit.TIME)),
        (
            TIES,
            Use(HOUR, Octets(20, 20), Amount(2 * HOUR, 10), Amount(3 * HOUR, 20)),
            NOON,
            Left(HOUR, Limit.TIME, 60, Limit.OCTETS),
        ),
        (under(valid_until=NOON + HOUR), Use(), NOON, Left(HOUR, Limit.NOT_VALID)),
        (
            under(time_limit=9 * HOUR, time_counts=TimeCounts.USED, day_time=HOUR, total_octets=50, day_octets=40),
            Use(HOUR, Octets(20, 1), Amount(MINUTE, 5)),
            NOON,
            Left(59 * MINUTE, Limit.DAY, 29, Limit.OCTETS),
        ),
        (
            under(incoming_octets=50, outgoing_octets=10),
            Use(octets=Octets(20, 1)),
            NOON,
            Left(octets=9, octets_limit=Limit.OCTETS),
        ),
    ],
)
def test_the_tightest_limit_says_what_is_left(allowance: Allowance, use: Use, now: datetime, rest: Left) -> None:
    """And is named; never less than nothing."""
    assert left(allowance, use, now) == rest


def test_each_limit_is_a_reason_of_the_history() -> None:
    """No two are the same."""
    assert len({limit.value for limit in Limit}) == len(Limit)
    assert all(isinstance(limit.value, Reason) for limit in Limit)


@pytest.mark.parametrize(
    ("plan", "slotted"),
    [
        (PLAN, False),
        (replace(PLAN, time_limit=HOUR, total_octets=1, devices=1), False),
        (replace(PLAN, day_time=HOUR), True),
        (replace(PLAN, day_octets=1), True),
        (replace(PLAN, span=24 * HOUR, span_time=HOUR), True),
    ],
)
def test_minutes_are_kept_only_for_plans_that_ask_for_them(plan: Plan, slotted: bool) -> None:
    """Others cost nothing."""
    assert is_slotted(plan) is slotted


def test_a_slot_is_a_minute() -> None:
    """Named by its beginning."""
    assert slot_of(NOON + 59 * SECOND + TICK) == NOON
    assert slot_of(NOON + MINUTE) == NOON + MINUTE
