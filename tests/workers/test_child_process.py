"""What a parent hears of a worker, and how it ends one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.task import Clock
from twisted.logger import LogEvent, eventAsText
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support.observing import log_lines
from wifidogd.settings import Settings
from wifidogd.workers.child_process import ERRORS, FROZEN_AFTER, PATIENCE, Worker
from wifidogd.workers.inherited_sockets import MESSAGES, ORDERS
from wifidogd.workers.messages import ALIVE_EVERY, Kind, Message, Orders, read_orders, write_message

GIVEN = Orders(2, 3, (2,), Settings(("tcp:1",), Path("/srv")))


@implementer(IProcessTransport)
class Child:
    """Stands in for the process."""

    pid = 77

    def __init__(self) -> None:
        self.written = b""
        self.closed: list[int] = []
        self.signals: list[str] = []
        self.is_gone = False

    def writeToChild(self, descriptor: int, octets: bytes) -> None:
        assert descriptor == ORDERS
        self.written += octets

    def closeChildFD(self, descriptor: int) -> None:
        self.closed.append(descriptor)

    def signalProcess(self, signal: str) -> None:
        if self.is_gone:
            raise ProcessExitedAlready
        self.signals.append(signal)


class ParentOfWorker:
    """The parent's side of a worker that has just started."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.child = Child()
        self.worker = Worker(GIVEN, self.clock)
        self.worker.makeConnection(self.child)

    def ends(self, status: int | None = None, signal: int | None = None) -> Worker:
        """End the process; None for both arguments means success."""
        how = ProcessDone(0) if status is None and signal is None else ProcessTerminated(status, signal)
        self.worker.processEnded(Failure(how))
        return self.worker


@pytest.fixture
def parent() -> ParentOfWorker:
    return ParentOfWorker()


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    with log_lines("wifidogd.workers.child_process") as events:
        yield events


def test_it_gets_its_orders_at_once(parent: ParentOfWorker) -> None:
    """And the pipe stays open: its end would be theirs."""
    assert read_orders(parent.child.written) == GIVEN
    assert parent.child.closed == []
    assert parent.worker.pid == 77


def test_what_it_logs_is_logged_under_its_number(parent: ParentOfWorker, logged: list[LogEvent]) -> None:
    """At its level, however the pipe cuts it; so is what the interpreter says, or somebody prints."""
    message = write_message(Message(Kind.LOG, "{a}\nb", "error", "wifidogd.x#error"))
    parent.worker.childDataReceived(MESSAGES, message[:9])
    parent.worker.childDataReceived(ERRORS, b"Fatal Python error\ntorn")
    parent.worker.childDataReceived(
        MESSAGES, message[9:] + b"printed\n" + write_message(Message(Kind.LOG, "odd", "shouting"))
    )
    parent.ends()
    said = [(event["log_level"].name, eventAsText(event, includeTimestamp=False)) for event in logged]
    assert said == [
        ("warn", "[worker 2 -] Fatal Python error"),
        ("error", "[worker 2 wifidogd.x#error] {a}\nb"),
        ("warn", "[worker 2 -] printed"),
        ("warn", "[worker 2 -] odd"),
        ("warn", "[worker 2 -] torn"),
    ]


def test_it_is_up_when_it_says_so(parent: ParentOfWorker, logged: list[LogEvent]) -> None:
    """Without a line of the log."""
    assert not parent.worker.is_up
    parent.worker.childDataReceived(MESSAGES, write_message(Message(Kind.UP)))
    assert parent.worker.is_up
    assert parent.worker.up.has_come
    assert not parent.worker.ended.has_come
    assert logged == []


@pytest.mark.parametrize(
    ("message", "status", "signal", "ending", "refusal"),
    [
        (Message(Kind.REFUSED, "No."), 1, None, "ended with exit status 1", "No."),
        (Message(Kind.UP), 1, None, "ended with exit status 1", None),
        (Message(Kind.UP), None, None, "ended", None),
        (None, None, 9, "ended with signal 9", None),
        (None, 1, None, "ended with exit status 1", "worker 2 ended with exit status 1, and said why above"),
    ],
)
def test_an_end_is_told_from_a_refusal(
    parent: ParentOfWorker,
    message: Message | None,
    status: int | None,
    signal: int | None,
    ending: str,
    refusal: str | None,
) -> None:
    """Who fails before it was ever up cannot start, whether it says so or not; who is killed is no witness."""
    if message is not None:
        parent.worker.childDataReceived(MESSAGES, write_message(message))
    worker = parent.ends(status, signal)
    assert (worker.ending, worker.refusal) == (ending, refusal)
    assert worker.ended.has_come
    assert worker.up.has_come


def test_it_is_let_go_and_killed_only_if_it_does_not_end(parent: ParentOfWorker) -> None:
    """Ten seconds are enough for whoever is not stuck; asking twice changes nothing."""
    parent.worker.end()
    parent.worker.end()
    assert parent.child.closed == [ORDERS]
    parent.clock.advance(PATIENCE - 0.1)
    assert parent.child.signals == []
    parent.clock.advance(0.1)
    assert parent.child.signals == ["KILL"]


@pytest.mark.parametrize("is_gone", [False, True])
def test_who_ends_in_time_is_not_killed(parent: ParentOfWorker, is_gone: bool) -> None:
    """Nor is it an error if it ends in that very moment."""
    parent.worker.end()
    parent.child.is_gone = is_gone
    if is_gone:
        parent.clock.advance(PATIENCE)
    parent.ends()
    assert parent.clock.getDelayedCalls() == []
    assert parent.child.signals == []
    parent.worker.end()
    assert parent.child.closed == [ORDERS]


def show_life(parent: ParentOfWorker) -> None:
    """Receive a sign of life from the worker."""
    parent.worker.childDataReceived(MESSAGES, write_message(Message(Kind.ALIVE)))


def test_a_frozen_worker_is_killed(parent: ParentOfWorker, logged: list[LogEvent]) -> None:
    """Whatever its other threads still log; one that has not begun to turn is not expected to show life."""
    parent.clock.advance(2 * FROZEN_AFTER)
    for _ in range(30):
        show_life(parent)
        parent.clock.advance(ALIVE_EVERY)
    assert parent.child.signals == []
    for _ in range(round(FROZEN_AFTER / ALIVE_EVERY)):
        parent.worker.childDataReceived(MESSAGES, write_message(Message(Kind.LOG, "blocked")))
        parent.clock.advance(ALIVE_EVERY)
    assert parent.child.signals == ["KILL"]
    assert logged[-1]["log_format"].startswith("worker {number} is frozen")
    parent.ends(signal=9)
    assert (parent.worker.ending, parent.worker.refusal) == ("ended with signal 9", None)
    assert parent.clock.getDelayedCalls() == []


def test_a_parent_that_was_stopped_blames_nobody(parent: ParentOfWorker) -> None:
    """What its worker said meanwhile is still to be read."""
    show_life(parent)
    parent.clock.advance(1000 * FROZEN_AFTER)
    show_life(parent)
    parent.clock.advance(ALIVE_EVERY)
    assert parent.child.signals == []
    parent.ends()
    assert parent.clock.getDelayedCalls() == []
