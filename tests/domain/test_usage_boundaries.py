"""What a session draws between two reports, with numbers that are not symmetric."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from wifidogd.domain.plans import Allowance, AllowanceOwner, Plan, WhenFull
from wifidogd.domain.quotas import Amount
from wifidogd.domain.sessions import Octets, Session
from wifidogd.domain.usage import AllowanceUsage, drawn_between, time_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

BEFORE = Session(
    b"\1" * 32,
    "lobby",
    NOON - 9 * MINUTE,
    activated_at=NOON - 7 * MINUTE,
    reported_at=NOON - 2 * MINUTE,
    used=Octets(100, 20),
)
AFTER = replace(BEFORE, reported_at=NOON, used=Octets(107, 23))


def test_only_what_is_new_is_drawn() -> None:
    assert drawn_between(BEFORE, AFTER) == Amount(2 * MINUTE, 10)


def test_a_session_that_no_gateway_has_reported_has_no_time() -> None:
    """Neither before its first report nor when only its login is known."""
    assert time_of(replace(BEFORE, activated_at=None, reported_at=None)) == timedelta()
    assert time_of(replace(BEFORE, reported_at=None)) == timedelta()
    assert time_of(replace(BEFORE, activated_at=None)) == timedelta()
    assert time_of(BEFORE) == 5 * MINUTE


def test_a_plan_that_refuses_displaces_nobody() -> None:
    refusing = Plan("p", "P", devices=1, when_full=WhenFull.REFUSE)
    later = {"02:00:00:00:00:09": (NOON, b"\2")}
    usage = AllowanceUsage(Allowance(1, AllowanceOwner(voucher_id=1), "default", "UTC", refusing), online=later)
    assert usage.displaces(AFTER) is False
