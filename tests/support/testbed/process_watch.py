"""A thread that looks at servers at regular intervals, so that their use of the machine can be told later."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.testbed.process_cost import cpu_seconds, open_in_tree, proportional_octets
from tests.support.testbed.server_process import ServerProcess

INTERVAL = 0.5
"""Seconds between two looks, unless the caller needs them closer."""


@dataclass(frozen=True, slots=True)
class Glance:
    """
    What was seen at one moment, all servers together.

    @ivar at: by the monotonic clock.
    @ivar cpu: seconds that they have used since they began, their children included.
    @ivar memory: octets; what n processes share counts a nth for each.
    @ivar descriptors: open in all processes.
    @ivar log: octets written so far.
    """

    at: float
    cpu: float
    memory: int
    descriptors: int
    log: int


@dataclass(frozen=True, slots=True)
class Span:
    """Measurements between two moments: at least two C{glances}, in order."""

    glances: Sequence[Glance]

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.glances[-1].at - self.glances[0].at

    @property
    def cpu(self) -> float:
        """Seconds of CPU used."""
        return self.glances[-1].cpu - self.glances[0].cpu

    @property
    def memory_growth(self) -> int:
        """Octets by which memory was above that of the beginning, at most."""
        return max(each.memory for each in self.glances) - self.glances[0].memory

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """How many were open at first, at most, and at last."""
        counts = [each.descriptors for each in self.glances]
        return counts[0], max(counts), counts[-1]

    @property
    def log(self) -> int:
        """Octets of log written."""
        return self.glances[-1].log - self.glances[0].log


class Watch:
    """Looks at servers at regular intervals, from when it is made to L{end}."""

    def __init__(self, *servers: ServerProcess, interval: float = INTERVAL) -> None:
        self._servers = servers
        self._interval = interval
        self._glances = [self.now()]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def now(self) -> Glance:
        """Take a measurement."""
        pids = [server.pid for server in self._servers]
        return Glance(
            time.monotonic(),
            sum(map(cpu_seconds, pids)),
            sum(map(proportional_octets, pids)),
            sum(map(open_in_tree, pids)),
            sum(server.log.stat().st_size for server in self._servers),
        )

    def end(self) -> None:
        """Take a last measurement, and stop."""
        self._over.set()
        self._thread.join()
        self._glances.append(self.now())

    @property
    def whole(self) -> Span:
        """Return what was seen from the first look to the last."""
        return Span(self._glances)

    def between(self, begin: float, end: float) -> Span:
        """Return what was seen between two moments, give or take an interval; everything if that is too little."""
        inside = self._inside(begin, end)
        return Span(inside if len(inside) > 1 else self._glances)

    def percent(self, begin: float, end: float) -> float:
        """Return the share of one core used between two moments; 0 if they are too close together."""
        inside = self._inside(begin, end)
        return 100 * Span(inside).cpu / Span(inside).seconds if len(inside) > 1 else 0.0

    def by_second(self, begin: float, end: float) -> list[float]:
        """Return L{percent} of each whole second between two moments."""
        return [round(self.percent(begin + at, begin + at + 1), 1) for at in range(int(end - begin))]

    def freed_after(self, since: float, within: float) -> float:
        """
        Wait until no more descriptors are open than at first.

        @return: seconds from C{since}; C{within} if it took longer.
        """
        while time.monotonic() - since < within:
            if self._glances[-1].descriptors <= self._glances[0].descriptors:
                return self._glances[-1].at - since
            time.sleep(self._interval)
        return within

    def _inside(self, begin: float, end: float) -> list[Glance]:
        return [each for each in self._glances if begin - self._interval <= each.at <= end + self._interval]

    def _look(self) -> None:
        while not self._over.wait(self._interval):
            self._glances.append(self.now())
