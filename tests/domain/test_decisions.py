"""What a report does to a session, and whether the guest may go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifidogd.domain.decisions import (
    Decision,
    Refusal,
    decide,
    end_replaced,
    find_refusal,
    takes_place,
)
from wifidogd.domain.plans import Allowance, AllowanceOwner, Plan, TimeCounts
from wifidogd.domain.quotas import Limit, Use, Verdict
from wifidogd.domain.sessions import (
    MAX_OCTETS,
    AuthCode,
    Dialect,
    Ended,
    Octets,
    Reason,
    Report,
    Session,
    Stage,
    count_anew,
)
from wifidogd.domain.usage import AllowanceUsage, Counted, arrival_of, count_on

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

MAC = "02:ab:cd:ef:01:01"
OTHER_MAC = "02:ab:cd:ef:02:02"

FRESH = Session(b"\1" * 32, "lobby", opened_at=NOON - SECOND)
ONLINE = replace(
    FRESH,
    mac=MAC,
    ip="10.0.0.2",
    opened_at=NOON - HOUR,
    activated_at=NOON - HOUR,
    reported_at=NOON - SECOND,
    used=Octets(100, 20),
    last=Octets(100, 20),
)

LOGIN = Report(Stage.LOGIN, Dialect.WIFIDOG, "token", "lobby", MAC, "10.0.0.2", Octets())
COUNTERS = replace(LOGIN, stage=Stage.COUNTERS, octets=Octets(100, 20))
LOGOUT = replace(COUNTERS, stage=Stage.LOGOUT)
BY_STAGE = [LOGIN, COUNTERS, LOGOUT]

COUNTS = st.integers(0, MAX_OCTETS)
OCTETS = st.builds(Octets, COUNTS, COUNTS)
SMALL_OCTETS = st.builds(Octets, st.integers(0, 2**40), st.integers(0, 2**40))


def test_a_first_login_activates_a_token() -> None:
    """It binds the token to the device, records where it is, and starts the clock of its limit."""
    assert decide(replace(FRESH, time_limit=HOUR), LOGIN, NOON) == Decision(
        AuthCode.ALLOWED,
        replace(
            FRESH, time_limit=HOUR, mac=MAC, ip="10.0.0.2", activated_at=NOON, reported_at=NOON, expires_at=NOON + HOUR
        ),
    )


def test_counters_activate_a_token_whose_login_was_lost() -> None:
    """The gateway lists the guest all the same; its octets count from the first."""
    decision = decide(FRESH, COUNTERS, NOON)
    assert decision.code is AuthCode.ALLOWED
    assert decision.session == replace(
        FRESH, mac=MAC, ip="10.0.0.2", activated_at=NOON, reported_at=NOON, used=Octets(100, 20), last=Octets(100, 20)
    )


def test_a_logout_of_a_fresh_token_settles_and_ends_it() -> None:
    """Even when neither login nor counters ever came through."""
    decision = decide(FRESH, LOGOUT, NOON)
    assert (decision.code, decision.reason, decision.ended_at) == (AuthCode.DENIED, Reason.LOGOUT, NOON)
    assert decision.session is not None
    assert decision.session.used == Octets(100, 20)


@pytest.mark.parametrize("report", BY_STAGE, ids=lambda report: report.stage.value)
def test_a_token_lapses_three_minutes_after_minting(report: Report) -> None:
    """To the microsecond; it then ends at that moment, whenever it is found out, and nothing else about it changes."""
    lapses = FRESH.opened_at + timedelta(minutes=3)
    assert decide(FRESH, report, lapses - MICROSECOND).reason is not Reason.NEVER_USED
    for late in (lapses, lapses + HOUR):
        assert decide(FRESH, report, late) == Decision(AuthCode.DENIED, FRESH, Reason.NEVER_USED, lapses)


def test_a_clock_that_was_set_gives_a_token_its_time_anew() -> None:
    """One that was minted since, or is in use, has the time it has."""
    set_at = FRESH.opened_at + HOUR
    anew = count_anew(FRESH, set_at)
    assert decide(anew, LOGIN, set_at + timedelta(minutes=3) - MICROSECOND).code is AuthCode.ALLOWED
    assert decide(anew, LOGIN, set_at + timedelta(minutes=3)).reason is Reason.NEVER_USED
    for session in (replace(FRESH, opened_at=set_at), replace(FRESH, activated_at=FRESH.opened_at)):
        assert count_anew(session, set_at) is session


def test_a_used_token_does_not_lapse() -> None:
    """Three minutes are for the first use only."""
    assert decide(ONLINE, COUNTERS, ONLINE.opened_at + timedelta(days=400)).code is AuthCode.ALLOWED


def test_a_repeated_login_is_answered_alike() -> None:
    """A lost answer or a double click changes nothing but the instant of the report, and starts no new limit."""
    first = decide(replace(FRESH, time_limit=HOUR), LOGIN, NOON).session
    assert first is not None
    assert decide(first, LOGIN, NOON + SECOND) == Decision(AuthCode.ALLOWED, replace(first, reported_at=NOON + SECOND))


def test_the_zeros_of_a_login_are_no_news() -> None:
    """A second login while online says 0 octets; the totals go on from where they were (docs/protocol.md 6.6)."""
    again = decide(ONLINE, LOGIN, NOON).session
    assert again is not None
    assert (again.used, again.last) == (ONLINE.used, ONLINE.last)
    later = decide(again, replace(COUNTERS, octets=Octets(101, 20)), NOON).session
    assert later is not None
    assert later.used == Octets(101, 20)


def test_no_data_is_no_change() -> None:
    """Nonsense counters keep the guest online and the last totals for the next report."""
    assert decide(ONLINE, replace(COUNTERS, octets=None), NOON) == Decision(
        AuthCode.ALLOWED, replace(ONLINE, reported_at=NOON)
    )


def test_a_changed_address_is_recorded_and_a_missing_one_keeps_the_last() -> None:
    """Addresses move; devices do not."""
    moved = decide(ONLINE, replace(COUNTERS, ip="10.0.0.9"), NOON).session
    unsaid = decide(ONLINE, replace(COUNTERS, ip=None), NOON).session
    assert moved is not None
    assert unsaid is not None
    assert (moved.ip, unsaid.ip) == ("10.0.0.9", "10.0.0.2")


def test_a_logout_takes_the_last_octets() -> None:
    """And ends the session there and then, answered 0 as apfree needs it."""
    decision = decide(ONLINE, replace(LOGOUT, octets=Octets(150, 30)), NOON)
    assert (decision.code, decision.reason, decision.ended_at) == (AuthCode.DENIED, Reason.LOGOUT, NOON)
    assert decision.session is not None
    assert decision.session.used == Octets(150, 30)


@pytest.mark.parametrize(
    ("session", "report", "refusal"),
    [
        (None, LOGIN, Refusal.UNKNOWN_TOKEN),
        (FRESH, LOGIN, None),
        (ONLINE, COUNTERS, None),
        (FRESH, replace(LOGIN, gw_id="garden"), Refusal.WRONG_GATEWAY),
        (ONLINE, replace(COUNTERS, gw_id="garden"), Refusal.WRONG_GATEWAY),
        (ONLINE, replace(COUNTERS, gw_id="Lobby"), Refusal.WRONG_GATEWAY),
        (ONLINE, replace(COUNTERS, gw_id="garden", mac=OTHER_MAC), Refusal.WRONG_GATEWAY),
        (ONLINE, replace(COUNTERS, mac=OTHER_MAC), Refusal.WRONG_DEVICE),
        (ONLINE, replace(COUNTERS, mac=None), None),
        (ONLINE, replace(COUNTERS, gw_id=None), None),
        (ONLINE, replace(COUNTERS, gw_id=None, mac=OTHER_MAC), Refusal.WRONG_DEVICE),
        (replace(ONLINE, mac=None), replace(COUNTERS, mac=OTHER_MAC), None),
        (FRESH, replace(LOGIN, gw_id=None, mac=None, ip=None), None),
    ],
)
def test_a_report_must_come_from_where_its_token_belongs(
    session: Session | None, report: Report, refusal: Refusal | None
) -> None:
    """What a gateway does not say is not held against the guest; a refused report is answered 0 and changes nothing."""
    assert find_refusal(session, report) is refusal
    for stage in Stage:
        decision = decide(session, replace(report, stage=stage), NOON)
        if refusal is None:
            assert decision.session is not None
            assert decision.refusal is None
        else:
            assert decision == Decision(AuthCode.DENIED, refusal=refusal)


def test_a_refused_report_does_not_end_a_lapsed_or_ending_session() -> None:
    """A stranger cannot hasten anything."""
    lapsed = replace(FRESH, opened_at=NOON - HOUR)
    for session in (lapsed, replace(ONLINE, ending=Reason.KICKED), replace(ONLINE, expires_at=NOON)):
        assert decide(session, replace(LOGOUT, gw_id="garden"), NOON).session is None


def test_a_device_can_be_named_later() -> None:
    """A session begun without a MAC takes the first that is reported, and then no other."""
    nameless = decide(FRESH, replace(LOGIN, mac=None), NOON).session
    assert nameless is not None
    assert nameless.mac is None
    named = decide(nameless, COUNTERS, NOON).session
    assert named is not None
    assert named.mac == MAC
    assert decide(named, replace(COUNTERS, mac=OTHER_MAC), NOON).refusal is Refusal.WRONG_DEVICE


@pytest.mark.parametrize(
    ("session", "report", "takes"),
    [
        (FRESH, LOGIN, True),
        (FRESH, COUNTERS, True),
        (replace(ONLINE, mac=None), COUNTERS, True),
        (ONLINE, COUNTERS, False),
        (FRESH, replace(LOGIN, mac=None), False),
        (FRESH, replace(LOGIN, gw_id="garden"), False),
        (None, LOGIN, False),
    ],
)
def test_naming_its_device_lets_a_session_take_a_place(session: Session | None, report: Report, takes: bool) -> None:
    """Once: afterwards the place is its own."""
    assert takes_place(session, report) is takes


@pytest.mark.parametrize("report", [LOGIN, COUNTERS], ids=lambda report: report.stage.value)
@pytest.mark.parametrize(
    ("limits", "reason", "ended_at"),
    [
        ({}, None, None),
        ({"expires_at": NOON + MICROSECOND}, None, None),
        ({"expires_at": NOON}, Reason.TIME_IS_UP, NOON),
        ({"expires_at": NOON - SECOND}, Reason.TIME_IS_UP, NOON - SECOND),
        ({"quota_octets": 121}, None, None),
        ({"quota_octets": 120}, Reason.QUOTA_IS_SPENT, NOON),
        ({"quota_octets": 119}, Reason.QUOTA_IS_SPENT, NOON),
        ({"quota_octets": 120, "expires_at": NOON - SECOND}, Reason.TIME_IS_UP, NOON - SECOND),
        ({"ending": Reason.KICKED}, Reason.KICKED, NOON),
        ({"ending": Reason.LOGOUT}, Reason.LOGOUT, NOON),
        ({"ending": Reason.KICKED, "quota_octets": 120, "expires_at": NOON}, Reason.KICKED, NOON),
    ],
)
def test_limits_are_inclusive(
    report: Report, limits: dict[str, object], reason: Reason | None, ended_at: datetime | None
) -> None:
    """A guest is out at the very second, and the very octet, of the limit, and when asked to end."""
    decision = decide(replace(ONLINE, **limits), report, NOON)
    assert decision.code is (AuthCode.ALLOWED if reason is None else AuthCode.DENIED)
    assert (decision.reason, decision.ended_at) == (reason, ended_at)


@pytest.mark.parametrize(
    ("ending", "stage", "reason"),
    [
        (None, Stage.COUNTERS, Reason.TIME_IS_UP),
        (None, Stage.LOGOUT, Reason.LOGOUT),
        (Reason.KICKED, Stage.COUNTERS, Reason.KICKED),
        (Reason.LOGOUT, Stage.LOGOUT, Reason.LOGOUT),
    ],
)
def test_no_session_lasts_longer_than_its_time(ending: Reason | None, stage: Stage, reason: Reason) -> None:
    """Whoever ends it, when the report comes after the limit."""
    overdue = replace(ONLINE, expires_at=NOON - SECOND, ending=ending)
    decision = decide(overdue, replace(COUNTERS, stage=stage), NOON)
    assert (decision.reason, decision.ended_at) == (reason, NOON - SECOND)


def test_the_octets_of_the_last_report_count_against_the_quota() -> None:
    """Both directions together."""
    limited = replace(ONLINE, quota_octets=130)
    assert decide(limited, replace(COUNTERS, octets=Octets(104, 25)), NOON).reason is None
    assert decide(limited, replace(COUNTERS, octets=Octets(104, 26)), NOON).reason is Reason.QUOTA_IS_SPENT


def test_a_token_asked_to_end_before_its_first_use_is_denied() -> None:
    """An operator who kicks a pending guest is obeyed at the login."""
    decision = decide(replace(FRESH, ending=Reason.KICKED), LOGIN, NOON)
    assert (decision.code, decision.reason) == (AuthCode.DENIED, Reason.KICKED)


@pytest.mark.parametrize(
    ("report", "used"),
    [
        (LOGIN, Octets()),
        (replace(COUNTERS, octets=None), Octets()),
        (replace(COUNTERS, octets=Octets(1000, 500)), Octets()),
        (replace(COUNTERS, octets=Octets(1007, 501)), Octets(7, 1)),
        (replace(COUNTERS, octets=Octets(3, 2)), Octets(3, 2)),
    ],
)
def test_inherited_totals_are_not_counted_again(report: Report, used: Octets) -> None:
    """A new token of an online device goes on from the old one's totals (docs/protocol.md 6.6), unless they fell."""
    session = decide(FRESH, report, NOON, inherited=Octets(1000, 500)).session
    assert session is not None
    assert session.used == used


def test_totals_are_inherited_once() -> None:
    """Later reports go by what was reported before."""
    session = decide(ONLINE, replace(COUNTERS, octets=Octets(110, 20)), NOON, inherited=Octets(105, 20)).session
    assert session is not None
    assert session.used == Octets(110, 20)


@pytest.mark.parametrize(
    ("last", "new", "used"),
    [
        (Octets(100, 20), Octets(100, 20), Octets(1000, 1000)),
        (Octets(100, 20), Octets(101, 20), Octets(1001, 1000)),
        (Octets(100, 20), Octets(7, 5), Octets(1007, 1005)),
        (Octets(100, 20), Octets(0, 0), Octets(1000, 1000)),
        (Octets(100, 20), Octets(99, 21), Octets(1099, 1021)),
        (Octets(100, 20), Octets(500, 19), Octets(1500, 1019)),
        (Octets(0, 0), Octets(MAX_OCTETS - 1000, 0), Octets(MAX_OCTETS, 1000)),
        (Octets(0, 0), Octets(MAX_OCTETS - 999, 0), Octets(MAX_OCTETS, 1000)),
        (Octets(MAX_OCTETS, MAX_OCTETS), Octets(MAX_OCTETS, MAX_OCTETS), Octets(1000, 1000)),
        (Octets(MAX_OCTETS, MAX_OCTETS), Octets(MAX_OCTETS, 0), Octets(MAX_OCTETS, 1000)),
    ],
)
def test_totals_grow_or_start_over(last: Octets, new: Octets, used: Octets) -> None:
    """Starting over is both directions' at once; sums stop at the largest that can be stored."""
    assert count_on(Counted(Octets(1000, 1000), last), new) == Counted(used, new)


@given(OCTETS, OCTETS, OCTETS)
def test_what_was_used_never_falls(used: Octets, last: Octets, new: Octets) -> None:
    """And always fits its columns."""
    after = count_on(Counted(used, last), new).used
    assert used.incoming <= after.incoming <= MAX_OCTETS
    assert used.outgoing <= after.outgoing <= MAX_OCTETS


@given(st.lists(st.lists(SMALL_OCTETS, min_size=1), max_size=10))
def test_every_octet_is_counted_once_over_restarts(epochs: list[list[Octets]]) -> None:
    """
    The sum is what the gateway counted from each start to the next.

    A gateway that has just started says zero first.
    """
    counted = Counted(Octets(), Octets())
    for growth in epochs:
        for total in accumulate([Octets(), *growth], _plus):
            counted = count_on(counted, total)
    assert counted.used == reduce(_plus, (octets for growth in epochs for octets in growth), Octets())


@given(st.lists(SMALL_OCTETS, min_size=1))
def test_repeated_reports_count_nothing(growth: list[Octets]) -> None:
    """A gateway that asks twice because an answer was lost does the guest no harm."""
    once, twice = ONLINE, ONLINE
    for total in accumulate(growth, _plus):
        report = replace(COUNTERS, octets=total)
        once = decide(once, report, NOON).session or once
        for _ in range(2):
            twice = decide(twice, report, NOON).session or twice
    assert once == twice


@given(
    st.sampled_from([FRESH, ONLINE, replace(ONLINE, used=Octets(MAX_OCTETS, MAX_OCTETS))]),
    st.sampled_from(BY_STAGE),
    st.none() | OCTETS,
    OCTETS,
    st.none() | COUNTS,
    st.timedeltas(timedelta(), timedelta(days=36_500)),
)
def test_a_decision_is_whole(
    session: Session, report: Report, octets: Octets | None, inherited: Octets, quota: int | None, age: timedelta
) -> None:
    """Allowed means going on and within limits; denied without refusal means ended, for a reason, not in the future."""
    now = session.opened_at + age
    decision = decide(replace(session, quota_octets=quota), replace(report, octets=octets), now, inherited)
    assert decision.session is not None
    if decision.code is AuthCode.ALLOWED:
        assert (decision.reason, decision.ended_at) == (None, None)
        assert quota is None or decision.session.used.total < quota
    else:
        assert decision.code is AuthCode.DENIED
        assert decision.reason is not None
        assert decision.ended_at is not None
        assert decision.ended_at <= now


@pytest.mark.parametrize(
    ("session", "at", "reason"),
    [
        (ONLINE, NOON, Reason.REPLACED),
        (replace(ONLINE, ending=Reason.KICKED), NOON, Reason.KICKED),
        (replace(ONLINE, ending=Reason.LOGOUT), NOON, Reason.LOGOUT),
        (replace(ONLINE, expires_at=NOON + MICROSECOND), NOON, Reason.REPLACED),
        (replace(ONLINE, expires_at=NOON), NOON, Reason.TIME_IS_UP),
        (replace(ONLINE, expires_at=NOON - SECOND), NOON - SECOND, Reason.TIME_IS_UP),
        (replace(ONLINE, expires_at=NOON - SECOND, ending=Reason.KICKED), NOON - SECOND, Reason.KICKED),
    ],
)
def test_a_replaced_session_ends_as_such_unless_it_was_over_already(
    session: Session, at: datetime, reason: Reason
) -> None:
    """No session lasts longer than its limit, also in the history."""
    assert end_replaced(session, NOON) == Ended(session, at, reason)


def _plus(one: Octets, other: Octets) -> Octets:
    return Octets(one.incoming + other.incoming, one.outgoing + other.outgoing)


ALLOWANCE = Allowance(1, AllowanceOwner(voucher_id=1), "default", "UTC", Plan("p", "P", total_octets=200, devices=1))
DRAWING = replace(ONLINE, allowance_id=1)
TALLY = AllowanceUsage(
    replace(ALLOWANCE, first_used_at=NOON - HOUR), Use(HOUR, Octets(100, 20)), {MAC: arrival_of(DRAWING)}
)


@pytest.mark.parametrize(
    ("octets", "code", "reason"),
    [
        (Octets(179, 20), AuthCode.ALLOWED, None),
        (Octets(180, 20), AuthCode.DENIED, Reason.QUOTA_IS_SPENT),
        (Octets(10, 10), AuthCode.ALLOWED, None),
    ],
)
def test_a_report_is_judged_by_the_allowance_with_what_it_adds(
    octets: Octets, code: AuthCode, reason: Reason | None
) -> None:
    """Not by what was known before."""
    decision = decide(DRAWING, replace(COUNTERS, octets=octets), NOON, tally=TALLY)
    assert (decision.code, decision.reason) == (code, reason)
    assert decision.tally is not None
    assert decision.session is not None
    assert decision.tally.use.octets == decision.session.used
    assert decision.verdict == (None if reason is None else Verdict(Limit.OCTETS))


@pytest.mark.parametrize(
    ("session", "report", "reason"),
    [
        (replace(DRAWING, ending=Reason.KICKED), COUNTERS, Reason.KICKED),
        (DRAWING, LOGOUT, Reason.LOGOUT),
        (replace(DRAWING, expires_at=NOON), COUNTERS, Reason.QUOTA_IS_SPENT),
        (replace(DRAWING, probation_until=NOON), COUNTERS, Reason.QUOTA_IS_SPENT),
    ],
)
def test_of_several_reasons_the_one_that_was_asked_for_is_named(
    session: Session, report: Report, reason: Reason
) -> None:
    """Then that of the allowance, which lasts longer than that of the session."""
    tally = replace(TALLY, use=Use(octets=Octets(500, 0)))
    decision = decide(session, report, NOON, tally=tally)
    assert decision.reason is reason
    assert (decision.verdict is not None) is (reason is Reason.QUOTA_IS_SPENT)


def test_a_first_use_that_is_refused_does_not_start_the_clock() -> None:
    """The device has used nothing."""
    fresh = replace(FRESH, allowance_id=1)
    tally = AllowanceUsage(ALLOWANCE, online={OTHER_MAC: (NOON - HOUR, b"")})
    decision = decide(fresh, LOGIN, NOON, tally=tally)
    assert (decision.code, decision.reason, decision.ended_at) == (AuthCode.DENIED, Reason.DEVICES, NOON)
    assert decision.tally is not None
    assert decision.tally.allowance.first_used_at is None
    begun = decide(fresh, LOGIN, NOON, tally=AllowanceUsage(ALLOWANCE))
    assert begun.tally is not None
    assert begun.tally.allowance.first_used_at == NOON


@pytest.mark.parametrize("report", BY_STAGE, ids=lambda report: report.stage.value)
@pytest.mark.parametrize(
    ("mac", "refusal"), [(MAC, None), (None, Refusal.NO_DEVICE), (OTHER_MAC, Refusal.WRONG_DEVICE)]
)
def test_a_claimed_device_must_be_the_one(report: Report, mac: str | None, refusal: Refusal | None) -> None:
    """At every stage; a gateway that cannot tell yet may tell later, while the token is valid."""
    claimed = replace(FRESH, claimed_mac=MAC)
    assert find_refusal(claimed, replace(report, mac=mac)) is refusal
    assert takes_place(claimed, replace(report, mac=mac)) is (mac == MAC)
    nameless = replace(ONLINE, mac=None, claimed_mac=MAC)
    assert find_refusal(nameless, replace(report, mac=mac)) is refusal
    assert decide(claimed, replace(report, mac=None), NOON) == Decision(AuthCode.DENIED, refusal=Refusal.NO_DEVICE)


@pytest.mark.parametrize("report", BY_STAGE, ids=lambda report: report.stage.value)
def test_a_device_that_is_known_stays_the_one_when_a_gateway_cannot_tell(report: Report) -> None:
    """Its MAC is never overwritten with nothing."""
    for session in (ONLINE, replace(ONLINE, claimed_mac=MAC)):
        decision = decide(session, replace(report, mac=None), NOON)
        assert decision.session is not None
        assert decision.session.mac == MAC


@pytest.mark.parametrize(
    ("report", "ip", "known", "refusal"),
    [
        (LOGIN, "10.0.0.2", "10.0.0.2", None),
        (LOGIN, "10.0.0.3", "10.0.0.2", Refusal.WRONG_DEVICE),
        (LOGIN, None, "10.0.0.2", None),
        (LOGIN, "10.0.0.3", None, None),
        (COUNTERS, "10.0.0.3", "10.0.0.2", None),
        (LOGOUT, "10.0.0.3", "10.0.0.2", None),
    ],
)
def test_nobody_comes_in_on_the_token_of_a_device_from_another_address_without_a_mac(
    report: Report, ip: str | None, known: str | None, refusal: Refusal | None
) -> None:
    """Counters go on: a gateway that loses the ARP entry of a device with a new address must not end its session."""
    assert find_refusal(replace(ONLINE, ip=known), replace(report, mac=None, ip=ip)) is refusal


@pytest.mark.parametrize(
    ("until", "stage", "code", "reason"),
    [
        (NOON + MICROSECOND, LOGIN, AuthCode.VALIDATION, None),
        (NOON + MICROSECOND, COUNTERS, AuthCode.VALIDATION, None),
        (NOON + MICROSECOND, LOGOUT, AuthCode.DENIED, Reason.LOGOUT),
        (NOON, COUNTERS, AuthCode.VALIDATION_FAILED, Reason.NOT_VALIDATED),
        (NOON - HOUR, COUNTERS, AuthCode.VALIDATION_FAILED, Reason.NOT_VALIDATED),
        (NOON, LOGOUT, AuthCode.DENIED, Reason.LOGOUT),
    ],
)
def test_a_guest_on_probation_is_online_on_trust(
    until: datetime, stage: Report, code: AuthCode, reason: Reason | None
) -> None:
    """5 while the grace lasts, 6 once it is over (wifidog-gateway C{src/auth.c}); the session ended with the grace."""
    decision = decide(replace(ONLINE, probation_until=until), stage, NOON)
    assert (decision.code, decision.reason) == (code, reason)
    assert decision.ended_at == (None if reason is None else min(NOON, until))


@pytest.mark.parametrize("probation", [HOUR, MICROSECOND])
def test_a_logout_after_the_grace_ends_the_session_when_it_came(probation: timedelta) -> None:
    """The guest left by themselves; the end of the grace ends only those who were put out for it."""
    decision = decide(replace(ONLINE, probation_until=NOON - probation), LOGOUT, NOON)
    assert (decision.code, decision.reason, decision.ended_at) == (AuthCode.DENIED, Reason.LOGOUT, NOON)


TIMED = replace(ALLOWANCE, plan=Plan("p", "P", time_limit=2 * HOUR, time_counts=TimeCounts.USED))


@pytest.mark.parametrize(
    ("now", "reason"),
    [(NOON + 30 * MINUTE - MICROSECOND, None), (NOON + 30 * MINUTE, Reason.TIME_IS_UP)],
)
def test_a_limit_of_time_online_is_reached_at_the_report_that_adds_the_last_of_it(
    now: datetime, reason: Reason | None
) -> None:
    """Earlier sessions used half an hour, this one an hour until its last report, which was at noon."""
    session = replace(DRAWING, reported_at=NOON)
    before = AllowanceUsage(replace(TIMED, used_time=30 * MINUTE, first_used_at=NOON - 2 * HOUR), Use(90 * MINUTE))
    decision = decide(session, COUNTERS, now, tally=before)
    assert decision.reason is reason
    assert decision.verdict == (None if reason is None else Verdict(Limit.TIME))
    assert decision.ended_at == (None if reason is None else now)


@pytest.mark.parametrize(
    ("now", "reason"),
    [(NOON - MICROSECOND, None), (NOON, Reason.TIME_IS_UP)],
)
def test_a_limit_of_time_since_the_first_use_is_reached_at_its_very_second(
    now: datetime, reason: Reason | None
) -> None:
    """However little of it was spent online."""
    plan = Plan("p", "P", time_limit=3 * HOUR, time_counts=TimeCounts.WALL)
    tally = AllowanceUsage(replace(ALLOWANCE, plan=plan, first_used_at=NOON - 3 * HOUR), Use(MINUTE))
    decision = decide(DRAWING, COUNTERS, now, tally=tally)
    assert decision.reason is reason
    assert decision.verdict == (None if reason is None else Verdict(Limit.TIME))
