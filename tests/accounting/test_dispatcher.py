"""The order and pace in which reports are settled, with a clock that the test moves and no database."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.support.observing import log_lines
from wifidogd.accounting.dispatcher import (
    ANSWER_STEP,
    HELD_MOST,
    KEEP_LOGOUT,
    MAX_WAITING,
    RETRY_PAUSE,
    Dispatcher,
    Unsettled,
)
from wifidogd.accounting.report_queue import Entry
from wifidogd.accounting.report_stream import BATCH, HELD_UP, PACE
from wifidogd.domain.decisions import Decision
from wifidogd.domain.errors import Overloaded, StoreUnavailable
from wifidogd.domain.sessions import AuthCode, Dialect, Octets, Report, Stage

ALLOWED = Decision(AuthCode.ALLOWED)
AWAY = StoreUnavailable("away")
ANSWER_WITHIN = 0.7
TICK = 0.001


class Batch:
    """A batch that a test settles when it likes."""

    def __init__(self, entries: Sequence[Entry], spares_endings: bool) -> None:
        self.entries = entries
        self.spares_endings = spares_endings
        self.outcome: Deferred[Unsettled] = Deferred()

    @property
    def octets(self) -> list[int]:
        """What its reports count: tests number reports by that."""
        return [entry.report.octets.incoming for entry in self.entries if entry.report.octets is not None]

    def succeed(self, *, spared: Sequence[int] = ()) -> None:
        """Settle all but some, which the prompt stream leaves to the patient one."""
        left = [entry for entry, number in zip(self.entries, self.octets, strict=True) if number in spared]
        for entry in self.entries:
            if entry not in left:
                entry.succeed(ALLOWED)
        self.outcome.callback(dict.fromkeys(left))

    def fail(self) -> None:
        """Settle nothing: the database is away."""
        self.outcome.callback(dict.fromkeys(self.entries, AWAY))


class Harness:
    """A dispatcher, the batches that it has started, and what has become of reports."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.batches: list[Batch] = []
        self.dispatcher = Dispatcher(self._settle, clock=self.clock)  # type: ignore[arg-type]
        self.answers: dict[int, Decision | str] = {}

    def _settle(self, entries: Sequence[Entry], spares_endings: bool) -> Deferred[Unsettled]:
        batch = Batch(entries, spares_endings)
        self.batches.append(batch)
        return batch.outcome

    def report(
        self,
        number: int,
        token: str | None = None,
        stage: Stage = Stage.COUNTERS,
        within: float = 0.7,
        mac: str | None = None,
    ) -> None:
        """Submit a report that counts so many octets, on a token of its own unless one is named."""
        octets = Octets(number, 0)
        report = Report(stage, Dialect.WIFIDOG, token or f"token {number}", "gw1", mac, "10.0.0.1", octets)
        answer = self.dispatcher.submit(report, report.token.encode(), within)
        answer.addCallback(lambda decision: self.answers.update({number: decision}))
        answer.addErrback(lambda failure: self.answers.update({number: str(failure.value)}))

    def pass_time(self, seconds: float) -> None:
        """Let time pass in steps so small that every timer is punctual."""
        self.clock.pump([TICK] * round(seconds / TICK))

    @property
    def started(self) -> list[list[int]]:
        """The reports of the batches that have been started, by number."""
        return [batch.octets for batch in self.batches]


@pytest.fixture
def harness() -> Harness:
    return Harness()


def test_the_bounds_and_paces_are_these() -> None:
    """A gateway waits for a second; tests below go by the names."""
    assert (BATCH, MAX_WAITING) == (300, 5000)
    assert (PACE, HELD_UP, RETRY_PAUSE, ANSWER_STEP) == (0.01, 0.05, 0.25, 0.1)
    assert (HELD_MOST, KEEP_LOGOUT) == (3.0, 600.0)


def test_a_lone_report_is_settled_at_once(harness: Harness) -> None:
    """And the next one as soon as the pace allows."""
    harness.report(1)
    assert harness.started == [[1]]
    harness.batches[0].succeed()
    assert harness.answers == {1: ALLOWED}
    harness.report(2)
    harness.pass_time(PACE - 2 * TICK)
    assert harness.started == [[1]]
    harness.pass_time(3 * TICK)
    assert harness.started == [[1], [2]]


def test_a_report_that_comes_when_the_pace_allows_it_waits_for_no_timer(harness: Harness) -> None:
    """At the very instant."""
    harness.report(1)
    harness.batches[0].succeed()
    harness.clock.advance(PACE)
    harness.report(2)
    assert harness.started == [[1], [2]]


def test_reports_that_come_meanwhile_form_the_next_batch(harness: Harness) -> None:
    """It starts when the one in flight has ended."""
    for number in (1, 2, 3):
        harness.report(number)
    harness.pass_time(2 * PACE)
    assert harness.started == [[1]]
    harness.batches[0].succeed()
    assert harness.started == [[1], [2, 3]]


def test_a_batch_that_is_stuck_is_waited_for_for_a_twentieth_of_a_second(harness: Harness) -> None:
    """Somebody has locked a row of it; the others are answered in time."""
    harness.report(1)
    harness.report(2)
    harness.pass_time(0.05 - 2 * TICK)
    assert harness.started == [[1]]
    harness.pass_time(3 * TICK)
    assert harness.started == [[1], [2]]
    harness.batches[1].succeed()
    assert harness.answers == {2: ALLOWED}


@pytest.mark.parametrize(("waiting", "pause"), [(BATCH, PACE), (BATCH - 1, HELD_UP)])
def test_only_a_full_batch_starts_beside_another_without_waiting_for_it(
    harness: Harness, waiting: int, pause: float
) -> None:
    """A crowd goes on at the pace; a few wait until the batch in flight ends, or seems stuck."""
    harness.report(1)
    harness.report(2)
    harness.pass_time(HELD_UP + TICK)
    assert harness.started == [[1], [2]]
    for number in range(waiting):
        harness.report(number + 3)
    harness.batches[0].succeed()
    harness.pass_time(pause - 3 * TICK)
    assert harness.started == [[1], [2]]
    harness.pass_time(5 * TICK)
    assert harness.started[2:] == [list(range(3, waiting + 3))]


def test_two_batches_are_in_flight_at_most(harness: Harness) -> None:
    """However many reports wait, and for however long; the store has connections for guests, too."""
    for number in range(3 * BATCH):
        harness.report(number, within=60)
    harness.pass_time(20 * HELD_UP)
    assert [len(batch.entries) for batch in harness.batches] == [1, BATCH]
    assert harness.dispatcher.metrics() == {"reports_waiting": 2 * BATCH - 1, "batches_in_flight": 2}
    harness.batches[0].succeed()
    assert [len(batch.entries) for batch in harness.batches] == [1, BATCH, BATCH]
    assert harness.dispatcher.metrics() == {"reports_waiting": BATCH - 1, "batches_in_flight": 2}


def test_one_batch_of_the_patient_stream_is_in_flight_at_most(harness: Harness) -> None:
    """Beside those of the prompt one, whose reports it does not hold up."""
    for number in (1, 2, 3):
        harness.report(number, stage=Stage.LOGOUT)
    harness.report(4)
    harness.pass_time(20 * HELD_UP)
    assert harness.started == [[1], [4]]
    assert [batch.spares_endings for batch in harness.batches] == [False, True]


def test_monitors_hear_of_both_streams(harness: Harness) -> None:
    """Together: one report of each is in flight, two and one wait."""
    for number in (1, 2, 3):
        harness.report(number, stage=Stage.LOGOUT)
    for number in (4, 5):
        harness.report(number)
    assert harness.dispatcher.metrics() == {"reports_waiting": 3, "batches_in_flight": 2}


def test_the_queue_is_bounded_to_the_report(harness: Harness) -> None:
    """One is in flight, so many wait, and the next is refused; each stream has a bound of its own."""
    for number in range(1 + 5000):
        harness.report(number, token="the same")
    with pytest.raises(Overloaded):
        harness.report(5001, token="the same")
    assert harness.dispatcher.metrics()["reports_waiting"] == 5000
    harness.report(5002, stage=Stage.LOGOUT)
    assert harness.started == [[0], [5002]]


def test_reports_that_follow_a_logout_are_bounded_like_others(harness: Harness) -> None:
    """They wait in the patient stream for as long as it does, which may be minutes."""
    harness.report(0, stage=Stage.LOGOUT)
    harness.report(1, token="phone", stage=Stage.LOGOUT)
    for number in range(2, 5001):
        harness.report(number, token="phone", within=60)
    harness.pass_time(HELD_UP)
    with pytest.raises(Overloaded):
        harness.report(5001, token="phone")
    assert harness.started == [[0]]


def test_reports_on_a_session_in_flight_wait_for_it(harness: Harness) -> None:
    """Two transactions would settle them in any order; the reports of others pass them."""
    harness.report(1, token="phone")
    harness.report(2, token="phone")
    harness.report(3)
    harness.pass_time(HELD_UP + TICK)
    assert harness.started == [[1], [3]]
    harness.pass_time(HELD_UP + TICK)
    harness.batches[1].succeed()
    assert harness.started == [[1], [3]]
    harness.batches[0].succeed()
    assert harness.started == [[1], [3], [2]]


def test_endings_that_were_spared_are_settled_by_the_patient_stream_in_their_order(harness: Harness) -> None:
    """Those of the same batch that end nothing have their answers already."""
    for number in range(1, 7):
        harness.report(number)
    harness.batches[0].succeed()
    harness.pass_time(PACE + TICK)
    harness.batches[1].succeed(spared=[2, 3, 5, 6])
    assert harness.answers == {1: ALLOWED, 4: ALLOWED}
    assert harness.started[2:] == [[2, 3, 5, 6]]
    assert not harness.batches[2].spares_endings
    harness.batches[2].succeed()
    assert set(harness.answers) == {1, 2, 3, 4, 5, 6}


def test_a_report_follows_an_earlier_one_on_its_session_into_the_patient_stream(harness: Harness) -> None:
    """Whether it comes before that one is spared or after: totals are settled in the order in which they came."""
    harness.report(0, stage=Stage.LOGOUT)
    harness.report(1, token="phone")
    harness.report(2, token="phone")
    harness.batches[1].succeed(spared=[1])
    harness.report(3, token="phone")
    harness.report(4)
    harness.pass_time(10 * HELD_UP)
    assert harness.started == [[0], [1], [4]]
    harness.batches[0].succeed()
    assert harness.started[3:] == [[1, 2, 3]]
    assert not harness.batches[3].spares_endings


def test_a_sign_in_waits_for_the_end_of_the_session_in_its_place(harness: Harness) -> None:
    """Both would lock that session, and the reports that are settled with the sign-in would wait for the end, too."""
    mac, other = "02:00:00:00:00:01", "02:00:00:00:00:02"
    harness.report(1, token="old", stage=Stage.LOGOUT, mac=mac)
    harness.report(2, token="new", stage=Stage.LOGIN, mac=mac)
    harness.report(3, token="other", stage=Stage.LOGIN, mac=other)
    harness.report(4, mac=mac)
    harness.pass_time(10 * HELD_UP)
    assert harness.started == [[1], [3], [4]]
    harness.batches[0].fail()
    harness.report(5, token="newer", stage=Stage.LOGIN, mac=mac)
    harness.batches[1].succeed()
    harness.pass_time(RETRY_PAUSE + TICK)
    assert harness.started[3:] == [[1, 2, 5]]
    assert not harness.batches[3].spares_endings
    harness.batches[3].succeed()
    harness.pass_time(HELD_UP)
    harness.report(6, token="newest", stage=Stage.LOGIN, mac=mac)
    assert harness.started[4:] == [[6]]
    assert harness.batches[4].spares_endings


def test_what_could_not_be_settled_is_tried_again_after_a_pause(harness: Harness) -> None:
    """By the patient stream, in the order in which it came, before what came since."""
    for number in (1, 2):
        harness.report(number, within=10)
    harness.batches[0].succeed()
    harness.pass_time(PACE + TICK)
    harness.report(3, within=10)
    harness.report(4, token="token 2", within=10)
    harness.batches[1].fail()
    harness.report(5, token="token 2", within=10)
    harness.pass_time(RETRY_PAUSE - 2 * TICK)
    assert harness.started == [[1], [2], [3]]
    harness.pass_time(3 * TICK)
    assert harness.started == [[1], [2], [3], [2, 4, 5]]
    assert harness.answers == {1: ALLOWED}
    for batch in harness.batches[2:]:
        batch.succeed()
    harness.report(6, token="token 2")
    assert harness.started[4:] == [[6]]
    assert harness.batches[4].spares_endings


def test_a_report_without_time_for_another_try_is_given_up_at_once(harness: Harness) -> None:
    """Its gateway would have hung up; a logout is kept, since nothing will repeat it."""
    harness.report(1, within=RETRY_PAUSE)
    harness.report(2, stage=Stage.LOGOUT, within=RETRY_PAUSE)
    for batch in harness.batches:
        batch.fail()
    assert harness.answers == {1: "away"}
    harness.pass_time(2 * RETRY_PAUSE)
    assert harness.answers == {1: "away", 2: "the database is too slow"}
    assert harness.started == [[1], [2], [2]]


def test_while_stopping_nothing_is_tried_again(harness: Harness) -> None:
    """Whatever time it has: the server is to be gone in some seconds."""
    harness.report(1, within=10)
    harness.report(2, stage=Stage.LOGOUT)
    drained = Deferred.fromCoroutine(harness.dispatcher.drain())
    assert harness.dispatcher.is_stopping
    for batch in harness.batches:
        assert not drained.called
        batch.fail()
    assert drained.called
    assert harness.answers == {1: "away", 2: "away"}
    assert harness.dispatcher.metrics() == {"reports_waiting": 0, "batches_in_flight": 0}


def test_while_stopping_what_waits_is_settled_and_endings_too(harness: Harness) -> None:
    """Whoever was accepted gets an answer."""
    harness.report(1)
    harness.report(2)
    drained = Deferred.fromCoroutine(harness.dispatcher.drain())
    harness.batches[0].succeed()
    harness.pass_time(PACE + TICK)
    harness.batches[1].succeed(spared=[2])
    assert not drained.called
    harness.batches[2].succeed()
    assert drained.called
    assert harness.answers == {1: ALLOWED, 2: ALLOWED}


def test_draining_an_idle_dispatcher_takes_no_time(harness: Harness) -> None:
    """Nothing would end the wait."""
    assert Deferred.fromCoroutine(harness.dispatcher.drain()).called


def test_an_answer_that_is_due_is_given_up_and_the_report_settled_all_the_same(harness: Harness) -> None:
    """A step late at most."""
    harness.report(1, token="phone")
    harness.report(2, token="phone")
    harness.pass_time(ANSWER_WITHIN - TICK)
    assert harness.answers == {}
    harness.pass_time(ANSWER_STEP + 2 * TICK)
    assert harness.answers == dict.fromkeys([1, 2], "the database is too slow")
    harness.batches[0].succeed()
    assert harness.started == [[1], [2]]


@pytest.mark.parametrize(("seconds", "is_settled"), [(HELD_MOST - 0.1, True), (HELD_MOST + 0.1, False)])
def test_a_report_is_not_settled_too_long_after_its_answer_was_due(
    harness: Harness, seconds: float, is_settled: bool
) -> None:
    """Another server may have settled later totals since."""
    harness.report(1, token="phone")
    harness.report(2, token="phone")
    harness.pass_time(ANSWER_WITHIN + seconds)
    harness.batches[0].succeed()
    assert (harness.started == [[1], [2]]) is is_settled
    assert harness.dispatcher.metrics()["reports_waiting"] == 0


@pytest.mark.parametrize(("late", "is_settled"), [(0, True), (2**-20, False)])
def test_a_report_is_too_old_from_the_very_instant_on(harness: Harness, late: float, is_settled: bool) -> None:
    """Binary fractions of a second: the clock does not round."""
    harness.report(1, token="phone")
    harness.report(2, token="phone", within=0.75)
    harness.clock.advance(0.75 + 3.0 + late)
    harness.batches[0].succeed()
    assert (harness.started == [[1], [2]]) is is_settled


def test_one_report_without_time_does_not_take_the_others_with_it(harness: Harness) -> None:
    """Those that have time are tried again."""
    harness.report(1)
    harness.report(2, within=RETRY_PAUSE)
    harness.report(3, within=10)
    harness.batches[0].succeed()
    harness.pass_time(PACE + TICK)
    harness.batches[1].fail()
    assert harness.answers == {1: ALLOWED, 2: "away"}
    harness.pass_time(RETRY_PAUSE + TICK)
    assert harness.started == [[1], [2, 3], [3]]


def test_a_planned_start_that_has_become_needless_leaves_no_timer(harness: Harness) -> None:
    """That of the batch beside a stuck one, once it is not stuck: the start at the pace and the deadlines are left."""
    harness.report(1)
    harness.report(2)
    harness.batches[0].succeed()
    assert len(harness.clock.getDelayedCalls()) == 2


@pytest.mark.parametrize("end", [Batch.succeed, Batch.fail])
def test_an_idle_dispatcher_plans_no_start_and_waits_for_no_deadline(
    harness: Harness, end: Callable[[Batch], None]
) -> None:
    """One step of the deadlines is left of a report that has its answer."""
    harness.report(1, within=RETRY_PAUSE)
    end(harness.batches[0])
    assert len(harness.clock.getDelayedCalls()) == 1
    harness.pass_time(ANSWER_STEP + 2 * TICK)
    assert harness.clock.getDelayedCalls() == []


def test_a_report_that_grew_too_old_while_the_process_was_stopped_is_refused(harness: Harness) -> None:
    """The answer of the database is read before the timers run that would have given the report up."""
    harness.report(1, token="phone")
    harness.report(2, token="phone")
    harness.clock.rightNow += 10.0
    harness.batches[0].succeed()
    assert harness.answers == {1: ALLOWED, 2: "the report has become too old"}
    assert harness.started == [[1]]


@pytest.mark.parametrize(("within", "is_kept"), [(0.25, False), (0.25 + 2**-20, True)])
def test_a_report_is_tried_again_if_it_may_be_settled_after_the_pause(
    harness: Harness, within: float, is_kept: bool
) -> None:
    """To the instant."""
    harness.report(1, within=within)
    harness.batches[0].fail()
    assert (1 not in harness.answers) is is_kept
    harness.pass_time(RETRY_PAUSE + TICK)
    assert (harness.started == [[1], [1]]) is is_kept


def test_a_settler_that_raises_stops_nothing(harness: Harness) -> None:
    """It must not, but its reports are given up when they are due and the next batch starts."""
    harness.report(1)
    harness.report(2)
    with log_lines("wifidogd.accounting") as lines:
        harness.batches[0].outcome.errback(StoreUnavailable("a fault of ours"))
    assert [(line["log_format"], line["log_failure"].getErrorMessage()) for line in lines] == [
        ("a batch of reports failed", "a fault of ours")
    ]
    harness.pass_time(PACE + TICK)
    harness.batches[1].succeed()
    harness.pass_time(ANSWER_WITHIN + ANSWER_STEP + TICK)
    assert harness.answers == {1: "the database is too slow", 2: ALLOWED}
