"""What tests observe from outside: blocked turns of the reactor, descriptors, delayed calls, log lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import LogEvent, globalLogPublisher


class Turns:
    """@ivar longest: seconds between two ticks that should be 10 ms apart, at worst."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = reactor.seconds()

    def tick(self) -> None:
        """Record the time since the last tick."""
        now = reactor.seconds()
        self.longest = max(self.longest, now - self._last)
        self._last = now


@contextmanager
def turns_of_the_reactor() -> Iterator[Turns]:
    """Measure the longest pause of the reactor while the block runs."""
    turns = Turns()
    beat = LoopingCall(turns.tick)
    beat.start(0.01)
    try:
        yield turns
    finally:
        beat.stop()


async def let_clients_be_heard() -> None:
    """Wait some milliseconds and turns of the reactor, so that data written on loopback has been read."""
    for _ in range(10):
        await deferLater(reactor, 0.005)


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def watched() -> set[Any]:
    """Return the readers and writers of the reactor, without its internal ones."""
    return {*reactor.getReaders(), *reactor.getWriters()}


@contextmanager
def log_lines(namespace: str) -> Iterator[list[LogEvent]]:
    """Collect the log events of one component."""
    events: list[LogEvent] = []

    def note(event: LogEvent) -> None:
        if str(event.get("log_namespace", "")).startswith(namespace) or "log_failure" in event:
            events.append(event)

    globalLogPublisher.addObserver(note)
    try:
        yield events
    finally:
        globalLogPublisher.removeObserver(note)


class Output(ProcessProtocol):
    """Collects the output of a process, and records its end."""

    def __init__(self) -> None:
        self.text = ""
        self.ended: Deferred[object] = Deferred()

    def childDataReceived(self, descriptor: int, data: bytes) -> None:
        self.text += data.decode()

    def processEnded(self, reason: object) -> None:
        self.ended.callback(None)
