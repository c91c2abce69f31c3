"""
One of several workers: C{python -m wifidogd.worker}, started by L{wifidogd.workers} and by nobody else.

A worker is the whole server except for PostgreSQL and opening ports.  It reads
its orders from standard input, so that no secret is in the list of processes,
logs to its parent, and ends when the parent closes that pipe or dies.

Nothing of size is imported before Ctrl-C is ignored: it reaches the whole
process group, and it is the parent who stops the workers.
"""

from __future__ import annotations

import signal
import sys

from wifidogd.runtime.parent_death import die_with_parent


def main() -> None:
    """Work until told to end; exits with status 1 if it cannot start."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(signal.SIGKILL)  # where the kernel cannot, the end of the pipe must do
    orders = sys.stdin.buffer.readline()
    if not orders.endswith(b"\n"):
        sys.exit("wifidogd.worker cannot be run by hand; start twistd wifidogd --workers N instead.")

    from twisted.internet import reactor

    from wifidogd.runtime.process import take_charge
    from wifidogd.tap import auth_server
    from wifidogd.workers.serve import work

    sys.exit(work(orders, auth_server, reactor, take_charge(reactor)))


if __name__ == "__main__":
    main()
