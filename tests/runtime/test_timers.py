"""Timers that outlive failing runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from wifidogd.domain.errors import Overloaded, StoreConflict, StoreUnavailable
from wifidogd.runtime.timers import every

FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    """Log events of the timers."""
    seen: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_namespace") == "wifidogd.runtime.timers":
            seen.append(event)

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


def test_a_job_runs_now_and_then_every_interval() -> None:
    """The first run does not wait for the first interval."""
    clock = Clock()
    ran: list[float] = []

    async def sweep() -> None:
        ran.append(clock.seconds())

    service = every(FIVE_MINUTES, sweep, clock=clock, name="sweep")
    assert ran == []
    service.startService()
    clock.pump([300, 299, 1])
    assert ran == [0, 300, 600]


@pytest.mark.parametrize(
    "problem",
    [RuntimeError("bug"), StoreUnavailable("no database"), StoreConflict("met"), Overloaded("full"), CancelledError()],
    ids=repr,
)
def test_a_failing_job_is_tried_again(events: list[LogEvent], problem: Exception) -> None:
    """A bad run neither stops the timer nor changes its beat."""
    clock = Clock()
    ran: list[float] = []

    async def sweep() -> None:
        ran.append(clock.seconds())
        raise problem

    every(FIVE_MINUTES, sweep, clock=clock, name="sweep").startService()
    clock.pump([300, 300])
    assert ran == [0, 300, 600]
    assert len(events) == 3


def test_a_job_that_fails_before_it_is_awaited_is_tried_again(events: list[LogEvent]) -> None:
    """A job need not be a coroutine function."""
    clock = Clock()
    ran: list[float] = []

    def sweep() -> Deferred[None]:
        ran.append(clock.seconds())
        raise RuntimeError("not even begun")

    every(FIVE_MINUTES, sweep, clock=clock, name="sweep").startService()
    clock.advance(300)
    assert ran == [0, 300]
    assert len(events) == 2


def test_a_store_that_is_away_is_one_line_now_and_then(events: list[LogEvent]) -> None:
    """A job of each second does not log each second, and never a traceback."""
    clock = Clock()

    async def refresh() -> None:
        raise StoreUnavailable("no database")

    every(timedelta(seconds=1), refresh, clock=clock, name="reading").startService()
    clock.pump([1] * 10)
    assert [formatEvent(event) for event in events] == [
        "reading is put off: no database",
        "reading is put off: no database (4 more like it since)",
        "reading is put off: no database (4 more like it since)",
    ]
    assert all(event["log_level"] is LogLevel.warn and "log_failure" not in event for event in events)


def test_a_bug_is_logged_with_its_traceback(events: list[LogEvent]) -> None:
    """Under the name of the job, with the pause until the next run."""

    async def sweep() -> None:
        raise ZeroDivisionError("by zero")

    every(FIVE_MINUTES, sweep, clock=Clock(), name="sweep").startService()
    assert [formatEvent(event) for event in events] == ["sweep failed; next run in 0:05:00"]
    assert events[0]["log_failure"].type is ZeroDivisionError


def test_runs_never_overlap() -> None:
    """A run that outlasts its interval delays the next to the following beat."""
    clock = Clock()
    runs: list[Deferred[None]] = []

    async def sweep() -> None:
        runs.append(Deferred())
        await runs[-1]

    every(FIVE_MINUTES, sweep, clock=clock, name="sweep").startService()
    clock.pump([300, 300, 100])
    assert len(runs) == 1
    runs[0].callback(None)
    assert len(runs) == 1
    clock.advance(200)
    assert len(runs) == 2


def test_stopping_waits_for_the_run_and_ends_the_beat() -> None:
    """What is being written is written; nothing starts any more."""
    clock = Clock()
    runs: list[Deferred[None]] = []

    async def sweep() -> None:
        runs.append(Deferred())
        await runs[-1]

    service = every(FIVE_MINUTES, sweep, clock=clock, name="sweep")
    service.startService()
    stopped = service.stopService()
    assert not stopped.called
    runs[0].callback(None)
    assert stopped.called
    clock.advance(1000)
    assert len(runs) == 1
    assert clock.getDelayedCalls() == []


def test_a_stopped_timer_can_be_started_again() -> None:
    """With a run at once."""
    clock = Clock()
    ran: list[float] = []

    async def sweep() -> None:
        ran.append(clock.seconds())

    service = every(FIVE_MINUTES, sweep, clock=clock, name="sweep")
    service.startService()
    clock.advance(10)
    service.stopService()
    service.startService()
    clock.advance(300)
    assert ran == [0, 10, 310]
