"""Detects that something blocks the reactor, logs what it is, and ends a process that stays blocked."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from time import monotonic

from twisted.internet.interfaces import IReactorCore, IReactorFromThreads
from twisted.logger import Logger

log = Logger()

EXIT_STATUS = 75
"""Of a process that ends itself because it was blocked: C{EX_TEMPFAIL} (sysexits.h), try it again."""

PATIENCE = 1.0
"""Seconds that one turn of the reactor may take before it is logged."""

LIMIT = 60.0
"""Seconds after which a turn is not expected to end."""

TICK = 0.25
"""Seconds between two checks."""

LOG_WITHIN = 1.0
"""Seconds that a line may take to be logged; what blocks the reactor may block the log."""

LOG_EVERY = 10.0
"""Seconds from one stack in the log to the next, at least."""

DEPTH = 30
"""Innermost calls of the blocked thread that are logged."""


class IWatchedReactor(IReactorCore, IReactorFromThreads):
    """What the watchdog needs of a reactor."""


_PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"


class Watchdog:
    """
    A thread that has the reactor answer again and again.

    Time is counted in its own ticks: while the whole process is suspended, or
    the machine sleeps, so is this thread, and nothing is to blame.  Code that
    keeps the interpreter's lock stops it too; then only systemd, or the parent
    of a worker, notices.
    """

    def __init__(
        self,
        reactor: IWatchedReactor,
        *,
        patience: float = PATIENCE,
        limit: float = LIMIT,
        tick: float = TICK,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        """
        @param end: ends the process with an exit status, whatever its other threads do.
        """
        self._reactor = reactor
        self._patience = patience
        self._limit = limit
        self._tick = tick
        self._end = end
        self._log_from = 0.0
        self._stopped = threading.Event()
        self._watched: int | None = None
        self._times = 0
        self._seconds = self._longest = 0.0
        self._culprit: str | None = None

    def start(self) -> None:
        """Watch the reactor from its first turn to its last."""
        self._reactor.callWhenRunning(self._begin)
        self._reactor.addSystemEventTrigger("after", "shutdown", self._stopped.set)

    def metrics(self) -> dict[str, float | str | None]:
        """Return how often the reactor was blocked, for how long in all and at most, and by what the last time."""
        return {
            "times": self._times,
            "seconds": round(self._seconds, 1),
            "longest": round(self._longest, 1),
            "last_in": self._culprit,
        }

    def _begin(self) -> None:
        self._watched = threading.get_ident()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        while not self._stopped.wait(self._tick):
            turned = threading.Event()
            self._reactor.callFromThread(turned.set)
            seconds = self._await(turned)
            if seconds is not None:
                self._note(seconds)

    def _await(self, turned: threading.Event) -> float | None:
        """
        Wait for the reactor; log what blocks it if that takes long, and end the process if it takes too long.

        @return: the seconds it took, if that was long; None otherwise.
        """
        seconds, before, is_logged = 0.0, monotonic(), False
        while not turned.wait(self._tick) and not self._stopped.is_set():
            now = monotonic()
            seconds += min(now - before, 2 * self._tick)
            before = now
            if seconds >= self._patience and not is_logged:
                is_logged = True
                self._log_culprit(seconds)
            if seconds >= self._limit:
                self._give_up(seconds)
        return seconds + min(monotonic() - before, 2 * self._tick) if is_logged else None

    def _log_culprit(self, seconds: float) -> None:
        stack = self._stack()
        self._culprit = innermost(stack)
        if self._may_log:
            text = "the reactor has been blocked for {seconds:.1f} s, nobody is served meanwhile:\n{stack}"
            log_apart(log.warn, text, stack, seconds=seconds)

    def _note(self, seconds: float) -> None:
        """Count a time that is over, and log it if its beginning was logged."""
        self._times += 1
        self._seconds += seconds
        self._longest = max(self._longest, seconds)
        if self._may_log:
            self._log_from = monotonic() + LOG_EVERY
            text = "the reactor goes on; it was blocked for {seconds:.1f} s by {culprit} ({times} times so far)"
            log_apart(log.warn, text, seconds=seconds, culprit=self._culprit, times=self._times)

    def _give_up(self, seconds: float) -> None:
        text = (
            "the reactor has been blocked for {seconds:.0f} s; this process ends with status {status} so that another "
            "takes its place. It hangs here:\n{stack}"
        )
        log_apart(log.critical, text, self._stack(), seconds=seconds, status=EXIT_STATUS)
        self._end(EXIT_STATUS)

    @property
    def _may_log(self) -> bool:
        return monotonic() >= self._log_from

    def _stack(self) -> traceback.StackSummary:
        """Return what the watched thread is doing; source lines are read when it is logged."""
        frame = sys._current_frames().get(self._watched or 0)
        stack = traceback.StackSummary.extract(traceback.walk_stack(frame), limit=DEPTH, lookup_lines=False)
        stack.reverse()
        return stack


def innermost(stack: traceback.StackSummary) -> str:
    """
    Return the innermost call in our own code, or in any if there is none.

    @return: file, line and function; in lower case, so that no gateway finds a word it looks for.
    """
    ours = [frame for frame in stack if frame.filename.startswith(_PACKAGE)]
    frame = (ours or stack)[-1]
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} {frame.name}".lower()


def log_apart(
    emit: Callable[..., object], text: str, stack: Iterable[traceback.FrameSummary] = (), **fields: object
) -> None:
    """
    Log from a thread of its own, waiting for L{LOG_WITHIN} at most: the log, or the disk, may be what blocks.

    @param emit: a method of L{Logger}.
    @param text: a format, in which C{stack} may be used too.
    """

    def write() -> None:
        emit(text, stack="".join(traceback.format_list(list(stack))).rstrip(), **fields)

    speaker = threading.Thread(target=write, name="watchdog's log", daemon=True)
    with suppress(RuntimeError):  # no more threads are to be had
        speaker.start()
        speaker.join(LOG_WITHIN)
