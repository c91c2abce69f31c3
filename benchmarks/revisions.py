"""
C{revisions}: this checkout beside another one, C{make bench BENCH=revisions BESIDE=../other}.

Both servers run at the same time on databases of one PostgreSQL and answer the same loads in turns, so that whatever
else the machine does weighs on both.  The other checkout needs a C{.venv} of its own, as C{make} makes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import stored_guests
from benchmarks.output.table import Limit, Result, Table, alternate, number, ratios, spread
from benchmarks.requests.cost import Measured, measure
from benchmarks.requests.gateways import LoginPages, Rounds
from benchmarks.requests.load import Load, drive
from tests.support.testbed.server_process import ServerProcess, free_port, is_healthy
from tests.support.testbed.testbed import Testbed

GUESTS, GATEWAYS = 2_000, 20

OURS, THEIRS = "this", "the other"

COUNTERS, COUNTERS_ALONE = "counters, 64 at a time", "counters, one at a time"
COUNTERS_OF_GUESTS = "counters, 500 a second as of 30,000 guests"
LOGIN_PAGE = "login page, 16 at a time"

PACE: dict[str, dict[str, Any]] = {
    COUNTERS: {"at_a_time": 64},
    COUNTERS_ALONE: {"at_a_time": 1},
    COUNTERS_OF_GUESTS: {"rate": 500},
    LOGIN_PAGE: {"at_a_time": 16},
}
GOOD = {COUNTERS: "Auth: 1", COUNTERS_ALONE: "Auth: 1", COUNTERS_OF_GUESTS: "Auth: 1", LOGIN_PAGE: "200"}

MOST = 1.1
"""A change costs nothing as long as a request takes at most this much of what it took before; noise is as large."""


def run(testbed: Testbed, quick: bool) -> Result:
    """Measure each kind of request on both servers in turns."""
    rounds, seconds = (3, 1.5) if quick else (9, 3.0)
    servers = {OURS: start(testbed, None), THEIRS: start(testbed, Path(os.environ["BESIDE"]).resolve())}
    reports = Rounds(GUESTS, GATEWAYS)

    def sides(kind: str) -> dict[str, Callable[[], Measured]]:
        return {name: partial(once, testbed, server, kind, reports, seconds) for name, server in servers.items()}

    for kind in GOOD:
        alternate(1, sides(kind))
    found = {kind: alternate(rounds, sides(kind)) for kind in GOOD}
    for server in servers.values():
        server.end()
    return report(found)


def start(testbed: Testbed, checkout: Path | None) -> ServerProcess:
    """Start the server of a checkout, None for this one, on a database with the same guests as the other's."""
    dsn = testbed.postgres.create_database()
    server = testbed.wifidogd(dsn) if checkout is None else start_other(testbed, dsn, checkout)
    stored_guests.adopt(dsn, GATEWAYS)
    stored_guests.admit(dsn, GUESTS, GATEWAYS)
    stored_guests.settle(dsn)
    drive(Load(server.port, LoginPages(GATEWAYS), 1.0, at_a_time=4))
    return server


def start_other(testbed: Testbed, dsn: str, checkout: Path) -> ServerProcess:
    """Start the server of another checkout with its own Python."""
    port = free_port()
    listen = ["--listen", f"tcp:{port}:interface=127.0.0.1", "--database", dsn]
    programs = checkout / ".venv" / "bin"
    command = [str(programs / "python"), str(programs / "twistd"), "--nodaemon", "--pidfile=", "wifidogd", *listen]
    return testbed.serve(command, port=port, is_ready=is_healthy, environment={"PYTHONPATH": str(checkout)})


def once(testbed: Testbed, server: ServerProcess, kind: str, reports: Rounds, seconds: float) -> Measured:
    """
    Run one load on one server.

    @raise RuntimeError: if it gave any other answer than the right one.
    """
    # Whoever is online already gets another page.
    requests = LoginPages(GATEWAYS, first=GUESTS) if kind == LOGIN_PAGE else reports.next()
    measured = measure(testbed, server, Load(server.port, requests, seconds, **PACE[kind]))
    if measured.heard.other_than(GOOD[kind]):
        raise RuntimeError(f"{kind}: {measured.heard.outcomes}\n{server.log.read_text()[-2000:]}")
    return measured


def report(found: Mapping[str, Mapping[str, Sequence[Measured]]]) -> Result:
    """Return the table: each row compares this checkout with the other."""
    rows, limits = [], []
    for kind, by_name in found.items():
        ours, theirs = by_name[OURS], by_name[THEIRS]
        server = ratios([each.server_micros for each in ours], [each.server_micros for each in theirs])
        postgres = ratios([each.postgres_micros for each in ours], [each.postgres_micros for each in theirs])
        rows.append(
            [
                kind,
                *(number(spread([each.server_micros for each in side]).median) for side in (ours, theirs)),
                str(server),
                *(number(spread([each.postgres_micros for each in side]).median) for side in (ours, theirs)),
                str(postgres),
                *(number(spread([each.heard.latency(0.99) for each in side]).median * 1000) for side in (ours, theirs)),
            ]
        )
        limits.append(Limit(f"{kind}: CPU of the server, this to the other", server.median, most=MOST))
    columns = ("request", "server us", "the other's", "ratio", "PostgreSQL us", "the other's", "ratio", "p99", "other")
    title = "CPU for a request, this checkout and the other: median (least-most)"
    figures = {
        kind: {name: [each.server_micros for each in side] for name, side in by_name.items()}
        for kind, by_name in found.items()
    }
    return Result("revisions", [Table(title, columns, rows)], limits, figures, [])
