"""Sessions that go on at another gateway: which ones can, and that nothing counts twice (docs/protocol.md 8)."""

from __future__ import annotations

import pytest

from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.simulation.oracle.history import History
from wifidogd.simulation.oracle.roaming import LiveSession, Origins
from wifidogd.simulation.oracle.roaming_arrival import RoamingArrival
from wifidogd.simulation.oracle.scenarios import ListedDevice

HALL, ROOF = (ListedDevice(gw_id, "02:51:4d:00:00:01") for gw_id in ("hall", "roof"))
ONCE, TWICE = Octets(100, 10), Octets(200, 20)
LOGIN, COUNTERS, LOGOUT = Stage.LOGIN, Stage.COUNTERS, Stage.LOGOUT
ALLOWED, DENIED = AuthCode.ALLOWED, AuthCode.DENIED

ORIGIN = LiveSession(HALL, "a")


class Guest:
    """A history of a guest who is online in the hall."""

    def __init__(self) -> None:
        self.now = 0.0
        self.history = History(lambda: self.now)
        self.history.minted(HALL, "a")
        assert self.says(HALL, "a", LOGIN, answer=ALLOWED)

    def says(
        self,
        device: ListedDevice,
        token: str,
        stage: Stage | None,
        totals: Octets = Octets(),
        answer: AuthCode = DENIED,
    ) -> bool:
        """Have a gateway report, and hear the answer; return whether it is right."""
        return self.history.heard(device, self.history.began(device, token, stage, totals), answer)

    def loses(self, device: ListedDevice, token: str, stage: Stage, totals: Octets = Octets()) -> None:
        """Have a gateway report without an answer."""
        self.history.lost(device, self.history.began(device, token, stage, totals))

    def used(self, at: ListedDevice) -> set[tuple[int, ...]]:
        """Return the incoming octets of all sessions at a gateway, in each scenario."""
        [scenarios] = [scenarios for device, scenarios in self.history.accounts() if device == at]
        return {tuple(session.used.incoming for session in sessions) for sessions in scenarios}

    def arrives(self, *, begins_at_once: bool = False) -> RoamingArrival:
        """Come to the roof."""
        return RoamingArrival(self.history, ROOF, begins_at_once=begins_at_once)


def test_a_guest_who_is_online_at_one_other_gateway_must_be_let_in() -> None:
    guest = Guest()
    assert guest.history.origins(ROOF) == Origins(frozenset({ORIGIN}), is_due=True)
    assert guest.history.origins(HALL) == Origins(frozenset(), is_due=False)
    assert not guest.arrives().is_turned_away()


@pytest.mark.parametrize("begins_at_once", [False, True])
def test_the_old_session_keeps_its_octets_and_the_new_one_counts_from_zero(*, begins_at_once: bool) -> None:
    """The next report of the old gateway is answered 0, and counts."""
    guest = Guest()
    assert guest.says(HALL, "a", COUNTERS, ONCE, ALLOWED)
    assert guest.arrives(begins_at_once=begins_at_once).is_let_in("b")
    assert guest.history.is_online(ROOF, "b") is begins_at_once
    assert guest.says(ROOF, "b", COUNTERS, ONCE, ALLOWED)
    assert not guest.history.is_online(HALL, "a")
    assert guest.says(HALL, "a", COUNTERS, TWICE, DENIED)
    assert (guest.used(HALL), guest.used(ROOF)) == ({(200,)}, {(100,)})
    assert guest.says(ROOF, "b", COUNTERS, TWICE, ALLOWED)
    assert (guest.used(HALL), guest.used(ROOF)) == ({(200,)}, {(200,)})


def test_an_old_session_that_goes_on_after_the_new_one_has_begun_is_wrong() -> None:
    """It would be counted twice."""
    guest = Guest()
    assert guest.arrives().is_let_in("b")
    assert guest.says(HALL, "a", COUNTERS, ONCE, ALLOWED)
    assert guest.says(ROOF, "b", COUNTERS, ONCE, ALLOWED)
    assert not guest.says(HALL, "a", COUNTERS, TWICE, ALLOWED)


def test_whoever_ends_the_old_session_first_has_ended_both() -> None:
    """The new token may be refused then, and only then."""
    guest = Guest()
    assert guest.arrives().is_let_in("b")
    assert guest.says(HALL, "a", LOGOUT, ONCE)
    assert guest.says(ROOF, "b", COUNTERS, ONCE, DENIED)
    assert guest.used(ROOF) == {(0,)}
    other = Guest()
    assert other.arrives().is_let_in("b")
    assert not other.says(ROOF, "b", COUNTERS, ONCE, DENIED)


def test_an_end_that_overtakes_the_first_report_makes_both_answers_right() -> None:
    """Nobody knows which was heard first."""
    for answer in (ALLOWED, DENIED):
        guest = Guest()
        assert guest.arrives().is_let_in("b")
        report = guest.history.began(ROOF, "b", COUNTERS, ONCE)
        assert guest.says(HALL, "a", LOGOUT, ONCE)
        assert guest.history.heard(ROOF, report, answer)


def test_a_log_out_of_a_token_that_was_never_reported_leaves_the_old_session_alone() -> None:
    guest = Guest()
    assert guest.arrives().is_let_in("b")
    assert guest.says(ROOF, "b", LOGOUT, ONCE)
    assert guest.history.is_online(HALL, "a")


def test_a_first_report_without_an_answer_leaves_it_open_whether_the_old_session_goes_on() -> None:
    """The next answer tells."""
    for answer, used in ((ALLOWED, {(200,)}), (DENIED, {(200,)})):
        guest = Guest()
        assert guest.arrives().is_let_in("b")
        guest.loses(ROOF, "b", COUNTERS, ONCE)
        assert guest.says(HALL, "a", COUNTERS, TWICE, answer)
        assert guest.used(HALL) == used
        assert guest.history.is_online(HALL, "a") is (answer is ALLOWED)


def test_a_guest_who_is_online_nowhere_must_not_be_let_in() -> None:
    guest = Guest()
    assert guest.says(HALL, "a", LOGOUT)
    assert not guest.arrives().is_let_in("b")


@pytest.mark.parametrize("stage", [None, LOGOUT])
def test_a_guest_who_has_logged_out_may_be_turned_away(stage: Stage | None) -> None:
    guest = Guest()
    assert guest.says(HALL, "a", stage)
    assert guest.arrives(begins_at_once=True).is_turned_away()
    assert guest.history.is_certain(ROOF)


def test_a_question_that_was_not_heard_changes_nothing() -> None:
    guest = Guest()
    guest.arrives(begins_at_once=True).unanswered(is_unsaid=True)
    assert guest.history.origins(ROOF) == Origins(frozenset({ORIGIN}), is_due=True)
    assert guest.history.is_online(HALL, "a")


def test_a_question_without_an_answer_may_have_begun_a_session_that_nobody_knows() -> None:
    """The history gives up keeping track of it; whether the old one goes on is open."""
    guest = Guest()
    guest.arrives(begins_at_once=True).unanswered(is_unsaid=False)
    assert dict(guest.history.accounts())[ROOF] == []
    assert not guest.history.origins(ROOF).is_known
    assert not guest.history.is_online(HALL, "a")
    assert guest.says(HALL, "a", COUNTERS, ONCE, DENIED)


def test_of_two_sessions_elsewhere_either_may_be_the_one_that_goes_on() -> None:
    guest = Guest()
    attic = ListedDevice("attic", HALL.mac)
    guest.history.minted(attic, "c")
    guest.loses(attic, "c", LOGIN)
    assert guest.history.origins(ROOF) == Origins(frozenset({ORIGIN, LiveSession(attic, "c")}), is_due=False)
    assert guest.arrives().is_let_in("b")
    assert guest.says(ROOF, "b", COUNTERS, ONCE, ALLOWED)
    assert guest.says(HALL, "a", COUNTERS, ONCE, ALLOWED)
    assert guest.says(attic, "c", COUNTERS, ONCE, DENIED)


def test_kicks_are_right_while_a_session_is_to_end() -> None:
    """Its octets since the last report are not owed then."""
    guest = Guest()
    assert guest.says(HALL, "a", COUNTERS, ONCE, ALLOWED)
    assert guest.says(HALL, "a", None)
    guest.now = 2.0
    assert guest.history.stop_waiting(HALL) == 2.0
    assert guest.history.stop_waiting(HALL) is None
    assert guest.history.kicked(HALL)
    assert guest.used(HALL) == {(100,)}
    other = Guest()
    assert not other.history.kicked(HALL)


def test_what_nobody_reports_is_ended_in_time_when_it_is_to_end() -> None:
    """The server waits for a report that never comes."""
    guest = Guest()
    guest.history.unreported(HALL)
    assert phases(guest) == {"online"}
    assert guest.arrives().is_let_in("b")
    assert guest.says(ROOF, "b", LOGIN, answer=ALLOWED)
    assert phases(guest) == {"ending", "ended"}


def phases(guest: Guest) -> set[str]:
    """Return what the session in the hall may have come to."""
    scenarios = dict(guest.history.accounts())[HALL]
    return {session.phase.value for sessions in scenarios for session in sessions}
