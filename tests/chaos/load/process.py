"""
The process that a load comes from: C{python -m tests.chaos.load.process ORDERS}, which L{tests.chaos.load.load} starts.

It says a line when gateways and guests begin to live, sends everybody home when its standard input ends, and says as
JSON what came of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from twisted.internet import reactor, stdio
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.chaos.load.answer_check import CheckedClient
from tests.chaos.reporting_process import report
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.domain.gateways import Gateway
from wifidogd.simulation.families.apfree import Apfree
from wifidogd.simulation.families.wifidog import Wifidog
from wifidogd.simulation.oracle.comparison import Audit, audit
from wifidogd.simulation.provisioning import NETWORK, adopt_all, open_network, sites
from wifidogd.simulation.run import Simulation
from wifidogd.simulation.transport import wire
from wifidogd.simulation.transport.client import HttpClient, NoAnswer
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.operators.stored_sessions import BEGINNING, Kept, list_open, list_past
from wifidogd.tap.schedule import REFRESH_REGISTRY

INTERVAL = 60.0
"""Simulated seconds between two reports on a guest."""

MOST_SESSIONS = 1_000_000

KNOWN_FOR = 3 * REFRESH_REGISTRY.total_seconds()
"""Seconds for which a port must know the gateways: one of several workers behind it may not have read of them yet."""

KNOWN_WITHIN, BACK_WITHIN = 20.0, 60.0
"""Seconds for the servers to know the gateways, and for the database to be there when the totals are compared."""

LEEWAY = 4.0
"""
Seconds by which the servers take the interval for longer than it is.

They end a session of which they have heard nothing for three, and when everybody has gone home the audit takes a while.
"""

LONGEST = 7200.0
"""Seconds after which everybody goes home unasked."""


@dataclass(frozen=True, slots=True)
class Orders:
    """
    What kind of load it is to be.

    @ivar port: where gateways find the server, on 127.0.0.1.
    @ivar known_by: ports of all servers; nobody begins before each knows the gateways.
    @ivar dsn: the servers' database, for adopting the gateways and for the audit.
    @ivar interval: real seconds between two reports on a guest.
    """

    port: int
    known_by: list[int]
    dsn: str
    gateways: int
    guests: int
    interval: float
    seed: int


class Leash(Protocol):
    """Closes the simulation when standard input ends."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Close."""
        self._simulation.close()


async def run(orders: Orders) -> dict[str, Any]:
    """Run a simulation; return its results, ready for JSON."""
    gateways = sites(orders.gateways, timedelta(seconds=orders.interval + LEEWAY))
    await _adopt(orders.dsn, gateways)
    for port in orders.known_by:
        await _expect_known(wire.Server("127.0.0.1", port, "/wifidog/"), gateways[-1])
    server = wire.Server("127.0.0.1", orders.port, "/wifidog/")
    client = CheckedClient(server, reactor=reactor)  # type: ignore[arg-type]
    simulation = Simulation(
        server,
        gateways,
        orders.guests,
        interval=INTERVAL,
        speed=INTERVAL / orders.interval,
        reactor=reactor,  # type: ignore[arg-type]
        random=Random(orders.seed),
        families=(Wifidog(), Apfree()),
        client=client,
    )
    stdio.StandardIO(Leash(simulation))
    print("begun", flush=True)
    await simulation.run(LONGEST)
    answers = [
        (answer.at, answer.took, answer.kind.value, answer.outcome.value, answer.token) for answer in client.answers
    ]
    return {
        "answers": answers,
        "wrong": simulation.context.statistics.wrong,
        "faults": simulation.context.statistics.faults,
        "audit": _told(audit(simulation.context.history, await _kept(orders.dsn))),
    }


def _told(found: Audit) -> dict[str, Any]:
    return {**asdict(found), "expected": found.expected.total, "stored": found.stored.total}


async def _adopt(dsn: str, gateways: list[Gateway]) -> None:
    database = Database(clock=reactor, size=1)  # type: ignore[arg-type]
    database.start(dsn)
    now = datetime.now(UTC)

    async def adopt(cursor: Cursor) -> None:
        await open_network(cursor)
        await adopt_all(cursor, gateways, now)

    await database.transaction(adopt, deadline=timedelta(seconds=60))
    await database.stop()


async def _expect_known(server: wire.Server, gateway: Gateway) -> None:
    """@raise RuntimeError: if the server does not learn of the gateways in time."""
    client = HttpClient(server.host, server.port, reactor=reactor)  # type: ignore[arg-type]
    page = wire.get(server, Wifidog().login_target(server, gateway, "10.0.0.1", "02:51:4d:00:00:00", ""))
    began = known_since = reactor.seconds()  # type: ignore[attr-defined]
    while (now := reactor.seconds()) - known_since < KNOWN_FOR:  # type: ignore[attr-defined]
        answer, _ = await client.ask(page)
        if isinstance(answer, NoAnswer) or wire.read_status(answer) != 200:
            known_since = now
        if now - began > KNOWN_WITHIN:
            raise RuntimeError(f"the server on port {server.port} does not know the gateways")
        await deferLater(reactor, 0.1)  # type: ignore[arg-type]


async def _kept(dsn: str) -> Iterable[Kept]:
    """Read all sessions; whichever ended while they were read counts as past."""
    database = Database(clock=reactor, size=1)  # type: ignore[arg-type]
    database.start(dsn)

    async def read(cursor: Cursor) -> Iterable[Kept]:
        found = {row.session_id: row for row in await list_open(cursor, NETWORK.name, 0, MOST_SESSIONS)}
        past, _ = await list_past(cursor, NETWORK.name, (BEGINNING, 0), MOST_SESSIONS)
        return (found | {row.session_id: row for row in past}).values()

    give_up = reactor.seconds() + BACK_WITHIN  # type: ignore[attr-defined]
    while True:
        try:
            rows = await database.transaction(read, deadline=timedelta(seconds=60))
            break
        except StoreUnavailable:
            if reactor.seconds() > give_up:  # type: ignore[attr-defined]
                raise
            await deferLater(reactor, 0.5)  # type: ignore[arg-type]
    await database.stop()
    return rows


if __name__ == "__main__":
    sys.exit(report(run(Orders(**json.loads(sys.argv[1])))))
