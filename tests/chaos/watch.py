"""A thread that looks at servers now and then, so that what they used in any while can be told later."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.cost import cpu_seconds, proportional_octets
from benchmarks.loads.watch import open_in_tree
from benchmarks.server import Server

EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Glance:
    """
    What was seen at one moment, all servers together.

    @ivar at: as the monotonic clock has it.
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
    """What was seen between two moments: C{glances} are at least two, in order."""

    glances: Sequence[Glance]

    @property
    def seconds(self) -> float:
        """How long it was."""
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
    """Looks at servers twice a second, from when it is made to L{end}."""

    def __init__(self, *servers: Server) -> None:
        self._servers = servers
        self._glances = [self.now()]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def now(self) -> Glance:
        """Look."""
        pids = [server.pid for server in self._servers]
        return Glance(
            time.monotonic(),
            sum(map(cpu_seconds, pids)),
            sum(map(proportional_octets, pids)),
            sum(map(open_in_tree, pids)),
            sum(server.log.stat().st_size for server in self._servers),
        )

    def end(self) -> None:
        """Look a last time."""
        self._over.set()
        self._thread.join()
        self._glances.append(self.now())

    def between(self, begin: float, end: float) -> Span:
        """Tell what was seen in a while, as exactly as it was looked at."""
        inside = [each for each in self._glances if begin - EVERY <= each.at <= end + EVERY]
        return Span(inside if len(inside) > 1 else self._glances)

    def _look(self) -> None:
        while not self._over.wait(EVERY):
            self._glances.append(self.now())
