"""C{lists}: what a client costs in apfree-wifidog's list of fifty, beside a report of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count

from benchmarks import stored_guests
from benchmarks.output.table import Limit, Result, Table, alternate, number, ratios, spread
from benchmarks.requests.client_lists import ClientLists
from benchmarks.requests.cost import Measured, measure
from benchmarks.requests.gateways import Counters
from benchmarks.requests.load import Load
from tests.support.testbed.server_process import ServerProcess
from tests.support.testbed.testbed import Testbed

GATEWAYS, OF_A_GATEWAY = 20, 50

LISTS, REPORTS = "in a list of fifty", "a report of its own"

AT_A_TIME = {LISTS: 4, REPORTS: 64}
"""Requests under way: several lists, or more reports than one batch takes."""

CLIENTS = {LISTS: OF_A_GATEWAY, REPORTS: 1}
"""In a request."""

EXPECTED = {LISTS: "200", REPORTS: "Auth: 1"}

FULL, QUICK = (7, 4.0), (3, 1.5)
"""How many rounds are measured, and how many seconds each side gets in a round."""

MOST = 0.7
"""Part of the CPU of a report of its own, server and PostgreSQL together."""


def run(testbed: Testbed, quick: bool) -> Result:
    """Measure both in turns, on servers of their own with the same guests."""
    rounds, seconds = QUICK if quick else FULL
    servers, firsts = {name: _start(testbed) for name in CLIENTS}, count(1, 100_000)
    sides = {name: partial(_once, testbed, server, name, firsts, seconds) for name, server in servers.items()}
    found = alternate(rounds, sides)
    for server in servers.values():
        server.end()
    return report(found)


def _start(testbed: Testbed) -> ServerProcess:
    dsn = testbed.postgres.create_database()
    testbed.wifidogd(dsn).end()
    stored_guests.adopt(dsn, GATEWAYS)
    stored_guests.admit(dsn, GATEWAYS * OF_A_GATEWAY, GATEWAYS)
    stored_guests.settle(dsn)
    return testbed.wifidogd(dsn)


def _once(testbed: Testbed, server: ServerProcess, name: str, firsts: Iterator[int], seconds: float) -> Measured:
    """
    Let one kind of load run.

    @param firsts: numbers of rounds, so that totals grow from each load to the next.
    @raise RuntimeError: if it was answered anything but what keeps every guest.
    """
    kind = ClientLists if name == LISTS else Counters
    load = Load(server.port, kind(GATEWAYS * OF_A_GATEWAY, GATEWAYS, next(firsts)), seconds, at_a_time=AT_A_TIME[name])
    found = measure(testbed, server, load)
    if found.heard.other_than(EXPECTED[name]):
        raise RuntimeError(f"{name}: {dict(found.heard.outcomes)}")
    return found


def report(found: Mapping[str, Sequence[Measured]]) -> Result:
    """Put it in a table."""
    micros = {
        name: [(each.server_micros + each.postgres_micros) / CLIENTS[name] for each in runs]
        for name, runs in found.items()
    }
    rows = [
        [
            name,
            str(spread([each.server_micros / CLIENTS[name] for each in runs])),
            str(spread([each.postgres_micros / CLIENTS[name] for each in runs])),
            str(spread([each.heard.rate * CLIENTS[name] for each in runs])),
            number(max(each.heard.latency(0.99) for each in runs) * 1000),
        ]
        for name, runs in found.items()
    ]
    columns = ("a client", "wifidogd, µs", "PostgreSQL, µs", "clients a second", "99 % within, ms")
    ratio = ratios(micros[LISTS], micros[REPORTS])
    limit = Limit("CPU of a client in a list of fifty, to a report of its own", ratio.median, most=MOST)
    return Result("lists", [Table("Counters of apfree-wifidog", columns, rows)], [limit], {"micros": micros})
