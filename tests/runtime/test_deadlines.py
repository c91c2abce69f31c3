"""Many deadlines on one timer."""

import pytest
from twisted.internet.task import Clock

from wifidogd.runtime.deadlines import Deadlines

STEP = 0.5


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def late() -> list[str]:
    return []


@pytest.fixture
def deadlines(clock: Clock, late: list[str]) -> Deadlines[str]:
    return Deadlines(late.append, step=STEP, clock=clock)


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.5, 0.75, 1.0, 10.0, 33.3])
def test_who_has_not_been_removed_is_late_by_a_step_at_most(
    deadlines: Deadlines[str], clock: Clock, late: list[str], seconds: float
) -> None:
    """And never early."""
    clock.advance(0.3)
    deadlines.add("guest", seconds)
    while not late:
        clock.advance(0.05)
        assert clock.seconds() < 0.3 + seconds + STEP + 0.06
    assert clock.seconds() >= 0.3 + seconds - 1e-9


def test_who_is_discarded_is_never_late(deadlines: Deadlines[str], clock: Clock, late: list[str]) -> None:
    """It costs nothing either."""
    deadlines.add("guest", 1).cancel()
    clock.pump([0.1] * 30)
    assert late == []


def test_thousands_share_one_timer_which_stops_when_nobody_waits(
    deadlines: Deadlines[str], clock: Clock, late: list[str]
) -> None:
    """An idle server is not woken."""
    for number in range(3000):
        deadline = deadlines.add(str(number), 1 + number % 7)
        if number < 2999:
            deadline.cancel()
    assert len(clock.getDelayedCalls()) == 1
    clock.pump([STEP] * 20)
    assert late == ["2999"]
    assert clock.getDelayedCalls() == []


def test_who_is_late_may_be_given_more_time_or_take_others_along(clock: Clock) -> None:
    """What is called changes the deadlines while they are gone through."""
    late: list[str] = []

    def hear(who: str) -> None:
        late.append(who)
        for deadline in set_before:
            deadline.cancel()
        if len(late) == 1:
            deadlines.add(who, 1)

    deadlines = Deadlines(hear, step=STEP, clock=clock)
    set_before = [deadlines.add(who, 1) for who in ("guest", "other device")]
    clock.pump([STEP] * 10)
    assert len(late) == 2
    assert late[0] == late[1]
    assert clock.getDelayedCalls() == []


def test_all_who_are_due_in_one_step_are_late(deadlines: Deadlines[str], clock: Clock, late: list[str]) -> None:
    """However many share it, and whichever of them is cancelled."""
    set_ = [deadlines.add(who, 1) for who in ("first", "second", "third")]
    set_[1].cancel()
    clock.pump([STEP] * 3)
    assert sorted(late) == ["first", "third"]


def test_the_timer_keeps_to_whole_steps_whenever_it_was_set_or_ran(
    deadlines: Deadlines[str], clock: Clock, late: list[str]
) -> None:
    """Set between two steps, and run late by a busy reactor, it is punctual the next time."""
    clock.advance(0.3)
    deadlines.add("first", 0.1)
    clock.advance(0.19)
    assert late == []
    clock.advance(0.02)
    assert late == ["first"]
    deadlines.add("second", 0.4)
    deadlines.add("third", 0.9)
    clock.advance(0.69)
    assert late == ["first", "second"]
    clock.advance(0.29)
    assert late == ["first", "second"]
    clock.advance(0.02)
    assert late == ["first", "second", "third"]


def test_after_an_idle_spell_a_deadline_is_as_punctual_as_before(
    deadlines: Deadlines[str], clock: Clock, late: list[str]
) -> None:
    """The timer had stopped in between."""
    deadlines.add("first", STEP)
    clock.pump([STEP] * 4)
    clock.advance(100 * STEP)
    deadlines.add("second", STEP)
    clock.advance(0.9 * STEP)
    assert late == ["first"]
    clock.advance(0.1 * STEP)
    assert late == ["first", "second"]
    assert clock.getDelayedCalls() == []


def test_a_deadline_is_cancelled_for_one_waiter_once(deadlines: Deadlines[str], clock: Clock, late: list[str]) -> None:
    """Cancelled again, or after it has passed, it takes nothing from a later one of the same waiter."""
    old = deadlines.add("guest", 0.1)
    clock.pump([STEP] * 2)
    deadlines.add("guest", 2 * STEP)
    old.cancel()
    clock.pump([STEP] * 3)
    assert late == ["guest", "guest"]
