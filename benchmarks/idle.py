"""C{idle}: what 10,000 guests cost while nobody asks for anything: the server's timers, and PostgreSQL's."""

from __future__ import annotations

import time

from benchmarks import scene
from benchmarks.cost import Meter, Spent
from benchmarks.house import House
from benchmarks.table import Limit, Result, Table, number

GUESTS, GATEWAYS = 10_000, 200

QUIET_AFTER = 5.0
"""Seconds for the start to be over."""

MOST = 0.5
"""Percent of a core, server and PostgreSQL together."""

SERVER, POSTGRES, ALONE = "wifidogd", "PostgreSQL", "PostgreSQL without wifidogd"


def run(house: House, quick: bool) -> Result:
    """Watch PostgreSQL alone, then with a server."""
    seconds = 5.0 if quick else 60.0
    dsn = house.postgres.create()
    house.wifidogd(dsn).end()
    scene.adopt(dsn, GATEWAYS)
    scene.admit(dsn, GUESTS, GATEWAYS)
    scene.settle(dsn)
    alone = watch(seconds / 3, **{ALONE: house.postgres.pid})
    server = house.wifidogd(dsn)
    together = watch(seconds, **{SERVER: server.pid, POSTGRES: house.postgres.pid})
    server.end()
    house.postgres.drop(dsn)
    return report(together, alone)


def watch(seconds: float, **pids: int) -> Spent:
    """Count for a while, once it is quiet."""
    time.sleep(QUIET_AFTER)
    meter = Meter(**pids)
    time.sleep(seconds)
    return meter.spent()


def report(together: Spent, alone: Spent) -> Result:
    """Put it in a table."""
    watched = [(SERVER, together), (POSTGRES, together), (ALONE, alone)]
    rows = [
        [name, number(spent.share(name) * 100), number(spent.woken[name] / spent.seconds)] for name, spent in watched
    ]
    title = f"{GUESTS:,} open sessions, no requests, {together.seconds:.0f} s"
    total = (together.share(SERVER) + together.share(POSTGRES)) * 100
    figures = {
        name: {"share_of_a_core": spent.share(name), "wakeups_per_second": spent.woken[name] / spent.seconds}
        for name, spent in watched
    }
    return Result(
        "idle",
        [Table(title, ("", "% of a core", "wake-ups/s"), rows)],
        [Limit("% of a core, wifidogd and PostgreSQL together", total, most=MOST)],
        figures,
    )
