"""What a tree of processes has used, as the kernel tells: CPU, memory, descriptors, wake-ups (Linux only)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")

_GONE = (FileNotFoundError, ProcessLookupError)


def tree_of(pid: int) -> list[int]:
    """Return a process and all that descend from it, as far as they are there."""
    found = [pid]
    for parent in found:
        found += children_of(parent)
    return found


def children_of(pid: int) -> list[int]:
    """Return the children of a process, whichever of its threads made them; none if it is gone."""
    found: list[int] = []
    with suppress(*_GONE):
        for task in (PROC / str(pid) / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """
    Add up user and system time of a process tree, of children that have ended too.

    The clock of a process has nanoseconds (C{clock_getcpuclockid(3)}; the
    formula is Linux's); that of ended children counts in hundredths.
    """
    return sum(own_seconds(each) + _buried_seconds(each) for each in tree_of(pid))


def own_seconds(pid: int) -> float:
    """Return user and system time of one process, all its threads included; 0 if it is gone."""
    with suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)
    return 0.0


def _buried_seconds(pid: int) -> float:
    with suppress(*_GONE):
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) * TICK
    return 0.0


def wakeups(pid: int) -> int:
    """Count how often the threads of a tree have gone to sleep by themselves: as often as something woke them."""
    total = 0
    for each in tree_of(pid):
        with suppress(*_GONE):
            for task in (PROC / str(each) / "task").iterdir():
                total += _field(task / "status", "voluntary_ctxt_switches")
    return total


def resident_octets(pid: int) -> int:
    """Add up the memory that each process of a tree sees as its own; what they share counts more than once."""
    return _memory(pid, "Rss")


def proportional_octets(pid: int) -> int:
    """Add up the memory of a tree; what n processes share counts a nth for each of them."""
    return _memory(pid, "Pss")


def _memory(pid: int, name: str) -> int:
    total = 0
    for each in tree_of(pid):
        with suppress(*_GONE):
            total += _field(PROC / str(each) / "smaps_rollup", name) * 1024
    return total


def _field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    return 0


def descriptors(pid: int) -> int:
    """Count what a process has open, its children not included."""
    return len(os.listdir(PROC / str(pid) / "fd"))


def open_in_tree(pid: int) -> int:
    """Count the descriptors that a process and all that descend from it have open."""
    total = 0
    for each in tree_of(pid):
        with suppress(OSError):
            total += descriptors(each)
    return total


@dataclass(frozen=True, slots=True)
class Spent:
    """
    What trees of processes have used in a while.

    @ivar seconds: how long the while was.
    @ivar cpu: by the names that were given, seconds of CPU.
    @ivar woken: by name, how often.
    """

    seconds: float
    cpu: Mapping[str, float]
    woken: Mapping[str, int]

    def share(self, name: str) -> float:
        """Return how much of one core a tree has used: 1.0 is all of it."""
        return self.cpu[name] / self.seconds


class Meter:
    """Watches trees of processes from the moment it is made."""

    def __init__(self, **pids: int) -> None:
        """
        @param pids: the root of each tree, by a name of your choice.
        """
        self._pids = pids
        self._woken = self._ask(wakeups)
        self._cpu = self._ask(cpu_seconds)
        self._began = time.monotonic()

    def spent(self) -> Spent:
        """Return what was used since; may be called again."""
        seconds = time.monotonic() - self._began
        cpu, woken = self._ask(cpu_seconds), self._ask(wakeups)
        return Spent(
            seconds,
            {name: cpu[name] - self._cpu[name] for name in self._pids},
            {name: woken[name] - self._woken[name] for name in self._pids},
        )

    def _ask(self, question: Callable[[int], T]) -> dict[str, T]:
        return {name: question(pid) for name, pid in self._pids.items()}


class Cores:
    """Watches the whole machine from the moment it is made."""

    def __init__(self) -> None:
        self._began = self._read()

    def idle(self) -> float:
        """Return how many cores have been idle since, on average."""
        (idle, total), (idle_before, total_before) = self._read(), self._began
        return (idle - idle_before) / (total - total_before) * (os.cpu_count() or 1)

    @staticmethod
    def _read() -> tuple[int, int]:
        """Read the first line of C{/proc/stat}: guest time, the last two fields, is in user time already."""
        fields = [int(field) for field in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        return fields[3] + fields[4], sum(fields)
