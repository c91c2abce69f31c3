"""
C{klein}: our durable counters request beside a Klein server that does nothing, and beside one transaction a request.

The limit is held against Klein as its C{run()} serves, which is how it comes; without its access log, which wifidogd
does not keep either, is the strict reading, and shown beside it.

The rival with one transaction a request is a server of its own, not our ledger with batches of one: it shares our
pool and nothing else, so none of the ledger's machinery counts against it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks import stored_guests
from benchmarks.klein_server import AS_IT_COMES
from benchmarks.output.table import Limit, Result, Table, alternate, number, ratios, spread
from benchmarks.requests.cost import Measured, measure
from benchmarks.requests.gateways import Rounds
from benchmarks.requests.load import Load, drive
from tests.support.testbed.server_process import ServerProcess, free_port
from tests.support.testbed.testbed import Testbed

GUESTS, GATEWAYS, AT_A_TIME = 2000, 20, 64

OURS, ALONE = "wifidogd, durable", "Klein, one transaction a request"
AS_IT_IS, STRIPPED = "Klein, a constant, by its run()", "Klein, a constant, no access log"

WARM_UP = 1.0
"""Seconds of the load that each server gets before it counts."""

MOST_TO_CONSTANT = 1.4
MOST_TO_ALONE = 0.5


@dataclass(frozen=True, slots=True)
class Length:
    """How many rounds are measured, and how many seconds each side gets in a round."""

    rounds: int
    seconds: float


FULL, QUICK = Length(7, 4.0), Length(3, 1.5)


def run(testbed: Testbed, quick: bool) -> Result:
    """Measure all in turns."""
    length = QUICK if quick else FULL
    servers = start(testbed)
    counters = Rounds(GUESTS, GATEWAYS)
    for server in servers.values():
        drive(Load(server.port, counters.next(), WARM_UP, at_a_time=AT_A_TIME))
    sides = {name: partial(once, testbed, server, counters, length.seconds) for name, server in servers.items()}
    found = alternate(length.rounds, sides)
    for server in servers.values():
        server.end()
    return report(found)


def start(testbed: Testbed) -> dict[str, ServerProcess]:
    """Start one server of each kind, on databases with the same guests."""
    dsn, other = testbed.postgres.create_database(), testbed.postgres.create_database()
    servers = {OURS: testbed.wifidogd(dsn)}
    testbed.wifidogd(other).end()
    for each in (dsn, other):
        stored_guests.adopt(each, GATEWAYS)
        stored_guests.admit(each, GUESTS, GATEWAYS)
        stored_guests.settle(each)
    servers[AS_IT_IS] = klein_server(testbed, AS_IT_COMES)
    servers[STRIPPED] = klein_server(testbed)
    servers[ALONE] = klein_server(testbed, other)
    return servers


def klein_server(testbed: Testbed, *what: str) -> ServerProcess:
    """Start a L{benchmarks.klein_server}."""
    port = free_port()
    return testbed.serve([sys.executable, "-m", "benchmarks.klein_server", str(port), *what], port=port)


def once(testbed: Testbed, server: ServerProcess, counters: Rounds, seconds: float) -> Measured:
    """
    Let a load run on one of them.

    @raise RuntimeError: if it answered anything but C{Auth: 1}.
    """
    measured = measure(testbed, server, Load(server.port, counters.next(), seconds, at_a_time=AT_A_TIME))
    if measured.heard.other_than("Auth: 1"):
        raise RuntimeError(f"not all were let stay: {measured.heard.outcomes}\n{server.log.read_text()[-2000:]}")
    return measured


def report(found: Mapping[str, Sequence[Measured]]) -> Result:
    """Put it in a table."""
    cpu = {name: [each.server_micros for each in measured] for name, measured in found.items()}
    to_constant, to_alone = ratios(cpu[OURS], cpu[AS_IT_IS]), ratios(cpu[OURS], cpu[ALONE])
    rows = [
        [
            name,
            str(spread(cpu[name])),
            str(spread([each.postgres_micros for each in measured])),
            number(spread([each.heard.rate for each in measured]).median),
            number(spread([each.heard.latency(0.99) for each in measured]).median * 1000),
            number(spread([each.load_micros for each in measured]).median),
            "1" if name == OURS else str(ratios(cpu[OURS], cpu[name])),
        ]
        for name, measured in found.items()
    ]
    title = f"CPU for a request: median (least-most) of {len(cpu[OURS])} rounds, {AT_A_TIME} connections at a time"
    columns = ("", "server us", "PostgreSQL us", "requests/s", "p99 ms", "load us", "wifidogd to it")
    return Result(
        "klein",
        [Table(title, columns, rows)],
        [
            Limit("CPU of wifidogd to Klein's run() with a constant", to_constant.median, most=MOST_TO_CONSTANT),
            Limit("CPU of wifidogd to one transaction a request", to_alone.median, most=MOST_TO_ALONE),
        ],
        {
            name: {
                "server_micros": cpu[name],
                "postgres_micros": [each.postgres_micros for each in measured],
                "requests_per_second": [each.heard.rate for each in measured],
            }
            for name, measured in found.items()
        },
        [
            "The server's CPU is user and system of its process tree; the load has processes of its own.",
            "Klein's run() keeps an access log, and accepts with a backlog of 50; wifidogd and the others keep none.",
        ],
    )
