"""
A server that resembles PostgreSQL: it lets clients log in, then hangs up.

C{python -m tests.chaos.faults.postgres_impostor SOCKET} prints a line when it listens, and runs until SIGTERM.
"""

from __future__ import annotations

import os
import sys

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXServerEndpoint

from tests.support.peers import LogsInAndDrops, Peer


def main(socket: str) -> None:
    """Listen, and remove the socket in the end."""

    def ready(_: object) -> None:
        os.chmod(socket, 0o777)
        print("ready", flush=True)

    UNIXServerEndpoint(reactor, socket).listen(Peer(LogsInAndDrops)).addCallback(ready)  # type: ignore[arg-type]
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(sys.argv[1])
