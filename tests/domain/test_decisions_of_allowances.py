"""What an allowance's limits do to a session by way of a report, and when the session ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wifidogd.domain.decisions import decide
from wifidogd.domain.plans import Allowance, AllowanceOwner, Plan, TimeCounts, WhenFull
from wifidogd.domain.quotas import Use
from wifidogd.domain.sessions import AuthCode, Dialect, Octets, Reason, Report, Session, Stage
from wifidogd.domain.usage import AllowanceUsage

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

MAC, OTHER_MAC, THIRD_MAC = "02:ab:cd:ef:01:01", "02:ab:cd:ef:02:02", "02:ab:cd:ef:03:03"
HASH = b"\5" * 32

ONLINE = Session(
    HASH,
    "lobby",
    opened_at=NOON - 41 * MINUTE,
    mac=MAC,
    ip="10.0.0.2",
    activated_at=NOON - 40 * MINUTE,
    reported_at=NOON - 3 * MINUTE,
    used=Octets(100, 20),
    last=Octets(100, 20),
    allowance_id=1,
)
COUNTERS = Report(Stage.COUNTERS, Dialect.WIFIDOG, "token", "lobby", MAC, "10.0.0.2", Octets(100, 20))
LOGOUT = replace(COUNTERS, stage=Stage.LOGOUT)


def usage(plan: Plan, used: timedelta = timedelta(), **online: datetime) -> AllowanceUsage:
    """Build an allowance first used 50 minutes ago, with the session's device online on it, and others by name."""
    own = {MAC: (NOON - 40 * MINUTE, HASH)}
    names = {"other": OTHER_MAC, "third": THIRD_MAC}
    others = {names[name]: (since, bytes([number])) for number, (name, since) in enumerate(online.items(), 6)}
    allowance = Allowance(1, AllowanceOwner(voucher_id=1), "default", "UTC", plan, first_used_at=NOON - 50 * MINUTE)
    return AllowanceUsage(allowance, Use(used), {**own, **others})


def judged(report: Report, tally: AllowanceUsage) -> tuple[AuthCode, Reason | None]:
    """Return the answer to a report of the session at noon, and why it ended, if it did."""
    decision = decide(ONLINE, report, NOON, Octets(), tally)
    return decision.code, decision.reason


@pytest.mark.parametrize(
    ("limit", "code", "reason"),
    [
        (timedelta(minutes=50, microseconds=1), AuthCode.ALLOWED, None),
        (50 * MINUTE, AuthCode.DENIED, Reason.TIME_IS_UP),
        (47 * MINUTE, AuthCode.DENIED, Reason.TIME_IS_UP),
    ],
)
def test_time_since_the_first_use_ends_a_session(limit: timedelta, code: AuthCode, reason: Reason | None) -> None:
    """At the instant of the judgement, not that of the last report."""
    assert judged(COUNTERS, usage(Plan("p", "P", time_limit=limit))) == (code, reason)


@pytest.mark.parametrize(
    ("used", "code", "reason"),
    [
        (timedelta(minutes=86, seconds=59), AuthCode.ALLOWED, None),
        (87 * MINUTE, AuthCode.DENIED, Reason.TIME_IS_UP),
    ],
)
def test_time_online_ends_a_session(used: timedelta, code: AuthCode, reason: Reason | None) -> None:
    """The three minutes since the last report included: 87 and 3 of 90."""
    plan = Plan("p", "P", time_limit=90 * MINUTE, time_counts=TimeCounts.USED)
    assert judged(COUNTERS, usage(plan, used)) == (code, reason)


@pytest.mark.parametrize(
    ("online", "answer"),
    [
        ({}, (AuthCode.ALLOWED, None)),
        ({"other": NOON - 41 * MINUTE}, (AuthCode.ALLOWED, None)),
        ({"other": NOON - MINUTE}, (AuthCode.ALLOWED, None)),
        ({"other": NOON - MINUTE, "third": NOON - 2 * MINUTE}, (AuthCode.DENIED, Reason.REPLACED)),
    ],
)
def test_a_device_goes_when_as_many_as_there_is_room_for_came_after_it(
    online: dict[str, datetime], answer: tuple[AuthCode, Reason | None]
) -> None:
    plan = Plan("p", "P", devices=2, when_full=WhenFull.REPLACE)
    assert judged(COUNTERS, usage(plan, **online)) == answer
    refusing = replace(plan, when_full=WhenFull.REFUSE)
    assert judged(COUNTERS, usage(refusing, **online)) == (AuthCode.ALLOWED, None)


def test_a_guest_who_leaves_while_being_displaced_has_left() -> None:
    """What the guest did is the reason, also where a limit would have ended the session."""
    later = {"other": NOON - MINUTE, "third": NOON - 2 * MINUTE}
    plan = Plan("p", "P", devices=2, when_full=WhenFull.REPLACE)
    assert judged(LOGOUT, usage(plan, **later)) == (AuthCode.DENIED, Reason.LOGOUT)
    spent = replace(plan, time_limit=MINUTE)
    assert judged(COUNTERS, usage(spent, **later)) == (AuthCode.DENIED, Reason.TIME_IS_UP)


@pytest.mark.parametrize(
    ("report", "ending", "code", "reason", "ended_at"),
    [
        (COUNTERS, None, AuthCode.VALIDATION_FAILED, Reason.NOT_VALIDATED, NOON - 7 * MINUTE),
        (LOGOUT, None, AuthCode.DENIED, Reason.LOGOUT, NOON),
        (COUNTERS, Reason.KICKED, AuthCode.DENIED, Reason.KICKED, NOON),
    ],
)
def test_only_a_missed_validation_ends_a_session_at_the_end_of_its_grace(
    report: Report, ending: Reason | None, code: AuthCode, reason: Reason, ended_at: datetime
) -> None:
    """Whoever left or was thrown out after the grace was online until then: its last report says so."""
    session = replace(ONLINE, allowance_id=None, probation_until=NOON - 7 * MINUTE, ending=ending)
    decision = decide(session, report, NOON)
    assert (decision.code, decision.reason, decision.ended_at) == (code, reason, ended_at)


def test_a_session_ends_at_the_earlier_of_two_ends() -> None:
    """Time was up before the grace was over, and both are long ago."""
    session = replace(ONLINE, allowance_id=None, expires_at=NOON - 9 * MINUTE, probation_until=NOON - 7 * MINUTE)
    decision = decide(session, COUNTERS, NOON)
    assert (decision.reason, decision.ended_at) == (Reason.TIME_IS_UP, NOON - 9 * MINUTE)


@pytest.mark.parametrize(
    ("dialect", "own", "expires"),
    [
        (Dialect.WIFIDOG, None, None),
        (Dialect.WIFIDOG_NG_2, None, NOON + 20 * MINUTE),
        (Dialect.WIFIDOG_NG_2, 15 * MINUTE, NOON + 15 * MINUTE),
        (Dialect.WIFIDOG_NG_2, 25 * MINUTE, NOON + 20 * MINUTE),
    ],
)
def test_a_gateway_that_reports_nobody_gets_the_time_that_is_left(
    dialect: Dialect, own: timedelta | None, expires: datetime | None
) -> None:
    """Of the allowance, as no report will use it up; or of the session, if that is less."""
    fresh = Session(HASH, "lobby", NOON, claimed_mac=MAC, allowance_id=1, time_limit=own)
    tally = usage(Plan("p", "P", time_limit=30 * MINUTE, time_counts=TimeCounts.USED), used=10 * MINUTE)
    login = replace(COUNTERS, stage=Stage.LOGIN, dialect=dialect)
    decision = decide(fresh, login, NOON, Octets(), replace(tally, online={}))
    assert decision.session is not None
    assert (decision.code, decision.session.expires_at) == (AuthCode.ALLOWED, expires)
