"""What reports add to an allowance, and which devices are on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wifidogd.domain.plans import Allowance, AllowanceOwner, Plan, WhenFull
from wifidogd.domain.quotas import Amount, Limit, Use, Verdict
from wifidogd.domain.sessions import MAX_OCTETS, Octets, Session
from wifidogd.domain.usage import AllowanceUsage, arrival_of, device_of, drawn_between, judge_entry

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

PLAN = Plan("p", "P", devices=1)
OWN = Allowance(1, AllowanceOwner(voucher_id=1), "default", "UTC", PLAN)
PENDING = Session(b"\1" * 32, "lobby", opened_at=NOON, allowance_id=1)
ONLINE = replace(PENDING, mac="02:00:00:00:00:01", activated_at=NOON, reported_at=NOON)
LATER = replace(ONLINE, reported_at=NOON + MINUTE, used=Octets(100, 20))


def test_a_report_adds_the_time_and_octets_since_the_last() -> None:
    """To all sums at once."""
    tally = AllowanceUsage(OWN, Use(MINUTE, Octets(1, 2), Amount(2 * MINUTE, 3), Amount(7 * MINUTE, 50)))
    entered = tally.enter(ONLINE, LATER, NOON + MINUTE)
    assert entered.use == Use(2 * MINUTE, Octets(101, 22), Amount(3 * MINUTE, 123), Amount(8 * MINUTE, 170))
    assert drawn_between(ONLINE, LATER) == Amount(MINUTE, 120)


def test_the_first_report_starts_the_clock_and_no_later_one_does() -> None:
    """Of any session."""
    begun = AllowanceUsage(OWN).enter(PENDING, ONLINE, NOON)
    assert begun.allowance.first_used_at == NOON
    assert begun.enter(ONLINE, LATER, NOON + MINUTE).allowance.first_used_at == NOON
    assert begun.use == Use()


def test_a_device_is_known_by_its_token_until_its_mac_is() -> None:
    """And counts once."""
    nameless = replace(ONLINE, mac=None)
    tally = AllowanceUsage(OWN).enter(PENDING, nameless, NOON)
    assert set(tally.online) == {device_of(PENDING)}
    assert set(tally.enter(nameless, ONLINE, NOON).online) == {"02:00:00:00:00:01"}


def test_a_device_stays_known_from_report_to_report() -> None:
    """Only the name of one whose MAC has just become known is dropped."""
    tally = AllowanceUsage(OWN).enter(PENDING, ONLINE, NOON).enter(ONLINE, LATER, NOON + MINUTE)
    assert set(tally.online) == {"02:00:00:00:00:01"}


def test_devices_without_a_name_are_told_apart() -> None:
    """By the tokens of their sessions."""
    first, second = [replace(ONLINE, mac=None, token_hash=bytes([number]) * 32) for number in (1, 2)]
    tally = AllowanceUsage(OWN).enter(PENDING, first, NOON).enter(replace(second, activated_at=None), second, NOON)
    assert len(tally.online) == 2
    assert device_of(first) != device_of(second)


def test_who_is_online_stays_when_fewer_devices_are_allowed() -> None:
    """Only the report that brings a device online can be refused because the plan is full."""
    crowded = AllowanceUsage(OWN, online=online(1, 2, 3))
    session = replace(ONLINE, mac="02:00:00:00:00:01")
    assert judge_entry(crowded, session, is_new=False, now=NOON) is None
    assert judge_entry(crowded, session, is_new=True, now=NOON) == Verdict(Limit.DEVICES)


def test_a_device_at_two_gateways_does_not_displace_itself() -> None:
    """Its later session stands for it; the earlier one goes on, too."""
    plan = replace(PLAN, when_full=WhenFull.REPLACE)
    earlier = replace(ONLINE, token_hash=b"\2" * 32, activated_at=NOON - MINUTE)
    tally = AllowanceUsage(replace(OWN, plan=plan), online={"02:00:00:00:00:01": arrival_of(ONLINE)})
    assert not tally.displaces(earlier)
    both = replace(tally, online={**tally.online, **online(5)})
    assert both.displaces(earlier)


def test_a_device_leaves_with_its_last_session() -> None:
    """One that has been replaced by another of the same device changes nothing."""
    newer = replace(ONLINE, token_hash=b"\2" * 32)
    tally = AllowanceUsage(OWN).enter(PENDING, ONLINE, NOON).enter(replace(newer, mac=None), newer, NOON)
    assert tally.leave(ONLINE) == tally
    assert tally.leave(newer).online == {}
    assert tally.leave(newer).leave(newer).online == {}


def online(*numbers: int) -> dict[str, tuple[datetime, bytes]]:
    """Devices that came online in a row, a minute each."""
    return {f"02:00:00:00:00:{number:02x}": (NOON + number * MINUTE, bytes([number]) * 32) for number in numbers}


@pytest.mark.parametrize(
    ("devices", "there", "newcomer", "refused"),
    [
        (None, (1, 2, 3), "02:00:00:00:00:09", False),
        (1, (), "02:00:00:00:00:09", False),
        (1, (1,), "02:00:00:00:00:09", True),
        (1, (1,), "02:00:00:00:00:01", False),
        (2, (1,), "02:00:00:00:00:09", False),
        (2, (1, 2), "02:00:00:00:00:09", True),
        (2, (1, 2), "02:00:00:00:00:02", False),
        (2, (1, 2), None, True),
    ],
)
def test_one_device_more_is_refused(devices: int | None, there: tuple[int, ...], newcomer: str, refused: bool) -> None:
    """A device that is online already is not counted twice; under a plan that replaces, nobody is refused."""
    allowance = replace(OWN, plan=replace(PLAN, devices=devices))
    assert AllowanceUsage(allowance, online=online(*there)).refuses(newcomer) is refused
    replacing = replace(allowance, plan=replace(allowance.plan, when_full=WhenFull.REPLACE))
    assert not AllowanceUsage(replacing, online=online(*there)).refuses(newcomer)


@pytest.mark.parametrize(("devices", "gone"), [(None, ()), (4, ()), (3, (1,)), (2, (1, 2)), (1, (1, 2, 3))])
def test_the_oldest_give_way(devices: int | None, gone: tuple[int, ...]) -> None:
    """As many as there are too many; under a plan that refuses, nobody does."""
    plan = replace(PLAN, devices=devices, when_full=WhenFull.REPLACE)
    tally = AllowanceUsage(replace(OWN, plan=plan), online=online(1, 2, 3, 4))
    sessions = [
        replace(ONLINE, mac=mac, activated_at=arrival[0], token_hash=arrival[1])
        for mac, arrival in tally.online.items()
    ]
    displaced = [session for session in sessions if tally.displaces(session)]
    assert [arrival_of(session) for session in displaced] == [tally.online[f"02:00:00:00:00:{n:02x}"] for n in gone]
    refusing = replace(tally, allowance=replace(OWN, plan=replace(plan, when_full=WhenFull.REFUSE)))
    assert not any(refusing.displaces(session) for session in sessions)


def test_devices_that_came_in_the_same_instant_are_told_apart() -> None:
    """Otherwise both would stay online."""
    other = replace(ONLINE, mac="02:00:00:00:00:02", token_hash=b"\2" * 32)
    tally = AllowanceUsage(replace(OWN, plan=replace(PLAN, when_full=WhenFull.REPLACE)))
    tally = tally.enter(PENDING, ONLINE, NOON).enter(replace(other, mac=None), other, NOON)
    assert [tally.displaces(ONLINE), tally.displaces(other)] == [True, False]


def test_octets_stop_at_the_largest_number() -> None:
    """Instead of failing: of two sums, of both directions together, of a day or window."""
    assert Octets(MAX_OCTETS, 1) + Octets(1, 1) == Octets(MAX_OCTETS, 2)
    assert Octets(1, MAX_OCTETS - 1) + Octets(1, 1) == Octets(2, MAX_OCTETS)
    assert (Octets(MAX_OCTETS, MAX_OCTETS).total, Octets(MAX_OCTETS - 1, 1).total) == (MAX_OCTETS, MAX_OCTETS)
    assert Amount(MINUTE, MAX_OCTETS) + Amount(MINUTE, 1) == Amount(2 * MINUTE, MAX_OCTETS)


def test_a_report_never_draws_more_than_can_be_stored() -> None:
    """The largest totals in both directions are one largest number, and nothing comes after it."""
    highest = replace(ONLINE, used=Octets(MAX_OCTETS, MAX_OCTETS))
    assert drawn_between(ONLINE, highest).octets == MAX_OCTETS
    assert drawn_between(replace(ONLINE, used=Octets(MAX_OCTETS, 5)), highest).octets == 0
