"""Batches of reports, folded into the sessions they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wifidogd.accounting.batch import ReportBatch
from wifidogd.domain.decisions import FIRST_USE_WITHIN, Decision, Refusal
from wifidogd.domain.plans import Allowance, Plan, WhenFull
from wifidogd.domain.quotas import Amount, Limit, Use, Verdict
from wifidogd.domain.sessions import AuthCode, Dialect, Ended, Octets, Reason, Report, Session, Stage
from wifidogd.domain.usage import AllowanceUsage, arrival_of, device_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)

MAC = "02:ab:cd:ef:01:01"
OTHER_MAC = "02:ab:cd:ef:02:02"

OLD, NEW, NEWER, UNKNOWN = (bytes([number]) * 32 for number in range(1, 5))

ONLINE = Session(
    OLD,
    "lobby",
    opened_at=NOON - HOUR,
    mac=MAC,
    ip="10.0.0.2",
    activated_at=NOON - HOUR,
    reported_at=NOON - SECOND,
    used=Octets(100, 20),
    last=Octets(100, 20),
)
FRESH = Session(NEW, "lobby", opened_at=NOON - SECOND)
FRESHER = replace(FRESH, token_hash=NEWER)

LOGIN = Report(Stage.LOGIN, Dialect.WIFIDOG, "", "lobby", MAC, "10.0.0.2", Octets())
LOGOUT = replace(LOGIN, stage=Stage.LOGOUT, octets=Octets(150, 30))


def counters(incoming: int, outgoing: int) -> Report:
    """Report totals of the device in the lobby."""
    return Report(Stage.COUNTERS, Dialect.WIFIDOG, "", "lobby", MAC, "10.0.0.2", Octets(incoming, outgoing))


def may_ask(gw_id: str, key: str | None) -> bool:
    """The lobby and the garden are adopted; the vault too, with a key."""
    return gw_id in ("lobby", "garden") or (gw_id, key) == ("vault", "right")


def batch_of(*sessions: Session, online: Sequence[Session] = ()) -> ReportBatch:
    """Begin a batch on sessions named by its tokens."""
    return ReportBatch({session.token_hash: session for session in sessions}, online, may_ask)


def codes(batch: ReportBatch, *entries: tuple[bytes, Report]) -> list[int]:
    """Enter reports at noon and list the answers."""
    return [batch.enter(token_hash, report, NOON).code for token_hash, report in entries]


def test_reports_of_one_session_add_up_in_order() -> None:
    """Each is judged on what the one before left."""
    batch = batch_of(ONLINE)
    assert codes(batch, (OLD, counters(110, 20)), (OLD, counters(5, 1)), (OLD, counters(8, 1))) == [1, 1, 1]
    assert batch.changed == [replace(ONLINE, reported_at=NOON, used=Octets(118, 21), last=Octets(8, 1))]
    assert batch.ended == []


def test_an_unknown_token_is_answered_0() -> None:
    """And leaves nothing to write."""
    batch = batch_of(ONLINE)
    assert batch.enter(UNKNOWN, LOGIN, NOON) == Decision(AuthCode.DENIED, refusal=Refusal.UNKNOWN_TOKEN)
    assert batch.enter(UNKNOWN, replace(LOGIN, gw_id=None), NOON).refusal is Refusal.UNKNOWN_TOKEN
    assert (batch.changed, batch.ended) == ([], [])


def test_what_ended_in_the_batch_is_unknown_in_the_rest_of_it() -> None:
    """Its octets are written once, and nothing brings it back."""
    batch = batch_of(ONLINE)
    entries = [(OLD, counters(120, 20)), (OLD, LOGOUT), (OLD, counters(160, 30)), (OLD, LOGIN), (OLD, LOGOUT)]
    assert codes(batch, *entries) == [1, 0, 0, 0, 0]
    assert batch.changed == []
    ended = replace(ONLINE, reported_at=NOON, used=Octets(150, 30), last=Octets(150, 30))
    assert batch.ended == [Ended(ended, NOON, Reason.LOGOUT)]


def test_a_quota_spent_in_the_batch_ends_the_session_there() -> None:
    """At the report that reached it."""
    batch = batch_of(replace(ONLINE, quota_octets=200))
    assert codes(batch, (OLD, counters(179, 20)), (OLD, counters(180, 20)), (OLD, counters(181, 20))) == [1, 0, 0]
    assert [(ended.session.used.total, ended.reason) for ended in batch.ended] == [(200, Reason.QUOTA_IS_SPENT)]


def test_a_new_token_of_an_online_device_replaces_the_old_one() -> None:
    """It goes on from the old one's totals; the old one keeps what it used."""
    batch = batch_of(FRESH, online=[ONLINE])
    assert codes(batch, (NEW, LOGIN), (NEW, counters(130, 25))) == [1, 1]
    assert batch.ended == [Ended(ONLINE, NOON, Reason.REPLACED)]
    assert [(session.token_hash, session.used) for session in batch.changed] == [(NEW, Octets(30, 5))]


def test_totals_reported_earlier_in_the_batch_are_inherited() -> None:
    """Not those that were in the store before."""
    batch = batch_of(FRESH, ONLINE)
    assert codes(batch, (OLD, counters(120, 20)), (NEW, counters(130, 25)), (OLD, counters(140, 25))) == [1, 1, 0]
    assert [(ended.session.used, ended.reason) for ended in batch.ended] == [(Octets(120, 20), Reason.REPLACED)]
    assert [(session.token_hash, session.used) for session in batch.changed] == [(NEW, Octets(10, 5))]


def test_of_two_fresh_tokens_of_one_device_the_last_stays() -> None:
    """Each takes the place of the one before, within the batch too."""
    batch = batch_of(FRESH, FRESHER, online=[ONLINE])
    assert codes(batch, (NEW, counters(110, 20)), (NEWER, counters(115, 21)), (NEW, counters(120, 22))) == [
        1,
        1,
        0,
    ]
    assert [(ended.session.token_hash, ended.session.used, ended.reason) for ended in batch.ended] == [
        (OLD, Octets(100, 20), Reason.REPLACED),
        (NEW, Octets(10, 0), Reason.REPLACED),
    ]
    assert [(session.token_hash, session.used) for session in batch.changed] == [(NEWER, Octets(5, 1))]


def test_a_device_that_logged_out_in_the_batch_starts_from_zero() -> None:
    """The gateway forgot its totals with the logout."""
    batch = batch_of(FRESH, ONLINE)
    assert codes(batch, (OLD, LOGOUT), (NEW, LOGIN), (NEW, counters(170, 40))) == [0, 1, 1]
    assert [ended.reason for ended in batch.ended] == [Reason.LOGOUT]
    assert [session.used for session in batch.changed] == [Octets(170, 40)]


@pytest.mark.parametrize(
    ("rival", "at", "reason"),
    [
        (replace(ONLINE, ending=Reason.KICKED), NOON, Reason.KICKED),
        (replace(ONLINE, ending=Reason.LOGOUT), NOON, Reason.LOGOUT),
        (replace(ONLINE, expires_at=NOON - SECOND), NOON - SECOND, Reason.TIME_IS_UP),
        (replace(ONLINE, expires_at=NOON), NOON, Reason.TIME_IS_UP),
        (replace(ONLINE, expires_at=NOON + SECOND), NOON, Reason.REPLACED),
    ],
)
def test_a_session_that_was_over_is_not_called_replaced(rival: Session, at: datetime, reason: Reason) -> None:
    """It ended when and because it did; nobody's stay is longer than their time."""
    batch = batch_of(FRESH, online=[rival])
    assert codes(batch, (NEW, LOGIN)) == [1]
    assert batch.ended == [Ended(rival, at, reason)]


@pytest.mark.parametrize(
    ("session", "report"),
    [
        (replace(FRESH, opened_at=NOON - FIRST_USE_WITHIN), LOGIN),
        (FRESH, replace(LOGIN, gw_id="garden")),
        (FRESH, replace(LOGIN, gw_id="cellar")),
        (FRESH, replace(LOGIN, mac=None)),
        (FRESH, replace(LOGIN, mac=OTHER_MAC)),
        (replace(FRESH, gw_id="garden"), replace(LOGIN, gw_id="garden")),
        (replace(FRESH, gw_id="garden"), LOGIN),
    ],
    ids=["lapsed", "another gateway", "a stranger", "no device", "another device", "elsewhere", "misplaced"],
)
def test_what_does_not_take_the_place_leaves_the_old_session_alone(session: Session, report: Report) -> None:
    """A lapsed or stolen token cannot throw anybody off."""
    batch = batch_of(session, ONLINE)
    batch.enter(NEW, report, NOON)
    assert codes(batch, (OLD, counters(110, 20))) == [1]
    assert OLD not in [ended.session.token_hash for ended in batch.ended]


def test_a_session_that_learns_its_device_late_takes_the_place_too() -> None:
    """Begun without a MAC, it has counted by itself and inherits nothing."""
    nameless = replace(ONLINE, token_hash=NEW, mac=None)
    batch = batch_of(nameless, online=[ONLINE])
    assert codes(batch, (NEW, counters(110, 21))) == [1]
    assert [(ended.session.token_hash, ended.reason) for ended in batch.ended] == [(OLD, Reason.REPLACED)]
    assert [session.used for session in batch.changed] == [Octets(110, 21)]


@pytest.mark.parametrize(
    ("gw_id", "key", "refusal"),
    [
        ("lobby", None, None),
        ("lobby", "needless", None),
        ("vault", "right", None),
        ("vault", "wrong", Refusal.GATEWAY_NOT_ADOPTED),
        ("vault", "", Refusal.GATEWAY_NOT_ADOPTED),
        ("vault", None, Refusal.GATEWAY_NOT_ADOPTED),
        ("cellar", None, Refusal.GATEWAY_NOT_ADOPTED),
        ("cellar", "right", Refusal.GATEWAY_NOT_ADOPTED),
    ],
)
@pytest.mark.parametrize("says_who", [True, False], ids=["named", "ancient"])
def test_only_adopted_gateways_with_their_key_may_ask(
    gw_id: str, key: str | None, refusal: Refusal | None, says_who: bool
) -> None:
    """One that does not name itself is asked for the key of the gateway that its token belongs to."""
    batch = batch_of(replace(FRESH, gw_id=gw_id))
    report = replace(LOGIN, gw_id=gw_id if says_who else None, key=key)
    assert batch.enter(NEW, report, NOON).refusal is refusal
    assert len(batch.changed) == (refusal is None)


def test_another_gateway_cannot_use_a_token_by_leaving_out_the_key() -> None:
    """Naming a gateway without key does not open one with."""
    batch = batch_of(replace(FRESH, gw_id="vault"))
    assert batch.enter(NEW, replace(LOGIN, gw_id="lobby"), NOON).refusal is Refusal.WRONG_GATEWAY


def test_what_is_written_back_is_in_the_order_of_its_keys() -> None:
    """Two servers that settle at the same time then lock in the same order."""
    order = [7, 3, 11, 1, 9, 12, 5, 2, 10, 4, 8, 6]
    sessions = [replace(ONLINE, token_hash=bytes([number]) * 32, mac=f"02:00:00:00:00:{number:02}") for number in order]
    batch = batch_of(*sessions)
    codes(batch, *[(session.token_hash, replace(counters(1, 1), mac=session.mac)) for session in sessions])
    assert [session.token_hash[0] for session in batch.changed] == list(range(1, 13))


def test_sessions_that_no_report_names_are_not_written() -> None:
    """Those online were only looked at."""
    batch = batch_of(FRESH, online=[replace(ONLINE, mac=OTHER_MAC)])
    codes(batch, (NEW, LOGIN))
    assert [session.token_hash for session in batch.changed] == [NEW]
    assert batch.ended == []


DAILY = Allowance(7, "voucher 7", "default", "UTC", Plan("p", "P", day_octets=1000, devices=1))
DRAWING = replace(ONLINE, allowance_id=7)
DRAWING_NEW = replace(FRESH, allowance_id=7)


def drawing(*sessions: Session, online: Sequence[Session] = (), allowance: Allowance = DAILY) -> ReportBatch:
    """Begin a batch on sessions of one allowance, with what is open of it added up."""
    live = [session for session in (*sessions, *online) if session.activated_at is not None]
    used = Octets(sum(one.used.incoming for one in live), sum(one.used.outgoing for one in live))
    usage = AllowanceUsage(allowance, Use(octets=used), {device_of(one): arrival_of(one) for one in live})
    return ReportBatch({session.token_hash: session for session in sessions}, online, may_ask, {7: usage})


def test_what_a_batch_uses_of_an_allowance_is_kept_for_its_minutes() -> None:
    """Of all its reports together."""
    batch = drawing(DRAWING)
    codes(batch, (OLD, counters(110, 20)), (OLD, counters(130, 20)))
    assert batch.drawn == {7: Amount(SECOND, 30)}
    usage = batch.usage_of(DRAWING)
    assert usage is not None
    assert usage.use.octets == Octets(130, 20)
    assert batch.begun == [7]


def test_an_allowance_without_such_limits_has_no_minutes() -> None:
    """And one that was used before is not begun again."""
    allowance = replace(DAILY, plan=Plan("p", "P"), first_used_at=NOON - HOUR)
    batch = drawing(DRAWING, allowance=allowance)
    codes(batch, (OLD, counters(110, 20)))
    assert (batch.drawn, batch.begun) == ({}, [])


def test_a_limit_reached_in_the_batch_holds_for_the_rest_of_it() -> None:
    """Another session of the allowance is denied at its next report; both know why."""
    other = replace(DRAWING, token_hash=NEWER, mac=OTHER_MAC)
    batch = drawing(DRAWING, other, allowance=replace(DAILY, plan=Plan("p", "P", total_octets=300)))
    elsewhere = replace(counters(101, 20), mac=OTHER_MAC)
    assert codes(batch, (NEWER, elsewhere), (OLD, counters(159, 20)), (NEWER, elsewhere)) == [1, 0, 0]
    assert batch.verdicts == {OLD: Verdict(Limit.OCTETS), NEWER: Verdict(Limit.OCTETS)}
    assert batch.displaced == set()


def test_a_device_that_signs_in_again_needs_no_second_place() -> None:
    """Its new session takes that of the old one, also in the tally."""
    batch = drawing(DRAWING_NEW, online=[DRAWING])
    assert codes(batch, (NEW, LOGIN)) == [1]
    usage = batch.usage_of(DRAWING_NEW)
    assert usage is not None
    assert usage.online == {MAC: (NOON, NEW)}
    assert [ended.reason for ended in batch.ended] == [Reason.REPLACED]
    assert batch.displaced == set()


def test_a_device_that_leaves_in_the_batch_makes_room_in_it() -> None:
    """For the next."""
    elsewhere = replace(LOGIN, mac=OTHER_MAC)
    full, free = drawing(DRAWING, DRAWING_NEW), drawing(DRAWING, DRAWING_NEW)
    assert codes(full, (NEW, elsewhere), (OLD, LOGOUT)) == [0, 0]
    assert [(ended.session.token_hash, ended.reason) for ended in full.ended] == [
        (NEW, Reason.DEVICES),
        (OLD, Reason.LOGOUT),
    ]
    assert codes(free, (OLD, LOGOUT), (NEW, elsewhere)) == [0, 1]


def test_the_older_device_of_a_batch_gives_way() -> None:
    """Where the plan says so."""
    plan = replace(DAILY.plan, when_full=WhenFull.REPLACE)
    batch = drawing(DRAWING, DRAWING_NEW, allowance=replace(DAILY, plan=plan))
    elsewhere = replace(LOGIN, mac=OTHER_MAC)
    assert codes(batch, (OLD, counters(110, 20)), (NEW, elsewhere), (OLD, counters(120, 20))) == [1, 1, 0]
    assert batch.displaced == {OLD}
    assert [(ended.session.used, ended.reason) for ended in batch.ended] == [(Octets(120, 20), Reason.REPLACED)]


ROAMER = replace(FRESH, gw_id="garden", opened_at=NOON - 40 * SECOND, expires_at=NOON + HOUR, roamed_from=OLD)
IN_GARDEN = replace(LOGIN, gw_id="garden", ip="10.1.0.2")


def test_a_guest_who_has_come_to_another_gateway_is_left_behind_at_the_first() -> None:
    """The new session keeps the end of the old one and began when the guest was let in; the old one ends with its next
    report, whose octets count and whose time does not."""
    batch = batch_of(ROAMER, online=[ONLINE])
    late = replace(counters(150, 30), octets=Octets(150, 30))
    assert codes(batch, (NEW, IN_GARDEN), (OLD, late), (OLD, late)) == [1, 0, 0]
    (session,) = batch.changed
    assert (session.activated_at, session.expires_at) == (NOON - 40 * SECOND, NOON + HOUR)
    (ended,) = batch.ended
    assert (ended.reason, ended.at) == (Reason.ROAMED, NOON - SECOND)
    assert (ended.session.used, ended.session.reported_at) == (Octets(150, 30), NOON - SECOND)
    assert batch.left == [OLD]


@pytest.mark.parametrize("endings", [[], [Reason.KICKED], [Reason.ROAMED]])
def test_a_session_does_not_continue_one_that_is_over(endings: list[Reason]) -> None:
    """Ended, about to be, or continued elsewhere already."""
    batch = batch_of(ROAMER, online=[replace(ONLINE, ending=ending) for ending in endings])
    decision = batch.enter(NEW, IN_GARDEN, NOON)
    assert (decision.code, decision.refusal) == (AuthCode.DENIED, Refusal.ORIGIN_ENDED)
    assert (batch.changed, batch.ended, batch.left) == ([], [], [])


def test_a_continued_session_needs_its_origin_only_to_begin() -> None:
    """Then it is one like any other."""
    batch = batch_of(replace(ROAMER, mac=MAC, ip="10.1.0.2", activated_at=NOON - SECOND, reported_at=NOON - SECOND))
    assert codes(batch, (NEW, replace(IN_GARDEN, stage=Stage.COUNTERS))) == [1]
