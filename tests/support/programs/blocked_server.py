"""
A server whose reactor can be blocked: C{python -m tests.support.programs.blocked_server LIMIT}.

It prints "watched" once its watchdog is about; then each line of input is a number of seconds, for which the reactor
is blocked.  A watchdog that waits C{LIMIT} seconds ends it.
"""

from __future__ import annotations

import sys
import time

from twisted.internet import reactor, stdio
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.protocols.basic import LineReceiver

from wifidogd.runtime.watchdog import Watchdog


class Blocker(LineReceiver):
    """Does what no code of ours may."""

    delimiter = b"\n"

    def lineReceived(self, line: bytes) -> None:
        block_the_reactor(float(line))
        self.sendLine(b"turned")


def block_the_reactor(seconds: float) -> None:
    """Sleep where nobody may."""
    time.sleep(seconds)


def main(limit: str) -> None:
    """Run until stopped."""
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    Watchdog(reactor, limit=float(limit)).start()  # type: ignore[arg-type]
    blocker = Blocker()
    stdio.StandardIO(blocker)
    reactor.callWhenRunning(blocker.sendLine, b"watched")  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(*sys.argv[1:])
