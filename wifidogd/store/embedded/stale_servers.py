"""
What an earlier server left behind: PostgreSQL processes that still use a directory, and lock files of dead ones.

Whoever looks for them holds the L{DirectoryLock<wifidogd.store.embedded.lock.DirectoryLock>}, so they are nobody's.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from twisted.internet.task import deferLater
from twisted.logger import Logger

from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.embedded.ownership import fingerprint
from wifidogd.store.embedded.threads import Reactor, in_thread

log = Logger()

ESCALATION = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 2.0))
"""What PostgreSQL is told, and for how many seconds each is waited for; SIGINT is for the server alone."""

GLANCE = 0.05
"""Seconds between two looks whether they have gone."""

PROGRAMS = frozenset({"postgres", "postmaster", "initdb"})
PROC = Path("/proc")


def processes_on(directory: Path) -> list[int]:
    """
    Return the process ids of the PostgreSQL programs that use C{directory}, children included.

    A process id in a file proves nothing, since the kernel gives ids out
    again; a program that works on the directory stands in it.  Blocks for
    some milliseconds: call it in a thread.
    """
    return list(seen_by_proc(directory) if (PROC / "self" / "cwd").exists() else seen_by_ps(directory))


def seen_by_proc(directory: Path) -> Iterator[int]:
    """Linux: compare identities, because the same directory can have several names."""
    try:
        wanted = directory.stat()
    except FileNotFoundError:
        return
    for entry in PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            name = (entry / "comm").read_text(errors="replace").strip()
            if name in PROGRAMS and os.path.samestat((entry / "cwd").stat(), wanted):
                yield int(entry.name)
        except OSError:  # it ended meanwhile, or is somebody else's
            continue


def seen_by_ps(directory: Path) -> Iterator[int]:
    """Elsewhere: the server names the directory after -D, its children show their L{title}."""
    listing = subprocess.run(
        ["ps", "-axww", "-o", "pid=", "-o", "command="],  # noqa: S607 - its place differs
        capture_output=True, check=True, text=True, errors="replace", timeout=10,
    )  # fmt: skip
    marks = (f" -D {directory} ", f"postgres: {title(directory)}: ")
    for line in listing.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        program = os.path.basename(command.split(" ", 1)[0]).rstrip(":")
        if program in PROGRAMS and any(mark in f"{command} " for mark in marks):
            yield int(pid)


def title(directory: Path) -> str:
    """Name a cluster for C{cluster_name}, which its processes show; at most 63 bytes of printable ASCII."""
    return f"wifidogd-{fingerprint(directory)}"


def server_pid(cluster: Path) -> int | None:
    """Read the process id of the server from C{postmaster.pid}; it proves nothing.  None if there is none."""
    try:
        return abs(int((cluster / "postmaster.pid").read_text().split("\n", 1)[0]))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to each process that still exists."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


async def evict(directory: Path, reactor: Reactor) -> None:
    """
    Stop every PostgreSQL program that uses C{directory}, gently if there is a server to ask.

    @raise ConfigurationError: if one does not even go when killed.
    """
    found = await in_thread(reactor, processes_on, directory)
    server = server_pid(directory)
    steps = ESCALATION if server in found else ESCALATION[1:]
    for number, patience in steps:
        if not found:
            return
        log.warn(
            "PostgreSQL still works on {directory} (processes {pids}): sending {signal}",
            directory=str(directory), pids=found, signal=number.name,
        )  # fmt: skip
        # The server stops its own processes in order.  A backend takes SIGINT for "cancel your query", and PostgreSQL
        # 18's checkpointer for "write the last checkpoint now": while others still write, which ends as a crash does.
        signal_all([pid for pid in found if pid == server or number != signal.SIGINT], number)
        until = reactor.seconds() + patience
        while found and reactor.seconds() < until:
            await deferLater(reactor, GLANCE)
            found = await in_thread(reactor, processes_on, directory)
    if found:
        raise ConfigurationError(
            f"PostgreSQL processes {', '.join(map(str, found))} work on {directory} and cannot be stopped:"
            " stop them, or choose another --data-dir."
        )


def remove_lock_files(*paths: Path) -> None:
    """Remove the lock files of dead servers, which PostgreSQL would think alive once their process ids are reused."""
    for path in paths:
        path.unlink(missing_ok=True)
