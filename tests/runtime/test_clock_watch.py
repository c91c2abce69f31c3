"""What counts as a break, after which nobody is judged by earlier silence."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from twisted.internet.task import Clock

from tests.support.builders import NOON
from tests.support.observing import log_lines
from wifidogd.runtime.clock_watch import LOOK, MISSED, STEP, ClockWatch


class Clocks:
    """
    The steady clock and the wall clock of a machine.

    @ivar now: what the wall clock says.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.now: datetime = NOON
        self.clock_watch = ClockWatch(self.clock, lambda: self.now)  # type: ignore[arg-type]

    def go_on(self, seconds: float) -> None:
        """Advance the clocks, and check them as often as the server does."""
        for _ in range(round(seconds / LOOK.total_seconds())):
            self.pass_unseen(LOOK.total_seconds())
            assert self.clock_watch.since <= self.clock.seconds()

    def pass_unseen(self, seconds: float) -> None:
        """Advance the clocks without checking them."""
        self.clock.advance(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_of_the_wall_clock_is_a_break(hours: int) -> None:
    """Either way, said once, and from then on there is attention again."""
    clocks = Clocks()
    clocks.go_on(60)
    assert clocks.clock_watch.since == 0
    with log_lines("wifidogd.runtime.clock_watch") as lines:
        clocks.now += timedelta(hours=hours)
        clocks.go_on(60)
    assert clocks.clock_watch.since == 61
    assert [(line["direction"], line["seconds"]) for line in lines] == [("forward" if hours > 0 else "back", 3600)]


def test_a_slewed_clock_is_none() -> None:
    """Not even over hours: chrony makes a clock run 8 % fast or slow at most."""
    clocks = Clocks()
    for _ in range(3600):
        clocks.go_on(1)
        clocks.now += timedelta(seconds=STEP / 12)
    assert clocks.clock_watch.since == 0


def test_a_stopped_process_missed_something() -> None:
    """Stopped, blocked or on a machine that slept; the first look after that knows, whoever looks."""
    clocks = Clocks()
    clocks.pass_unseen(MISSED)
    assert clocks.clock_watch.since == 0
    clocks.pass_unseen(MISSED + 0.1)
    assert clocks.clock_watch.since == clocks.clock.seconds()


def test_a_machine_that_slept_missed_something() -> None:
    """Its steady clock slept too."""
    clocks = Clocks()
    clocks.go_on(10)
    clocks.now += timedelta(hours=8)
    assert clocks.clock_watch.since == 10


def test_it_knows_when_a_process_that_was_stopped_went_on() -> None:
    """A clock that was set is no such thing: nobody's words have waited."""
    clocks = Clocks()
    clocks.go_on(10)
    clocks.now += timedelta(hours=1)
    clocks.go_on(10)
    assert clocks.clock_watch.woke_at is None
    clocks.pass_unseen(MISSED + 0.1)
    woke_at = clocks.clock.seconds()
    clocks.go_on(10)
    assert clocks.clock_watch.woke_at == woke_at + LOOK.total_seconds()
    clocks.pass_unseen(MISSED + 0.1)
    assert clocks.clock_watch.woke_at == clocks.clock.seconds()


def test_a_start_is_no_gap() -> None:
    """However long it took, and whatever was done to the clocks meanwhile."""
    clocks = Clocks()
    clocks.pass_unseen(3600)
    clocks.now += timedelta(hours=1)
    clocks.clock_watch.begin()
    assert (clocks.clock_watch.woke_at, clocks.clock_watch.set_at, clocks.clock_watch.since) == (None, None, 3600)
    clocks.pass_unseen(MISSED + 0.1)
    assert clocks.clock_watch.woke_at == clocks.clock.seconds()


@pytest.mark.parametrize("hours", [1, -1])
def test_it_knows_when_the_clock_was_set(hours: int) -> None:
    """By the clock as it is now; a process that was stopped has nothing to do with it."""
    clocks = Clocks()
    clocks.go_on(10)
    clocks.pass_unseen(MISSED + 0.1)
    assert clocks.clock_watch.set_at is None
    clocks.now += timedelta(hours=hours)
    set_at = clocks.now
    assert clocks.clock_watch.set_at == set_at
    clocks.go_on(60)
    assert clocks.clock_watch.set_at == set_at
