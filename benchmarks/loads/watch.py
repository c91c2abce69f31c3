"""A thread that looks at a server's processes now and then, so that what they used in any while can be told later."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.cost import cpu_seconds, descriptors, tree_of
from benchmarks.house import Server

EVERY = 0.25


@dataclass(frozen=True, slots=True)
class Glance:
    """
    What was seen at one moment.

    @ivar at: as the monotonic clock has it.
    @ivar cpu: seconds that the tree has used since it began.
    @ivar descriptors: open in all processes of the tree.
    """

    at: float
    cpu: float
    descriptors: int


class Watch:
    """Looks at a server every quarter of a second, from when it is made to L{end}."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._glances = [glance(server.pid)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look a last time."""
        self._over.set()
        self._thread.join()
        self._glances.append(glance(self._server.pid))

    def percent(self, begin: float, end: float) -> float:
        """Tell how much of one core the server used between two moments of the monotonic clock."""
        inside = [each for each in self._glances if begin - EVERY <= each.at <= end + EVERY]
        if len(inside) < 2:
            return 0.0
        return 100 * (inside[-1].cpu - inside[0].cpu) / (inside[-1].at - inside[0].at)

    def by_second(self, begin: float, end: float) -> list[float]:
        """Tell L{percent} of each whole second in a while."""
        return [round(self.percent(begin + at, begin + at + 1), 1) for at in range(int(end - begin))]

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """Tell how many were open at first, at most, and at last."""
        counts = [each.descriptors for each in self._glances]
        return counts[0], max(counts), counts[-1]

    @property
    def log_octets(self) -> int:
        """Tell how long the log is now."""
        return self._server.log.stat().st_size

    def freed_after(self, since: float, within: float) -> float:
        """
        Wait until no more descriptors are open than at first.

        @return: seconds from C{since}; C{within} if it took longer.
        """
        while time.monotonic() - since < within:
            if self._glances[-1].descriptors <= self._glances[0].descriptors:
                return self._glances[-1].at - since
            time.sleep(EVERY)
        return within

    def _look(self) -> None:
        while not self._over.wait(EVERY):
            self._glances.append(glance(self._server.pid))


def glance(pid: int) -> Glance:
    """Look at a tree of processes now."""
    return Glance(time.monotonic(), cpu_seconds(pid), open_in_tree(pid))


def open_in_tree(pid: int) -> int:
    """Count the descriptors that a process and all that descend from it have open."""
    total = 0
    for each in tree_of(pid):
        with suppress(OSError):
            total += descriptors(each)
    return total
