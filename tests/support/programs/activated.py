"""
Starts a program as systemd starts a service with a socket:
C{python -m tests.support.programs.activated DESCRIPTOR NAME PROGRAM...}.

The descriptor becomes the third, as sd_listen_fds(3) has it, and the program takes this process over.
"""

from __future__ import annotations

import os
import sys


def main(descriptor: str, name: str, *program: str) -> None:
    """Become the program."""
    os.dup2(int(descriptor), 3)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES=name)
    os.execv(program[0], program)


if __name__ == "__main__":
    main(*sys.argv[1:])
