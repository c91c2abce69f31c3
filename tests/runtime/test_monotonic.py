"""Timers do not notice that somebody sets the clock."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from twisted.internet.base import DelayedCall

from wifidogd.runtime.monotonic import go_by_steady_time


def wall_bound(*delays: float) -> SimpleNamespace:
    """Make what Twisted's reactors have of time, with calls to be made after so many seconds."""
    calls = [
        DelayedCall(time.time() + delay, lambda: None, (), {}, lambda call: None, lambda call: None) for delay in delays
    ]
    return SimpleNamespace(seconds=time.time, getDelayedCalls=lambda: calls)


def test_what_was_already_to_be_called_keeps_its_delay() -> None:
    """It would come in some decades otherwise."""
    reactor = wall_bound(0.0, 60.0)
    go_by_steady_time(reactor)
    left = [call.getTime() - reactor.seconds() for call in reactor.getDelayedCalls()]
    assert left == pytest.approx([0.0, 60.0], abs=1.0)
    reactor.getDelayedCalls()[1].reset(5.0)
    assert reactor.getDelayedCalls()[1].getTime() - reactor.seconds() == pytest.approx(5.0, abs=1.0)


def test_setting_the_clock_moves_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds of the reactor are those that have passed."""
    reactor = wall_bound()
    go_by_steady_time(reactor)
    before = reactor.seconds()
    set_forward = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: set_forward)
    assert 0 <= reactor.seconds() - before < 60


def test_twice_is_once() -> None:
    """Nothing moves the second time."""
    reactor = wall_bound(60.0)
    go_by_steady_time(reactor)
    due = reactor.getDelayedCalls()[0].getTime()
    go_by_steady_time(reactor)
    assert reactor.getDelayedCalls()[0].getTime() == pytest.approx(due, abs=1.0)
