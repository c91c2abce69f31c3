"""Notices that something blocks the reactor, says who, and ends a process that does not come to again."""

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
"""Of a process that ends itself because it was blocked: C{EX_TEMPFAIL}, so try it again (sysexits.h)."""

PATIENCE = 1.0
"""Seconds that a turn of the reactor may take until it is news."""

LIMIT = 60.0
"""Seconds after which it is not expected to end."""

TICK = 0.25
"""Seconds between two looks."""

SAY_WITHIN = 1.0
"""Seconds that a line may take to be logged; what blocks the reactor may block the log."""

SPARING = 10.0
"""Seconds from one stack in the log to the next, at least."""

DEPTH = 30
"""Innermost calls of the blocked thread that are shown."""


class IWatchedReactor(IReactorCore, IReactorFromThreads):
    """What is watched."""


_PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"


class Watchdog:
    """
    A thread that has the reactor answer again and again.

    Time counts by its own ticks: while the whole process is stopped, or the
    machine sleeps, this thread is as well, and nobody is to blame.  Code that
    keeps the interpreter's lock stops it too; then only systemd, or the parent
    of a worker, can tell.
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
        self._silent_until = 0.0
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
        """Tell monitors how often the reactor was blocked, for how long in all and at most, and where the last time."""
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
        Wait for the reactor, say so if it takes long, and end the process if it takes too long.

        @return: seconds, if it took long; None otherwise.
        """
        seconds, before, accused = 0.0, monotonic(), False
        while not turned.wait(self._tick) and not self._stopped.is_set():
            now = monotonic()
            seconds += min(now - before, 2 * self._tick)
            before = now
            if seconds >= self._patience and not accused:
                accused = True
                self._accuse(seconds)
            if seconds >= self._limit:
                self._give_up(seconds)
        return seconds + min(monotonic() - before, 2 * self._tick) if accused else None

    def _accuse(self, seconds: float) -> None:
        stack = self._stack()
        self._culprit = innermost(stack)
        if self._may_speak:
            text = "the reactor has been blocked for {seconds:.1f} s, nobody is served meanwhile:\n{stack}"
            say(log.warn, text, stack, seconds=seconds)

    def _note(self, seconds: float) -> None:
        """Count a time that is over, and say so if its beginning was said."""
        self._times += 1
        self._seconds += seconds
        self._longest = max(self._longest, seconds)
        if self._may_speak:
            self._silent_until = monotonic() + SPARING
            text = "the reactor goes on; it was blocked for {seconds:.1f} s by {culprit} ({times} times so far)"
            say(log.warn, text, seconds=seconds, culprit=self._culprit, times=self._times)

    def _give_up(self, seconds: float) -> None:
        text = (
            "the reactor has been blocked for {seconds:.0f} s; this process ends with status {status} so that another "
            "takes its place. It hangs here:\n{stack}"
        )
        say(log.critical, text, self._stack(), seconds=seconds, status=EXIT_STATUS)
        self._end(EXIT_STATUS)

    @property
    def _may_speak(self) -> bool:
        return monotonic() >= self._silent_until

    def _stack(self) -> traceback.StackSummary:
        """Look at what the watched thread is doing; the source is read when it is shown."""
        frame = sys._current_frames().get(self._watched or 0)
        stack = traceback.StackSummary.extract(traceback.walk_stack(frame), limit=DEPTH, lookup_lines=False)
        stack.reverse()
        return stack


def innermost(stack: traceback.StackSummary) -> str:
    """
    Name the innermost call in our own code, or in any if there is none.

    @return: file, line and function in lower case, so that no gateway finds a word it looks for.
    """
    ours = [frame for frame in stack if frame.filename.startswith(_PACKAGE)]
    frame = (ours or stack)[-1]
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} {frame.name}".lower()


def say(tell: Callable[..., object], text: str, stack: Iterable[traceback.FrameSummary] = (), **fields: object) -> None:
    """
    Log from a thread of its own, and do not wait for long: the log, or the disk, may be what blocks.

    @param tell: a method of L{Logger}.
    @param text: a format, of C{stack} too.
    """

    def speak() -> None:
        tell(text, stack="".join(traceback.format_list(list(stack))).rstrip(), **fields)

    speaker = threading.Thread(target=speak, name="watchdog's log", daemon=True)
    with suppress(RuntimeError):  # no more threads are to be had
        speaker.start()
        speaker.join(SAY_WITHIN)
