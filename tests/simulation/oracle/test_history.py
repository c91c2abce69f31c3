"""The scenarios that a history allows: one if the answers leave no doubt, else several."""

from __future__ import annotations

import pytest

from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.simulation.oracle.expected import Event, ExpectedSession, Phase, grown, outcomes
from wifidogd.simulation.oracle.history import History
from wifidogd.simulation.oracle.scenarios import ListedDevice

LOBBY = ListedDevice("sim-0001", "02:51:4d:00:00:01")
ONCE, TWICE, THRICE = Octets(100, 10), Octets(200, 20), Octets(300, 30)
LOGIN, COUNTERS, LOGOUT = Stage.LOGIN, Stage.COUNTERS, Stage.LOGOUT
ALLOWED, DENIED = AuthCode.ALLOWED, AuthCode.DENIED

PENDING = ExpectedSession("a")
ONLINE = ExpectedSession("a", Phase.ONLINE, ONCE, ONCE)
ENDING = ONLINE._replace(phase=Phase.ENDING)
ENDED = ONLINE._replace(phase=Phase.ENDED)
UNUSED = ExpectedSession("a", Phase.UNUSED)


@pytest.mark.parametrize(
    ("session", "event", "after", "answer"),
    [
        (PENDING, Event("a", LOGIN), ExpectedSession("a", Phase.ONLINE), ALLOWED),
        (PENDING, Event("a", COUNTERS, ONCE), ONLINE, ALLOWED),
        (PENDING, Event("a", LOGOUT, ONCE), ENDED, DENIED),
        (ONLINE, Event("a", LOGIN), ONLINE, ALLOWED),
        (ONLINE, Event("a", COUNTERS, ONCE), ONLINE, ALLOWED),
        (ONLINE, Event("a", COUNTERS, TWICE), ExpectedSession("a", Phase.ONLINE, TWICE, TWICE), ALLOWED),
        (
            ONLINE,
            Event("a", COUNTERS, Octets(50, 5)),
            ExpectedSession("a", Phase.ONLINE, Octets(150, 15), Octets(50, 5)),
            ALLOWED,
        ),
        (ONLINE, Event("a", LOGOUT, TWICE), ExpectedSession("a", Phase.ENDED, TWICE, TWICE), DENIED),
        (ONLINE, Event("a", None), ENDING, DENIED),
        (ENDING, Event("a", COUNTERS, TWICE), ExpectedSession("a", Phase.ENDED, TWICE, TWICE), DENIED),
        (ENDING, Event("a", None), ENDING, DENIED),
        (ENDED, Event("a", COUNTERS, TWICE), ENDED, DENIED),
        (UNUSED, Event("a", COUNTERS, TWICE), UNUSED, DENIED),
        (ENDED, Event("b", COUNTERS, TWICE), ENDED, DENIED),
    ],
)
def test_what_a_right_server_makes_of_an_act(
    session: ExpectedSession, event: Event, after: ExpectedSession, answer: AuthCode
) -> None:
    """One outcome each."""
    assert list(outcomes((session,), event)) == [((after,), answer)]


def test_a_token_that_may_have_lapsed_has_two_outcomes() -> None:
    """It may have been just in time."""
    assert list(outcomes((PENDING,), Event("a", LOGIN, may_have_lapsed=True))) == [
        ((UNUSED,), DENIED),
        ((ExpectedSession("a", Phase.ONLINE),), ALLOWED),
    ]


def test_a_new_token_counts_on_where_the_old_one_was() -> None:
    """Only what is new belongs to it (docs/protocol.md 6.6)."""
    [(sessions, answer)] = outcomes((ONLINE, ExpectedSession("b")), Event("b", LOGIN))
    assert (sessions, answer) == ((ENDED, ExpectedSession("b", Phase.ONLINE, Octets(), ONCE)), ALLOWED)
    [(sessions, _)] = outcomes(sessions, Event("b", COUNTERS, THRICE))
    assert sessions[1].used == TWICE


@pytest.mark.parametrize(
    ("totals", "more"),
    [(ONCE, Octets()), (TWICE, ONCE), (Octets(99, 20), Octets(99, 20)), (Octets(200, 9), Octets(200, 9))],
)
def test_totals_that_fell_in_one_direction_began_again_in_both(totals: Octets, more: Octets) -> None:
    """As both counters belong to one rule of the firewall."""
    assert grown(ONCE, totals) == more


class SimulatedDevice:
    """A history with one device, and its clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.history = History(lambda: self.now)

    def online(self, *tokens: str) -> SimulatedDevice:
        """Begin sessions, one after the other."""
        for token in tokens:
            self.history.minted(LOBBY, token)
            assert self.says(token, LOGIN, answer=ALLOWED)
        return self

    def begins(self, token: str, stage: Stage | None, totals: Octets = Octets()) -> int:
        """Begin a request; return its number."""
        return self.history.began(LOBBY, token, stage, totals)

    def says(self, token: str, stage: Stage | None, totals: Octets = Octets(), answer: AuthCode = DENIED) -> bool:
        """Send a request and hear the answer."""
        return self.history.heard(LOBBY, self.begins(token, stage, totals), answer)

    def loses(self, token: str, stage: Stage | None, totals: Octets = Octets()) -> None:
        """Send a request whose answer is lost."""
        self.history.lost(LOBBY, self.begins(token, stage, totals))

    @property
    def used(self) -> set[tuple[int, ...]]:
        """The incoming octets of all sessions, for each scenario."""
        [(_, scenarios)] = self.history.accounts()
        return {tuple(session.used.incoming for session in sessions) for sessions in scenarios}


def test_answers_leave_one_account() -> None:
    """Over a session with its end and the next."""
    device = SimulatedDevice().online("a")
    assert device.says("a", COUNTERS, ONCE, ALLOWED)
    assert device.says("a", LOGOUT, TWICE)
    device.online("b")
    assert device.says("b", COUNTERS, ONCE, ALLOWED)
    assert device.used == {(200, 100)}
    assert device.history.is_certain(LOBBY)
    assert device.history.is_online(LOBBY, "b")
    assert device.history.tokens == 2


@pytest.mark.parametrize(
    ("stage", "answer"),
    [(LOGIN, DENIED), (COUNTERS, DENIED), (LOGOUT, ALLOWED), (COUNTERS, AuthCode.VALIDATION)],
)
def test_a_wrong_answer_is_found(stage: Stage, answer: AuthCode) -> None:
    """Of somebody who is online for certain."""
    assert not SimulatedDevice().online("a").says("a", stage, ONCE, answer)


def test_a_token_that_ended_or_never_was_is_denied_and_nothing_else() -> None:
    """Counters are a second way in (docs/protocol.md 6.4)."""
    device = SimulatedDevice().online("a")
    assert device.says("a", LOGOUT, ONCE)
    for token in ("a", "forged"):
        assert device.says(token, COUNTERS, TWICE)
        assert not device.says(token, COUNTERS, TWICE, ALLOWED)
    assert device.used == {(100,)}


def test_without_an_answer_both_accounts_are_right_until_the_next() -> None:
    """Totals settle what was unknown."""
    device = SimulatedDevice().online("a")
    device.loses("a", COUNTERS, ONCE)
    device.loses("a", COUNTERS, TWICE)
    assert device.used == {(0,), (100,), (200,)}
    assert not device.history.is_certain(LOBBY)
    assert device.says("a", COUNTERS, THRICE, ALLOWED)
    assert device.used == {(300,)}


def test_what_was_never_heard_changes_nothing() -> None:
    """A refused connection is no doubt."""
    device = SimulatedDevice().online("a")
    device.history.unsaid(LOBBY, device.begins("a", COUNTERS, ONCE))
    assert device.used == {(0,)}
    assert device.history.is_certain(LOBBY)


def test_of_two_acts_at_once_either_may_be_first() -> None:
    """The button of the portal races with the counters."""
    for answer in (ALLOWED, DENIED):
        device = SimulatedDevice().online("a")
        button = device.begins("a", None)
        report = device.begins("a", COUNTERS, ONCE)
        assert device.history.heard(LOBBY, button)
        assert device.history.heard(LOBBY, report, answer)
        assert device.says("a", COUNTERS, TWICE, DENIED)
        assert device.used == {(100,) if answer is DENIED else (200,)}


def test_the_button_rules_the_next_report() -> None:
    """Whose answer must be no."""
    device = SimulatedDevice().online("a")
    assert device.says("a", None)
    assert not device.says("a", COUNTERS, ONCE, ALLOWED)


def test_a_lost_login_is_made_good_by_counters() -> None:
    """Or was heard after all."""
    device = SimulatedDevice()
    device.history.minted(LOBBY, "a")
    device.loses("a", LOGIN)
    assert not device.history.is_online(LOBBY, "a")
    assert device.says("a", COUNTERS, ONCE, ALLOWED)
    assert device.used == {(100,)}


def test_a_session_that_has_ended_is_not_online() -> None:
    """Nor is one that has never been: nothing is left of either."""
    device = SimulatedDevice().online("a")
    assert device.says("a", LOGOUT, ONCE, DENIED)
    assert not device.history.is_online(LOBBY, "a")
    assert not device.history.is_online(LOBBY, "b")


def test_a_log_out_that_could_not_be_settled_may_be_later() -> None:
    """Counters that were on their way are answered before, and the next session counts from zero after it or not."""
    device = SimulatedDevice().online("a")
    counting = device.begins("a", COUNTERS, ONCE)
    device.loses("a", LOGOUT, TWICE)
    assert device.history.heard(LOBBY, counting, ALLOWED)
    assert not device.history.is_certain(LOBBY)
    device.online("b")
    assert device.history.is_certain(LOBBY) is False
    assert device.says("b", COUNTERS, THRICE, ALLOWED)
    assert device.used == {(200, 300), (100, 200)}


def test_a_log_out_is_late_no_longer_than_its_session_lasts() -> None:
    """Once the next session has certainly replaced it."""
    device = SimulatedDevice().online("a")
    device.loses("a", LOGOUT, ONCE)
    assert device.says("a", COUNTERS, TWICE, DENIED)
    assert device.used == {(100,)}
    assert device.history.is_certain(LOBBY)


def test_a_gateway_may_forget_while_its_counters_are_on_their_way() -> None:
    """They are answered as if nothing had happened, and the server hears of it by the next ping."""
    device = SimulatedDevice().online("a")
    counting = device.begins("a", COUNTERS, ONCE)
    device.history.forgotten(LOBBY)
    assert device.history.heard(LOBBY, counting, ALLOWED)
    device.online("b")
    assert device.says("b", COUNTERS, THRICE, ALLOWED)
    assert device.used == {(100, 200), (100, 300)}


def test_a_gateway_that_forgot_leaves_two_accounts_where_totals_have_grown_past_the_old() -> None:
    """The server may have noticed and ended the old session, or let the new one count on; smaller totals tell."""
    for totals, used in ((THRICE, {(100, 200), (100, 300)}), (Octets(50, 5), {(100, 50)})):
        device = SimulatedDevice().online("a")
        assert device.says("a", COUNTERS, ONCE, ALLOWED)
        device.history.forgotten(LOBBY)
        device.online("b")
        assert device.says("b", COUNTERS, totals, ALLOWED)
        assert device.used == used


def test_an_old_token_may_lapse_but_need_not() -> None:
    """The server counts three minutes from when it was minted."""
    for answer in (ALLOWED, DENIED):
        device = SimulatedDevice()
        device.history.minted(LOBBY, "a")
        device.now = 200.0
        assert device.says("a", LOGIN, answer=answer)
    assert not SimulatedDevice().online("a").says("a", LOGIN, answer=DENIED)


def test_a_history_that_loses_track_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be checked then, and nothing grows without end."""
    monkeypatch.setattr("wifidogd.simulation.oracle.scenarios.MOST_SCENARIOS", 20)
    device = SimulatedDevice().online("a")
    for number in range(1, 22):
        device.loses("a", COUNTERS, Octets(number, number))
    assert [scenarios for _, scenarios in device.history.accounts()] == [[]]
    assert device.says("a", COUNTERS, ONCE, DENIED)
