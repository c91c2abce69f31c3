"""
C{oldstack}: a hobbyist's Flask + SQLAlchemy server under five servers of the old stack, and wifidogd, side by side.

The loads are A1 to A11: some only ask, the others are what clients and databases do to a server sooner or later.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from benchmarks.loads import hostile, outage, steady
from benchmarks.loads.contender import Contender, Deployment, InitialState
from benchmarks.loads.load_result import LoadResult, tabulate
from benchmarks.loads.sold_out import sold_out
from benchmarks.oldstack.contenders import CONTENDERS
from benchmarks.output.table import Result
from tests.support.testbed.testbed import Testbed

TITLES = {
    "A1": "A1  50 counters a second",
    "A2": "A2  as many as are answered, with 16 or 64 connections at a time, whichever suits the server",
    "A3": "A3  a year of history (4 connections at a time)",
    "A4": "A4  400 clients a second vanish, then silence",
    "A5": "A5  two silent clients, 20 that vanish a second, 5 good requests a second",
    "A5+": "A5+ four silent clients for 75 s, 1 good request a second",
    "A6": "A6  120 each of silent, half a head, half a body, never reading; 5 good requests a second",
    "A7": "A7  1,100 silent clients at ulimit -n 1024; 5 good requests a second",
    "A8": "A8  a request, then FIN; 20 a second",
    "A9": "A9  PostgreSQL stands still, 20 requests a second",
    "A10": "A10 PostgreSQL is stopped and started, 20 requests a second",
    "A11": "A11 every voucher code is taken, 2 people a second want one, 5 good requests a second",
}

LOADS = tuple(load for load in TITLES if not load.endswith("+"))
"""Those with limits that were asked for; the others run by name only."""

WITH_BAD_CLIENTS = ("A4", "A5", "A5+", "A6", "A7")

Trial = Callable[[Deployment, Contender, bool], LoadResult]


def run(testbed: Testbed, quick: bool, loads: Sequence[str] = LOADS, servers: str = "") -> Result:
    """
    Put every server under every load.

    @param loads: which of L{TITLES}.
    @param servers: only those whose names have this in them.
    """
    contenders = [each for each in CONTENDERS if servers.lower() in each.name.lower()]
    different = [each for each in contenders if not each.is_twin]
    found: dict[str, list[LoadResult]] = {}
    if {"A1", "A2"} & set(loads):
        found |= steady.few_and_many(testbed, different, quick)
    if "A3" in loads:
        found["A3"] = steady.after_years(testbed, different, quick)
    for load in loads:
        if load in TRIALS:
            chosen = contenders if load in WITH_BAD_CLIENTS else different
            found[load] = [trial(testbed, load, each, quick) for each in chosen]
    return report({load: found[load] for load in loads})


def by_name(way: Callable[[Deployment, str, bool], LoadResult]) -> Trial:
    """Adapt a load that needs nothing of the contender but its name."""
    return lambda deployment, contender, quick: way(deployment, contender.name, quick)


TRIALS: dict[str, tuple[InitialState, Trial]] = {
    "A4": (InitialState(), by_name(hostile.vanishing)),
    "A5": (InitialState(), by_name(hostile.few_bad)),
    "A5+": (InitialState(), by_name(hostile.four_silent)),
    "A6": (InitialState(), by_name(hostile.many_bad)),
    "A7": (InitialState(descriptors=1024), by_name(hostile.too_many)),
    "A8": (InitialState(), by_name(hostile.half_closing)),
    "A9": (InitialState(), by_name(outage.stalled)),
    "A10": (InitialState(), by_name(outage.stopped)),
    "A11": (InitialState(sold_out=True), sold_out),
}
"""What A4 to A11 begin with, and do."""


def trial(testbed: Testbed, load: str, contender: Contender, quick: bool) -> LoadResult:
    """Start a server for one load, and end it."""
    initial_state, way = TRIALS[load]
    deployment = contender.open(testbed, initial_state)
    try:
        deployment.warm_up()
        row = way(deployment, contender, quick)
    finally:
        deployment.close()
    print(f"{load} {contender.name}: {row.verdict}", file=sys.stderr, flush=True)
    return row


def report(found: dict[str, list[LoadResult]]) -> Result:
    """Make a table of each load; wifidogd alone is held to the limits."""
    ours = {each.name for each in CONTENDERS if each.is_ours}
    return Result(
        "oldstack",
        [tabulate(TITLES[load], rows) for load, rows in found.items()],
        [limit for rows in found.values() for row in rows if row.server in ours for limit in row.limits],
        {load: {row.server: row.as_json() for row in rows} for load, rows in found.items()},
    )
