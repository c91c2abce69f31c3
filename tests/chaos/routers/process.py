"""
The process that routers live in: C{python -m tests.chaos.routers.process ORDERS}, for L{tests.chaos.routers.routers}.

It says a line when all routers that may be are connected.  C{deaf N} on standard input has the first N stop reading;
when that ends, each router sends a last list, and what has come of all of them is written as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import md5

from twisted.internet import reactor, stdio
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import connectionDone
from twisted.internet.task import deferLater
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from tests.chaos.reporting_process import report
from tests.chaos.routers.router import Guest, Router
from wifidogd.simulation.transport.client import HttpClient

LASTS = 5
"""Last lists that a router sends until one is answered; the server may be busy."""


@dataclass(frozen=True, slots=True)
class Orders:
    """
    What routers there are to be.

    @ivar ports: of the servers, on 127.0.0.1; the routers are dealt out to them in turn.
    @ivar guests: of each router.
    @ivar misled: how many more ask for a WebSocket where there is none, and have no guests.
    @ivar interval: seconds between two lists.
    """

    ports: Sequence[int]
    routers: int
    guests: int
    misled: int
    interval: float


def gw_id_of(number: int) -> str:
    """Return the name of a router's gateway."""
    return f"gw-{number}"


def guest_of(orders: Orders, number: int, place: int) -> Guest:
    """Return a guest of a router, who is at that place of its list."""
    count = number * orders.guests + place
    ip = f"10.{count >> 16}.{count >> 8 & 255}.{count & 255}"
    mac = f"02:57:53:{count >> 16:02x}:{count >> 8 & 255:02x}:{count & 255:02x}"
    token = md5(str(count).encode(), usedforsecurity=False).hexdigest()
    return Guest(ip, mac, token, place + 1)


class Leash(LineReceiver):
    """Does what standard input says, and ends with it."""

    delimiter = b"\n"

    def __init__(self, routers: Sequence[Router], over: Deferred[None]) -> None:
        self._routers = routers
        self._over = over

    def lineReceived(self, line: bytes) -> None:
        """Have some routers stop reading."""
        for router in self._routers[: int(line.split()[1])]:
            router.stop_reading()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End."""
        self._over.callback(None)


async def run(orders: Orders) -> list[dict]:
    """Let routers live; return what has come of each."""
    clients = [HttpClient("127.0.0.1", port, reactor=reactor) for port in orders.ports]  # type: ignore[arg-type]
    routers = []
    for number in range(orders.routers + orders.misled):
        is_misled, which = number >= orders.routers, number % len(orders.ports)
        guests = [] if is_misled else [guest_of(orders, number, place) for place in range(orders.guests)]
        path = "/ws/other" if is_misled else "/ws/wifidogx"
        routers.append(Router(gw_id_of(number), orders.ports[which], guests, clients[which], path))
    over: Deferred[None] = Deferred()
    stdio.StandardIO(Leash(routers, over))
    for router in routers:
        router.start(orders.interval)
        await deferLater(reactor, orders.interval / len(routers))  # type: ignore[arg-type]
    while not all(router.course.opened for router in routers[: orders.routers]):
        await deferLater(reactor, 0.1)  # type: ignore[arg-type]
    print("begun", flush=True)
    await over
    for router in routers:
        router.stop()
    await gatherResults([Deferred.fromCoroutine(_report_last(router)) for router in routers if router.guests])
    return [
        {"gw_id": router.gw_id, "course": asdict(router.course), "guests": [asdict(guest) for guest in router.guests]}
        for router in routers
    ]


async def _report_last(router: Router) -> None:
    """Send lists until one is answered, so that what is stored of those who are online can only be one sum."""
    for _ in range(LASTS):
        before = router.course.unanswered
        await router.report()
        if router.course.unanswered == before:
            return
        await deferLater(reactor, 1.0)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(report(run(Orders(**json.loads(sys.argv[1])))))
