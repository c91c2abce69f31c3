"""A load of requests from a process of its own, cheap enough not to be what is measured."""

from __future__ import annotations

import gc
import multiprocessing
from itertools import chain
from multiprocessing.connection import Connection

from benchmarks.requests.driver import PATIENCE, Driver, Load
from benchmarks.requests.outcomes import NO_ANSWER, REFUSED, RESET, TIMED_OUT, Heard, outcome_of, quantile_of

__all__ = [
    "NO_ANSWER",
    "PATIENCE",
    "REFUSED",
    "RESET",
    "TIMED_OUT",
    "Heard",
    "Load",
    "Running",
    "drive",
    "outcome_of",
    "quantile_of",
]


class Running:
    """
    The process that a load comes from; it has made its first request up, and waits for L{begin}.

    @ivar pid: its process id.
    """

    def __init__(self, load: Load) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(load, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._ours.recv()
        self.pid: int = self._process.pid or 0

    def begin(self) -> None:
        """Begin to send."""
        self._ours.send(None)

    def result(self) -> Heard:
        """
        Wait for the end of the load, which must have begun.

        @raise EOFError: if the process died.
        """
        heard: Heard = self._ours.recv()
        self._process.join()
        return heard


def drive(load: Load) -> Heard:
    """Run a load from beginning to end."""
    running = Running(load)
    running.begin()
    return running.result()


def _run(load: Load, parent: Connection) -> None:
    """Run the process of a load, without garbage collection, whose pauses would look like a slow server."""
    gc.disable()
    requests = iter(load.requests)
    first = next(requests, None)
    parent.send(None)
    parent.recv()
    begun = [] if first is None else [first]
    parent.send(Driver(load, chain(begun, requests)).run())
