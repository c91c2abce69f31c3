"""Keeps a worker of each number running."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wifidogd.domain.errors import ConfigurationError
from wifidogd.runtime.backoff import doubling
from wifidogd.workers.child_process import Worker

log = Logger()

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""
Seconds before the second and any later restart; the first is made at once, each pause is twice the one before.

While all workers pause nobody is served; a start takes about a second of a core.
"""

STABLE = 10.0
"""Seconds after which a worker that ends counts as having worked, so that the next one starts at once."""

_PAUSE = doubling(FIRST_PAUSE, LONGEST_PAUSE)


class WorkerSlot:
    """Starts a worker, and another when it ends, ever later if they end soon."""

    def __init__(self, number: int, start: Callable[[int], Worker], clock: IReactorTime) -> None:
        """
        @param start: starts a worker of that number.
        """
        self._number = number
        self._start = start
        self._clock = clock
        self._pause: Deferred[None] | None = None
        self._ending = False
        self.worker: Worker | None = None

    async def keep(self, may_refuse: Callable[[], bool]) -> None:
        """
        Keep a worker running until L{end}.

        @param may_refuse: whether a worker that cannot start ends everything; otherwise it is tried again.
        @raise ConfigurationError: if so, with the reason that the worker or the system gave.
        """
        failures = 0
        while not self._ending:
            began = self._clock.seconds()
            problem = await self._work(may_refuse)
            if problem is None:
                return
            failures = 0 if self._clock.seconds() - began >= STABLE else failures
            pause = pause_after(failures)
            failures += 1
            log.error(
                "worker {number} {problem}; starting it again {when}",
                number=self._number, problem=problem, when=f"in {pause:g} s" if pause else "at once",
            )  # fmt: skip
            await self._sleep(pause)

    async def end(self) -> None:
        """Have the worker finish and start no other; returns when it is gone."""
        self._ending = True
        if self._pause is not None:
            self._pause.cancel()
        if self.worker is not None:
            self.worker.end()
            await self.worker.ended.wait()

    async def _work(self, may_refuse: Callable[[], bool]) -> str | None:
        """Run one worker and return what became of it; None if it was told to end."""
        try:
            self.worker = self._start(self._number)
        except OSError as problem:
            if may_refuse():
                raise ConfigurationError(f"worker {self._number} cannot be started: {problem}") from problem
            return f"cannot be started: {problem}"
        await self.worker.ended.wait()
        if self._ending:
            return None
        if self.worker.refusal is None:
            return f"(process {self.worker.pid}) {self.worker.ending}"
        if may_refuse():
            raise ConfigurationError(self.worker.refusal)
        return f"cannot start: {self.worker.refusal}"

    async def _sleep(self, seconds: float) -> None:
        self._pause = deferLater(self._clock, seconds)
        try:
            await self._pause
        except CancelledError:
            return


def pause_after(failures: int) -> float:
    """
    Return the seconds before a worker is started again.

    @param failures: how many workers in a row ended soon before this one.
    """
    return _PAUSE(failures - 1) if failures else 0.0
