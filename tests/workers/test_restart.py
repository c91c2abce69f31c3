"""A worker that ends is replaced soon, and one that keeps ending ever later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred
from twisted.internet.defer import ensureDeferred as begin
from twisted.internet.task import Clock

from tests.support.deadline import within
from tests.support.observing import log_lines
from wifidogd.domain.errors import ConfigurationError
from wifidogd.runtime.one_shot import OneShot
from wifidogd.workers.restart import LONGEST_PAUSE, STABLE, WorkerSlot, pause_after


class FakeWorker:
    """Stands in for a worker."""

    pid = 77
    ending = "ended with signal 9"

    def __init__(self, number: int) -> None:
        self.number = number
        self.ended = OneShot()
        self.refusal: str | None = None
        self.is_to_end = False

    def end(self) -> None:
        self.is_to_end = True

    def die(self, refusal: str | None = None) -> None:
        self.refusal = refusal
        self.ended.come()


class SlotOnClock:
    """
    A slot on a clock that the test advances.

    @ivar started: all workers that were started in the slot, oldest first.
    @ivar kept: fires when the slot is no longer kept filled.
    """

    def __init__(self, *, may_refuse: bool = False, failing: int = 0) -> None:
        self.clock = Clock()
        self.started: list[FakeWorker] = []
        self._failing = failing
        self.slot = WorkerSlot(3, self._start, self.clock)  # type: ignore[arg-type]
        self.kept: Deferred[None] = begin(self.slot.keep(lambda: may_refuse))

    def _start(self, number: int) -> FakeWorker:
        if self._failing:
            self._failing -= 1
            raise OSError("no memory")
        self.started.append(FakeWorker(number))
        return self.started[-1]

    def pause_after_death_at(self, age: float) -> float:
        """Let the worker die after so many seconds; return the seconds until the next one starts."""
        count = len(self.started)
        self.clock.advance(age)
        self.started[-1].die()
        self.clock.advance(0)
        pause = 0.0
        while len(self.started) == count:
            self.clock.advance(0.25)
            pause += 0.25
        return pause


@contextmanager
def said() -> Iterator[list[str]]:
    """Collect the log lines about slots."""
    lines: list[str] = []
    with log_lines("wifidogd.workers.restart") as events:
        yield lines
    lines += [f"{event['number']} {event['problem']}, {event['when']}" for event in events]


def test_a_worker_is_replaced_at_once_then_ever_later_until_one_has_worked() -> None:
    """0, 0.5, 1, 2 ... 30 s; ten seconds of life begin anew."""
    on_clock = SlotOnClock()
    pauses = [on_clock.pause_after_death_at(1) for _ in range(9)]
    assert pauses == [0, 0.5, 1, 2, 4, 8, *[LONGEST_PAUSE] * 3]
    assert [on_clock.pause_after_death_at(age) for age in (STABLE, 1, 1)] == [0, 0.5, 1]
    assert {worker.number for worker in on_clock.started} == {3}
    assert pause_after(1_000_000) == LONGEST_PAUSE


def test_each_death_is_one_line() -> None:
    """With the process it was, and when the next begins."""
    with said() as lines:
        on_clock = SlotOnClock()
        on_clock.started[-1].die()
        on_clock.clock.advance(0)
        on_clock.started[-1].die("the certificate cannot be read")
    assert lines == [
        "3 (process 77) ended with signal 9, at once",
        "3 cannot start: the certificate cannot be read, in 0.5 s",
    ]


def test_a_machine_that_is_out_of_memory_is_tried_again() -> None:
    """A worker that cannot be started counts as one that died."""
    with said() as lines:
        on_clock = SlotOnClock(failing=2)
        on_clock.clock.advance(0)
        assert on_clock.started == []
        on_clock.clock.advance(0.5)
    assert len(on_clock.started) == 1
    assert lines == ["3 cannot be started: no memory, at once", "3 cannot be started: no memory, in 0.5 s"]


@ensureDeferred
async def test_a_refusal_counts_as_long_as_nobody_was_ever_up() -> None:
    """Then it is for the operator, and not to be tried again."""
    on_clock = SlotOnClock(may_refuse=True)
    on_clock.started[-1].die("no such certificate")
    with pytest.raises(ConfigurationError, match="no such certificate"):
        await within(5, on_clock.kept)
    assert len(on_clock.started) == 1


@ensureDeferred
async def test_so_does_a_program_that_cannot_be_run() -> None:
    """Such as one that the user of --uid may not read."""
    with pytest.raises(ConfigurationError, match="worker 3 cannot be started: no memory"):
        await within(5, SlotOnClock(may_refuse=True, failing=1).kept)


@ensureDeferred
async def test_who_is_to_end_is_waited_for_and_not_replaced() -> None:
    """Whatever it says at the end."""
    with said() as lines:
        on_clock = SlotOnClock(may_refuse=True)
        ending = begin(on_clock.slot.end())
        assert on_clock.started[-1].is_to_end
        assert not ending.called
        on_clock.started[-1].die("I was to end")
        await within(5, ending)
        await within(5, on_clock.kept)
        on_clock.clock.advance(100)
    assert len(on_clock.started) == 1
    assert lines == []


@ensureDeferred
async def test_a_slot_without_a_worker_is_not_filled_at_the_end() -> None:
    """A pause is cut short, and no call is left behind."""
    on_clock = SlotOnClock()
    on_clock.pause_after_death_at(1)
    on_clock.started[-1].die()
    await within(5, begin(on_clock.slot.end()))
    await within(5, on_clock.kept)
    assert on_clock.clock.getDelayedCalls() == []
    assert len(on_clock.started) == 2
