"""Forked processes, two at a time, each with a deadline."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

AT_A_TIME = 2
LOOK_INTERVAL = 0.005
TIMED_OUT = -1


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """
    What one process does.

    @ivar about: given back with what came of it.
    @ivar body: called in the process; its result is the exit status.
    @ivar within: seconds, after which the process is killed.
    """

    about: T
    body: Callable[[], int]
    within: float


def race(jobs: Iterable[Job[T]]) -> Iterator[tuple[T, int]]:
    """Run jobs, and yield the exit status of each, L{TIMED_OUT} for one that took too long, as they end."""
    waiting = iter(jobs)
    running: dict[int, tuple[Job[T], float]] = {}
    try:
        while True:
            while len(running) < AT_A_TIME and (job := next(waiting, None)) is not None:
                running[_fork(job)] = (job, time.monotonic() + job.within)
            if not running:
                return
            yield from _ended(running)
            time.sleep(LOOK_INTERVAL)
    finally:
        for pid in running:
            _end_group(pid)


def _ended(running: dict[int, tuple[Job[T], float]]) -> Iterator[tuple[T, int]]:
    """Take away the processes that have ended, or whose time is over."""
    for pid, (job, give_up) in list(running.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            del running[pid]
            _end_group(pid)
            yield job.about, os.waitstatus_to_exitcode(status)
        elif time.monotonic() > give_up:
            _end_group(pid)
            os.waitpid(pid, 0)
            del running[pid]
            yield job.about, TIMED_OUT


def _fork(job: Job[T]) -> int:
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        status = 70
        with suppress(BaseException):
            status = job.body()
        os._exit(status)
    with suppress(OSError):
        os.setpgid(pid, pid)
    return pid


def _end_group(pid: int) -> None:
    """Kill a process and what it has started."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
