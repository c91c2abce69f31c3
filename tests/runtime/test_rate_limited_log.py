"""Warnings that cannot fill a disk."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, LogLevel, formatEvent
from twisted.python.failure import Failure

from wifidogd.runtime.rate_limited_log import PAUSE, RateLimitedLog


@pytest.fixture
def events() -> list[LogEvent]:
    """Log events, in the order in which they were logged."""
    return []


@pytest.fixture
def clock() -> Clock:
    """Stands still until advanced."""
    return Clock()


@pytest.fixture
def sparing(events: list[LogEvent], clock: Clock) -> RateLimitedLog:
    """Logs to C{events}."""
    return RateLimitedLog(Logger(namespace="test", observer=events.append), clock)


def test_the_first_of_a_kind_is_logged_at_once(sparing: RateLimitedLog, events: list[LogEvent]) -> None:
    """As a warning, with its fields, and no word of others."""
    sparing.warn("{who} knocks", who="somebody")
    assert [formatEvent(event) for event in events] == ["somebody knocks"]
    assert events[0]["log_level"] is LogLevel.warn


def test_the_rest_is_counted_and_told_with_the_next(
    sparing: RateLimitedLog, events: list[LogEvent], clock: Clock
) -> None:
    """A thousand in the pause are one line after it."""
    sparing.warn("{who} knocks", who="the first")
    for _ in range(1000):
        sparing.warn("{who} knocks", who="a crowd")
    clock.advance(PAUSE)
    sparing.warn("{who} knocks", who="the last")
    clock.advance(PAUSE)
    sparing.warn("{who} knocks", who="another")
    assert [formatEvent(event) for event in events] == [
        "the first knocks",
        "the last knocks (1000 more like it since)",
        "another knocks",
    ]


def test_what_is_no_trouble_is_limited_too(sparing: RateLimitedLog, events: list[LogEvent], clock: Clock) -> None:
    """Each format by itself."""
    for _ in range(10):
        sparing.info("{who} leaves", who="some\x1bbody")
        sparing.warn("{who} knocks", who="somebody")
    clock.advance(PAUSE)
    sparing.info("{who} leaves", who="another")
    assert [(event["log_level"], formatEvent(event)) for event in events] == [
        (LogLevel.info, "some\\x1bbody leaves"),
        (LogLevel.warn, "somebody knocks"),
        (LogLevel.info, "another leaves (9 more like it since)"),
    ]


def test_the_pause_is_over_to_the_second(sparing: RateLimitedLog, events: list[LogEvent], clock: Clock) -> None:
    """Just before its end nothing is logged, at its end something is."""
    sparing.warn("knock")
    clock.advance(PAUSE - 0.001)
    sparing.warn("knock")
    assert len(events) == 1
    clock.advance(0.001)
    sparing.warn("knock")
    assert len(events) == 2


def test_kinds_do_not_silence_each_other(sparing: RateLimitedLog, events: list[LogEvent]) -> None:
    """The format tells them apart, not what is filled in."""
    sparing.warn("{who} knocks", who="somebody")
    sparing.warn("{who} leaves", who="somebody")
    sparing.warn("{who} knocks", who="somebody else")
    assert [formatEvent(event) for event in events] == ["somebody knocks", "somebody leaves"]


@pytest.mark.parametrize("value", ["{who}", "{", "}", "%s", "{skipped!r:>99}"])
def test_values_are_never_taken_for_formats(
    sparing: RateLimitedLog, events: list[LogEvent], clock: Clock, value: str
) -> None:
    """What strangers send is quoted as it is, in the first line and in one that counts."""
    sparing.warn("from {who}", who=value)
    sparing.warn("from {who}", who=value)
    clock.advance(PAUSE)
    sparing.warn("from {who}", who=value)
    assert [formatEvent(event) for event in events] == [f"from {value}", f"from {value} (1 more like it since)"]


@pytest.mark.parametrize(
    ("sent", "logged"),
    [
        ("a\nwifidogd is up", r"a\nwifidogd is up"),
        ("a\r\n\tb", r"a\r\n\tb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J\x00", r"\x9b2J\x00"),
        ("\u202etxt", r"\u202etxt"),
        ("\udcff", r"\udcff"),
        ("Zoë 🙂", "Zoë 🙂"),
    ],
)
def test_no_value_begins_a_line_or_moves_a_terminal(
    sparing: RateLimitedLog, events: list[LogEvent], sent: str, logged: str
) -> None:
    """Neither as text nor inside an error."""
    sparing.warn("from {who}", who=sent)
    sparing.warn("trouble: {problem}", problem=ValueError(sent))
    assert [formatEvent(event) for event in events] == [f"from {logged}", f"trouble: {logged}"]


def test_failures_are_spared_too_and_keep_their_traceback(
    sparing: RateLimitedLog, events: list[LogEvent], clock: Clock
) -> None:
    """One traceback in a pause, however often it fails."""
    for pause in (0, 0, PAUSE):
        clock.advance(pause)
        sparing.failure("no way", Failure(ZeroDivisionError("by zero")))
    assert [formatEvent(event) for event in events] == ["no way", "no way (1 more like it since)"]
    assert [event["log_failure"].type for event in events] == [ZeroDivisionError] * 2
    assert events[0]["log_level"] is LogLevel.critical
