"""
C{idle}: what open sessions, and connected routers, cost while nobody asks for anything: the server's timers, and
PostgreSQL's; and how much memory a router takes that keeps a WebSocket open.

Sessions that nobody ended are looked for several times a minute, so many more guests than the limit is about are
watched as well.
"""

from __future__ import annotations

import time

from benchmarks import stored_guests
from benchmarks.output.table import Limit, Result, Table, number
from benchmarks.requests.routers import beating, connected, expect_open
from tests.support.testbed.process_cost import Meter, Spent, resident_octets
from tests.support.testbed.testbed import Testbed

GUESTS, MANY_GUESTS, QUICK_MANY_GUESTS = 10_000, 1_000_000, 50_000

GUESTS_OF_A_GATEWAY = 50

QUIET_AFTER = 5.0
"""Seconds for the start to be over."""

MOST = 0.5
"""Percent of a core, server and PostgreSQL together."""

ROUTERS, QUICK_ROUTERS = 10_000, 500

MOST_OCTETS = 20_000
"""Of memory for each router."""

MOST_OF_ROUTERS = 1.0
"""Percent of a core that routers cost which say nothing."""

SERVER, POSTGRES = "server", "postgres"


def run(testbed: Testbed, quick: bool) -> Result:
    """Watch PostgreSQL alone, then with few guests, then with many."""
    seconds = 5.0 if quick else 60.0
    many = QUICK_MANY_GUESTS if quick else MANY_GUESTS
    alone = watch(seconds / 3, **{POSTGRES: testbed.postgres.pid})
    result = report(alone, {guests: with_guests(testbed, guests, seconds) for guests in (GUESTS, many)})
    return add_routers(result, testbed, QUICK_ROUTERS if quick else ROUTERS, seconds / 2)


def with_guests(testbed: Testbed, guests: int, seconds: float) -> Spent:
    """Watch a server with so many open sessions."""
    dsn = testbed.postgres.create_database()
    testbed.wifidogd(dsn).end()
    gateways = guests // GUESTS_OF_A_GATEWAY
    stored_guests.adopt(dsn, gateways)
    stored_guests.admit(dsn, guests, gateways)
    stored_guests.settle(dsn)
    server = testbed.wifidogd(dsn)
    spent = watch(seconds, **{SERVER: server.pid, POSTGRES: testbed.postgres.pid})
    server.end()
    testbed.postgres.drop_database(dsn)
    return spent


def watch(seconds: float, **pids: int) -> Spent:
    """Count for a while, once it is quiet."""
    time.sleep(QUIET_AFTER)
    meter = Meter(**pids)
    time.sleep(seconds)
    return meter.spent()


def report(alone: Spent, found: dict[int, Spent]) -> Result:
    """Put it in a table."""
    rows = [["no server", "", "", *cells(alone, POSTGRES)]]
    rows += [[number(guests), *cells(spent, SERVER), *cells(spent, POSTGRES)] for guests, spent in found.items()]
    columns = ("open sessions", "wifidogd: % of a core", "wake-ups/s", "PostgreSQL: % of a core", "wake-ups/s")
    title = f"No requests, {found[GUESTS].seconds:.0f} s"
    total = (found[GUESTS].share(SERVER) + found[GUESTS].share(POSTGRES)) * 100
    figures = {
        str(guests): {
            name: {"share_of_a_core": spent.share(name), "wakeups_per_second": spent.woken[name] / spent.seconds}
            for name in spent.cpu
        }
        for guests, spent in {0: alone, **found}.items()
    }
    limit = Limit(f"% of a core with {GUESTS:,} sessions, wifidogd and PostgreSQL together", total, most=MOST)
    return Result("idle", [Table(title, columns, rows)], [limit], figures)


def cells(spent: Spent, name: str) -> list[str]:
    """Write the figures of one tree of processes."""
    return [number(spent.share(name) * 100), number(spent.woken[name] / spent.seconds)]


def add_routers(result: Result, testbed: Testbed, routers: int, seconds: float) -> Result:
    """Watch a server without routers, then with many that are silent, then with their heartbeats."""
    dsn = testbed.postgres.create_database()
    testbed.wifidogd(dsn).end()
    stored_guests.adopt(dsn, routers)
    server = testbed.wifidogd(dsn)
    pids = {SERVER: server.pid, POSTGRES: testbed.postgres.pid}
    idle, before = share(watch(seconds, **pids)), resident_octets(server.pid)
    with connected(server.port, routers) as sockets:
        silent, octets = share(watch(seconds, **pids)), (resident_octets(server.pid) - before) / routers
        with beating(sockets, seconds + QUIET_AFTER):
            busy = share(watch(seconds, **pids))
        expect_open(sockets)
    server.end()
    testbed.postgres.drop_database(dsn)
    columns = ("routers connected", "kB of memory for each", "wifidogd and PostgreSQL: % of a core")
    rows = [
        ["0", "", number(idle)],
        [number(routers), number(octets / 1000), number(silent)],
        [f"{number(routers)}, a heartbeat a minute", "", number(busy)],
    ]
    limits = [
        Limit("octets of memory for a router", octets, most=MOST_OCTETS),
        Limit("% of a core that silent routers cost", silent - idle, most=MOST_OF_ROUTERS),
    ]
    found = {"count": routers, "octets_each": octets, "share_idle": idle, "share_silent": silent, "share_busy": busy}
    tables = [*result.tables, Table("Routers with a WebSocket", columns, rows)]
    return Result(result.name, tables, [*result.limits, *limits], {**result.figures, "routers": found})


def share(spent: Spent) -> float:
    """Return the percent of a core that server and PostgreSQL took together."""
    return (spent.share(SERVER) + spent.share(POSTGRES)) * 100
