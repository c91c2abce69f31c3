"""Pure decisions: what a report does to a session, and whether the guest stays online."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from wifidogd.domain.quotas import Verdict
from wifidogd.domain.reports.capabilities import capabilities_of
from wifidogd.domain.sessions import AuthCode, Ended, Octets, Place, Reason, Report, Session, Stage
from wifidogd.domain.usage import AllowanceUsage, Counted, count_on, judge_entry, limit_by_allowance

FIRST_USE_WITHIN = timedelta(minutes=3)
"""How long a token is valid until a gateway first asks about it."""

NO_OCTETS = Octets()


class Refusal(Enum):
    """Why a report is answered 0 without changing anything."""

    UNKNOWN_TOKEN = "unknown token"
    WRONG_GATEWAY = "token of another gateway"
    WRONG_DEVICE = "token of another device"
    LEFT_ADDRESS = "the guest has another address now"
    NO_DEVICE = "the gateway reports no MAC, and its login page named one"
    ORIGIN_ENDED = "the session that it continues has ended"
    GATEWAY_NOT_ADOPTED = "gateway not adopted, or its key is wrong"


@dataclass(frozen=True, slots=True)
class Decision:
    """
    The answer to a report and what becomes of its session.

    @ivar session: as it stands after the report; None when the report was refused and changes nothing.
    @ivar reason: why the session ends with this report; None while it continues.
    @ivar ended_at: when it ended; None while it continues.
    @ivar refusal: why the report was refused; None when it was accepted.
    @ivar tally: what is known of the session's allowance after the report; None if it has none.
    @ivar verdict: which limit of the allowance ends the session; None when it continues or ends otherwise.
    """

    code: AuthCode
    session: Session | None = None
    reason: Reason | None = None
    ended_at: datetime | None = None
    refusal: Refusal | None = None
    tally: AllowanceUsage | None = None
    verdict: Verdict | None = None


def refuse(refusal: Refusal) -> Decision:
    """Return the decision that answers 0 and changes nothing."""
    return Decision(AuthCode.DENIED, refusal=refusal)


def find_refusal(session: Session | None, report: Report) -> Refusal | None:
    """
    Return why a report does not belong to the session its token names, or None if it does.

    An old gateway sends no C{gw_id}: then it is the one the token was made for.  A report without a MAC, as an
    incomplete ARP entry makes it, is accepted of a device that is known already, but never to find out which one
    came (docs/protocol.md 3.4).
    """
    if session is None:
        return Refusal.UNKNOWN_TOKEN
    if report.gw_id not in (None, session.gw_id):
        return Refusal.WRONG_GATEWAY
    expected, is_login = session.mac or session.claimed_mac, report.stage is Stage.LOGIN
    if expected is not None and report.mac not in (None, expected):
        return Refusal.WRONG_DEVICE
    if not is_login and report.ip is not None and report.ip == session.left_ip:
        return Refusal.LEFT_ADDRESS
    if expected is None or report.mac is not None:
        return None
    if session.mac is None:
        return Refusal.NO_DEVICE
    # Somebody else may have heard the token, and the gateway is about to let in whoever came with it.
    is_elsewhere = is_login and None not in (session.ip, report.ip) and session.ip != report.ip
    return Refusal.WRONG_DEVICE if is_elsewhere else None


def takes_place(session: Session | None, report: Report) -> bool:
    """
    Return whether a report is the first to say which device a session belongs to, or at which address it is now.

    Such a session replaces any other open one in that place.
    """
    if session is None or (session.mac is not None and report.ip in (None, session.ip)):
        return False
    if session.mac is None and report.mac is None:
        return False
    return find_refusal(session, report) is None


def place_of(session: Session, report: Report | None = None) -> Place | None:
    """Return where a session is, or where a report puts it; None while nobody knows its device."""
    mac = session.mac or (None if report is None else report.mac)
    ip = session.ip if report is None else report.ip or session.ip
    return None if mac is None else Place(session.gw_id, mac, ip)


def decide(
    session: Session | None,
    report: Report,
    now: datetime,
    inherited: Octets = NO_OCTETS,
    tally: AllowanceUsage | None = None,
    *,
    restarted_at: datetime | None = None,
) -> Decision:
    """
    Judge one report about one session.

    The first report of any stage activates a fresh token: a login whose answer
    was lost is healed by the counters that follow (docs/protocol.md 6.4).
    Limits are inclusive: a guest is out at the very second, and the very
    octet, of the limit.

    @param session: the open session of the report's token; None if there is none.
    @param now: the moment of judgement.
    @param inherited: totals which the gateway last reported for the open session
        that this one replaces, and from which it continues counting
        (docs/protocol.md 6.6).  Only read on activation, and by a login from another address.
    @param tally: what is known of the session's allowance; None if it has none.
    @param restarted_at: when the gateway last restarted, as its pings show; None for never.
    """
    refusal = find_refusal(session, report)
    if session is None or refusal is not None:
        return refuse(refusal or Refusal.UNKNOWN_TOKEN)
    before, is_new = session, session.activated_at is None
    if is_new:
        if now >= session.opened_at + FIRST_USE_WITHIN:
            return Decision(AuthCode.DENIED, session, Reason.NEVER_USED, session.opened_at + FIRST_USE_WITHIN)
        session = _activate(session, now, inherited)
    session = _take(_move(session, report, inherited), report, now, restarted_at)
    if tally is None:
        return _conclude(session, report.stage, now)
    entered = tally.enter(before, session, now)
    verdict = judge_entry(entered, session, is_new, now)
    decision = _conclude(session, report.stage, now, verdict, is_displaced=entered.displaces(session))
    if is_new and decision.reason is not None:
        entered = replace(entered, allowance=tally.allowance)
    elif is_new and not capabilities_of(report.dialect).reports_use:
        decision = replace(decision, session=limit_by_allowance(session, entered, now))
    return replace(decision, tally=entered)


def end_replaced(session: Session, now: datetime) -> Ended:
    """End an open session that another one replaces, at the time it was over if that is earlier."""
    reason = _why_over(session, Stage.LOGIN, now) or Reason.REPLACED
    return Ended(session, _end(session, now, reason), reason)


def end_if_over(session: Session, now: datetime) -> Ended | None:
    """
    End an open session that its router has just thrown off, at the time it was over.

    @return: None if it is not over: there is no reason to end it.
    """
    reason = _why_over(session, Stage.LOGIN, now)
    return None if reason is None else Ended(session, _end(session, now, reason), reason)


def _activate(session: Session, now: datetime, inherited: Octets) -> Session:
    """
    Begin the time of a session; one that continues another began when its guest was let in, and keeps its end.
    """
    if session.roamed_from is not None:
        return replace(session, activated_at=session.opened_at, last=inherited)
    limit = session.time_limit
    return replace(session, activated_at=now, last=inherited, expires_at=None if limit is None else now + limit)


def _move(session: Session, report: Report, inherited: Octets) -> Session:
    """
    Put a session where its guest is now; what a gateway does not say stays as it was.

    A login from another address is listed anew, and its totals begin there.  A gateway that merely reports another
    address has kept the guest on its list, and the totals.
    """
    mac = session.mac or report.mac
    if report.ip is None or report.ip == session.ip:
        return session if mac == session.mac else replace(session, mac=mac)
    if session.ip is None:
        return replace(session, mac=mac, ip=report.ip)
    moved = replace(session, mac=mac, ip=report.ip, left_ip=session.ip)
    return replace(moved, last=inherited, doubtful=None) if report.stage is Stage.LOGIN else moved


def _take(session: Session, report: Report, now: datetime, restarted_at: datetime | None) -> Session:
    """
    Enter the time and the octets of a report into a session.

    Of one that goes on at another gateway the time is counted there.
    """
    heard_at = session.reported_at
    if session.ending is Reason.ROAMED and heard_at is not None:
        now = heard_at
    if report.octets is None or report.stage is Stage.LOGIN:
        return replace(session, reported_at=now)
    has_restarted = restarted_at is not None and heard_at is not None and heard_at < restarted_at
    before = Counted(session.used, session.last, session.doubtful)
    after = count_on(before, report.octets, has_restarted=has_restarted, is_exchanged=report.is_exchanged)
    return replace(session, reported_at=now, used=after.used, last=after.last, doubtful=after.doubtful)


def _conclude(
    session: Session, stage: Stage, now: datetime, verdict: Verdict | None = None, *, is_displaced: bool = False
) -> Decision:
    """Decide whether a session continues after a report, or ends."""
    reason = _why_over(session, stage, now, verdict)
    if reason is None and is_displaced:
        reason = Reason.REPLACED
    if reason is None:
        code = AuthCode.ALLOWED if session.probation_until is None else AuthCode.VALIDATION
        return Decision(code, session)
    code = AuthCode.VALIDATION_FAILED if reason is Reason.NOT_VALIDATED else AuthCode.DENIED
    is_limit = verdict is not None and reason is verdict.limit.value
    return Decision(code, session, reason, _end(session, now, reason), verdict=verdict if is_limit else None)


def _why_over(session: Session, stage: Stage, now: datetime, verdict: Verdict | None = None) -> Reason | None:
    if session.ending is not None:
        return session.ending
    if stage is Stage.LOGOUT:
        return Reason.LOGOUT
    if verdict is not None:
        return verdict.limit.value
    if session.expires_at is not None and now >= session.expires_at:
        return Reason.TIME_IS_UP
    if session.quota_octets is not None and session.used.total >= session.quota_octets:
        return Reason.QUOTA_IS_SPENT
    if session.probation_until is not None and now >= session.probation_until:
        return Reason.NOT_VALIDATED
    return None


def _end(session: Session, now: datetime, reason: Reason) -> datetime:
    """Return the end of a session; it never lasts longer than its time, however late its last report comes."""
    if reason is Reason.ROAMED and session.reported_at is not None:
        return session.reported_at
    ends = [session.expires_at, session.probation_until if reason is Reason.NOT_VALIDATED else None]
    return min(now, *(end for end in ends if end is not None), now)
