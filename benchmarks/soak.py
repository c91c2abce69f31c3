"""
C{soak}: half an hour of gateways' reports, silent clients and clients that vanish: is everything still as it was?

Every minute is looked at.  Flat is what a straight line through the minutes says (least squares), from the fifth on:
before, caches fill.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import linear_regression, median

from benchmarks.loads.client_process import BadClients
from benchmarks.loads.contender import PATIENCE, Deployment, InitialState
from benchmarks.loads.good_requests import Answers, GoodRequests
from benchmarks.loads.hostile import GOOD
from benchmarks.loads.load_result import cell
from benchmarks.oldstack.contenders import open_ours
from benchmarks.output.table import Limit, Result, Table
from tests.support.testbed.process_cost import cpu_seconds, open_in_tree, proportional_octets, resident_octets
from tests.support.testbed.testbed import Testbed

RATE = 20.0
MINUTES, MINUTE = 30, 60.0
QUICK_MINUTES, QUICK_MINUTE = 12, 5.0
CACHES_FILL = 1 / 6
"""Part of the run that does not count."""

MOST_MEMORY = 5.0
"""Percent that memory may grow over the whole run."""

MOST_CPU = 15.0
"""Percent that the CPU of a request may grow; two runs of the same differ by as much on a machine that is shared."""

MOST_DESCRIPTORS = 3.0
MOST_LOG = 10.0
"""Kilobytes of log a minute."""


@dataclass(frozen=True, slots=True)
class Minute:
    """
    What was seen at the end of a minute.

    @ivar at: as the monotonic clock has it.
    @ivar resident: octets of the server's memory, pages that it shares counted in full.
    @ivar proportional: the same, with a part of what it shares.
    @ivar cpu: seconds since the server began.
    @ivar log: octets so far.
    """

    at: float
    resident: int
    proportional: int
    descriptors: int
    cpu: float
    log: int


def run(testbed: Testbed, quick: bool) -> Result:
    """Run the soak test."""
    count, length = (QUICK_MINUTES, QUICK_MINUTE) if quick else (MINUTES, MINUTE)
    deployment = open_ours(testbed, InitialState())
    deployment.warm_up()
    bad_clients = [
        BadClients("silent", deployment.port, count * length, count=2, again=True),
        BadClients("rst", deployment.port, count * length, rate=20),
    ]
    asking = GoodRequests(deployment.reports(RATE, count * length, PATIENCE))
    minutes = [look(deployment)]
    for elapsed in range(1, count + 1):
        time.sleep(max(0.0, minutes[0].at + elapsed * length - time.monotonic()))
        minutes.append(look(deployment))
    answers = asking.answers()
    for each in bad_clients:
        each.visits()
    deployment.close()
    return report(minutes, answers)


def look(deployment: Deployment) -> Minute:
    """Measure the server now."""
    pid = deployment.server.pid
    return Minute(
        time.monotonic(),
        resident_octets(pid),
        proportional_octets(pid),
        open_in_tree(pid),
        cpu_seconds(pid),
        deployment.server.log.stat().st_size,
    )


def report(minutes: Sequence[Minute], answers: Answers) -> Result:
    """Judge it."""
    rows = [
        {"minute": at, **summed_up(before, after, answers)} for at, (before, after) in enumerate(pairwise(minutes), 1)
    ]
    counted = rows[int(len(rows) * CACHES_FILL) :]
    limits = [
        Limit("not served", answers.other_than(GOOD), most=0),
        Limit("RSS, growth in percent", growth(counted, "RSS MB"), most=MOST_MEMORY),
        Limit("PSS, growth in percent", growth(counted, "PSS MB"), most=MOST_MEMORY),
        Limit("CPU of a request, growth in percent", growth(counted, "CPU ms"), most=MOST_CPU),
        Limit("descriptors, growth", rise([each["descriptors"] for each in counted]), most=MOST_DESCRIPTORS),
        Limit("log kB a minute, at most", max(each["log kB"] for each in rows), most=MOST_LOG),
    ]
    columns = tuple(rows[0])
    table = Table(
        f"{RATE:.0f} reports a second, two silent clients, 20 a second that vanish",
        columns,
        [[cell(each[name]) for name in columns] for each in rows],
    )
    figures = {"minutes": rows, "seen": [asdict(each) for each in minutes], "outcomes": dict(answers.outcomes)}
    return Result("soak", [table], limits, figures, ["Growth is that of a straight line from a sixth of the run on."])


def summed_up(before: Minute, after: Minute, answers: Answers) -> dict[str, float]:
    """Sum up one minute."""
    asked = answers.between(before.at, after.at)
    return {
        "RSS MB": after.resident / 1e6,
        "PSS MB": after.proportional / 1e6,
        "descriptors": after.descriptors,
        "CPU ms": 1000 * (after.cpu - before.cpu) / max(1, asked.count),
        "p99 ms": asked.latency_ms(0.99),
        "log kB": (after.log - before.log) / 1000,
    }


def growth(rows: Sequence[dict[str, float]], name: str) -> float:
    """Return by how many percent of its median a figure grew, by the straight line through all."""
    values = [each[name] for each in rows]
    return 100 * rise(values) / median(values)


def rise(values: Sequence[float]) -> float:
    """Return how much the straight line through these, at equal distances, rises from the first to the last."""
    slope, _ = linear_regression(range(len(values)), values)
    return slope * (len(values) - 1)
