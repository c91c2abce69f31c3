"""
One of several workers: C{python -m wifidogd.worker}, started by L{wifidogd.workers} and by nobody else.

It is the whole server but for PostgreSQL and for opening ports.  It reads its
orders from standard input, so that no secret is seen in the list of processes,
logs to its parent, and ends when the parent closes that pipe or dies.

Nothing of size is imported before Ctrl-C is ignored: it reaches the whole
process group, and it is the parent who stops us.
"""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Work until told to end; exits with 1 if it cannot start."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    orders = sys.stdin.buffer.readline()
    if not orders.endswith(b"\n"):
        sys.exit("A worker is started by twistd wifidogd --workers N, and has nothing to do without it.")

    from twisted.internet import reactor

    from wifidogd.tap import auth_server, take_charge
    from wifidogd.workers.serve import work

    sys.exit(work(orders, auth_server, reactor, take_charge(reactor)))


def die_with_parent() -> None:
    """Ask the kernel to kill this process with its parent; where it cannot, the end of the pipe must do."""
    from wifidogd.store.embedded.launch import PR_SET_PDEATHSIG, load_libc

    libc = load_libc()
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
