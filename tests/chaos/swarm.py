"""Clients of one kind, in a process of their own: C{python -m tests.chaos.swarm NAME PORT SECONDS COUNT}."""

from __future__ import annotations

import json
import select
import sys
import time
from dataclasses import asdict, replace

from benchmarks.loads.burden import Apart
from benchmarks.loads.crowd import Crowd
from benchmarks.loads.kinds import Kind
from tests.chaos.nuisances import NUISANCES, Nuisance


class Swarm(Crowd):
    """A crowd that goes on talking, and to which others come, so many a second, for those that are sent away."""

    def __init__(self, port: int, nuisance: Nuisance) -> None:
        super().__init__(port, Kind(nuisance.says, nuisance.reads, nuisance.buffer), nuisance.count)
        self._nuisance = nuisance
        self._come_at = 0.0

    def be_there(self, seconds: float) -> None:
        """Be there for a while."""
        leave_at = time.monotonic() + seconds
        while (left := leave_at - time.monotonic()) > 0:
            self.stay(min(left, self._nuisance.pause))
            self._replace()
            self._urge()

    def _urge(self) -> None:
        """Let everybody go on who has said what they had to say."""
        reading = select.EPOLLIN if self._nuisance.reads else 0
        for client in self._clients.values():
            if client.connected and self._nuisance.goes_on and not client.unsaid:
                client.unsaid = self._nuisance.goes_on
                self._epoll.modify(client.line, reading | select.EPOLLOUT)

    def _replace(self) -> None:
        """Let others come for those who were sent away."""
        gone = self._nuisance.count - len(self._clients) - self._missing
        now = time.monotonic()
        may_come = int((now - self._come_at) * self._nuisance.rate)
        if gone and may_come:
            self._missing += min(gone, may_come)
            self._come_at = now


class Away(Apart):
    """A swarm in a process of its own, which has begun."""

    def __init__(self, name: str, port: int, seconds: float, count: int) -> None:
        """
        @param name: of L{NUISANCES}.
        @param count: clients at a time.
        """
        super().__init__("tests.chaos.swarm", name, str(port), str(seconds), str(count))


def main(name: str, port: str, seconds: str, count: str) -> None:
    """Be a swarm, and say what became of it."""
    swarm = Swarm(int(port), replace(NUISANCES[name], count=int(count)))
    try:
        swarm.be_there(float(seconds))
    finally:
        swarm.leave()
    print(json.dumps(asdict(swarm.visits)))


if __name__ == "__main__":
    main(*sys.argv[1:])
