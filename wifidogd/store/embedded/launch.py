"""
The last step before PostgreSQL: run as a script, it gives up root and ties PostgreSQL's life to wifidogd's.

C{python -I -S launch.py [--guard] PARENT UID GID DIRECTORY PROGRAM [ARGUMENT ...]}

It leaves the terminal's session, so that Ctrl-C reaches wifidogd only, becomes UID and GID if it is root, enters
DIRECTORY and becomes PROGRAM.  When PARENT dies, by kill -9 even, PROGRAM is told to shut down fast: on Linux by the
kernel; elsewhere, and with --guard, by this process, which stays in between and watches its standard input: the other
end of that pipe is PARENT's and nobody else's.

Everything is imported before root is given up: the interpreter may be in a directory that only root can read.
"""

import os
import select
import signal
import sys
import time
from typing import Any

PR_SET_PDEATHSIG = 1
"""C{prctl(2)}: the signal that this process gets when the thread that forked it ends."""

FAST = signal.SIGINT
"""PostgreSQL's fast shutdown, and what stops initdb."""

PATIENCE = 5.0
"""Seconds between two attempts to stop PROGRAM, each rougher than the last."""

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)


def main(arguments: list[str]) -> None:
    """Become PROGRAM, or its guardian; never returns normally."""
    guarded = arguments[0] == "--guard"
    parent, uid, gid, directory, *command = arguments[guarded:]
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    libc = load_libc()
    os.setsid()
    give_up_root(int(uid), int(gid))
    os.umask(0o077)
    os.chdir(directory)
    if not guarded and die_with_parent(int(parent), libc):
        os.execv(command[0], command)  # noqa: S606 - the whole purpose
    guard(command)


def give_up_root(uid: int, gid: int) -> None:
    """Become an unprivileged user for good; nothing happens when there is nothing to give up."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def load_libc() -> Any:
    """Open Linux's C library; None elsewhere, and in a Python that was built without libffi."""
    if sys.platform != "linux":
        return None
    try:
        import ctypes
    except ImportError:
        return None
    return ctypes.CDLL(None)


def die_with_parent(parent: int, libc: Any) -> bool:
    """
    Ask the kernel to stop this process when its parent ends; it stays asked over C{execv}, not over C{setuid}.

    @return: False where the kernel cannot.
    """
    if libc is None or libc.prctl(PR_SET_PDEATHSIG, FAST) != 0:
        return False
    if os.getppid() != parent:  # it ended before we asked
        sys.exit("wifidogd is gone")
    return True


def guard(command: list[str]) -> None:
    """Run C{command} as a child, pass signals on to it, stop it when standard input ends, and exit as it did."""
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execv(command[0], command)  # noqa: S606
    for number in FORWARDED:
        signal.signal(number, lambda received, _: os.kill(child, received))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    while 0 not in wait_for([0, woken], woken):
        exit_like(child)
    for number in (FAST, signal.SIGQUIT, signal.SIGKILL):
        os.kill(child, number)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            exit_like(child)
            wait_for([woken], woken, until - time.monotonic())


def wait_for(watched: list[int], woken: int, seconds: float | None = None) -> list[int]:
    """
    Sleep until one of C{watched} can be read, or time is over.

    @param woken: the pipe that tells of signals; it is emptied.
    @return: those that can be read.
    """
    readable, _, _ = select.select(watched, [], [], seconds if seconds is None else max(0.0, seconds))
    if woken in readable:
        os.read(woken, 512)
    return readable


def exit_like(child: int) -> None:
    """End as C{child} has ended; returns while it runs."""
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        code = os.waitstatus_to_exitcode(status)
        sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as problem:
        sys.exit(f"cannot run PostgreSQL as another user, or at all: {problem}")
