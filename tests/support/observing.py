"""What tests look at from outside: the reactor's longest turn, descriptors, log lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import LogEvent, globalLogPublisher


class Turns:
    """@ivar longest: seconds between two ticks that should be 10 ms apart, at worst."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = reactor.seconds()

    def tick(self) -> None:
        """Record how long ago the last one was."""
        now = reactor.seconds()
        self.longest = max(self.longest, now - self._last)
        self._last = now


@contextmanager
def turns_of_the_reactor() -> Iterator[Turns]:
    """Watch for something that blocks the reactor."""
    turns = Turns()
    beat = LoopingCall(turns.tick)
    beat.start(0.01)
    try:
        yield turns
    finally:
        beat.stop()


async def let_clients_be_heard() -> None:
    """Wait until what was written on loopback is read: some milliseconds, and some turns if the machine is busy."""
    for _ in range(10):
        await deferLater(reactor, 0.005)


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def watched() -> set[Any]:
    """What the reactor waits for, without its own."""
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
