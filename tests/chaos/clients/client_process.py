"""
Clients of one kind, in a process of their own.

C{python -m tests.chaos.clients.client_process NAME PORT SECONDS COUNT}
"""

from __future__ import annotations

import json
import select
import sys
import time
from dataclasses import asdict, replace

from benchmarks.loads.bad_clients import Kind
from benchmarks.loads.client_process import ClientProcess
from benchmarks.loads.crowd import Crowd
from tests.chaos.clients.bad_clients import BAD_CLIENTS, BadClient


class Swarm(Crowd):
    """A crowd that goes on talking, and to which others come, so many a second, for those that are sent away."""

    def __init__(self, port: int, bad_client: BadClient) -> None:
        super().__init__(port, Kind(bad_client.says, bad_client.reads, bad_client.buffer), bad_client.count)
        self._bad_client = bad_client
        self._come_at = 0.0

    def be_there(self, seconds: float) -> None:
        """Keep the clients connected for a while."""
        leave_at = time.monotonic() + seconds
        while (left := leave_at - time.monotonic()) > 0:
            self.stay(min(left, self._bad_client.pause))
            self._replace()
            self._urge()

    def _urge(self) -> None:
        """Send the next piece of each client that has sent its last one."""
        reading = select.EPOLLIN if self._bad_client.reads else 0
        for client in self._clients.values():
            if client.connected and self._bad_client.goes_on and not client.unsaid:
                client.unsaid = self._bad_client.goes_on
                self._epoll.modify(client.line, reading | select.EPOLLOUT)

    def _replace(self) -> None:
        """Connect new clients in place of those that were disconnected."""
        gone = self._bad_client.count - len(self._clients) - self._missing
        now = time.monotonic()
        may_come = int((now - self._come_at) * self._bad_client.rate)
        if gone and may_come:
            self._missing += min(gone, may_come)
            self._come_at = now


class Away(ClientProcess):
    """A swarm in a process of its own, which has begun."""

    def __init__(self, name: str, port: int, seconds: float, count: int) -> None:
        """
        @param name: of L{BAD_CLIENTS}.
        @param count: clients at a time.
        """
        super().__init__("tests.chaos.clients.client_process", name, str(port), str(seconds), str(count))


def main(name: str, port: str, seconds: str, count: str) -> None:
    """Run the clients, and print what became of them."""
    swarm = Swarm(int(port), replace(BAD_CLIENTS[name], count=int(count)))
    try:
        swarm.be_there(float(seconds))
    finally:
        swarm.leave()
    print(json.dumps(asdict(swarm.visits)))


if __name__ == "__main__":
    main(*sys.argv[1:])
