"""Ctrl-C, for commands that have something to put in order first."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from twisted.internet.interfaces import IReactorFromThreads


@contextmanager
def interrupts(reactor: IReactorFromThreads, stop: Callable[[], None]) -> Iterator[None]:
    """
    Let the first Ctrl-C, or SIGTERM, call C{stop} in the reactor; another one ends the command as usual.

    To be used while the reactor runs, which has handlers of its own for these.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, action in before.items():
            signal.signal(number, action)

    def interrupted(number: int, frame: FrameType | None) -> None:
        restore()
        reactor.callFromThread(stop)

    for number in before:
        signal.signal(number, interrupted)
    try:
        yield
    finally:
        restore()
