"""
C{guests}: 100,000 guests on 2,000 gateways that report every minute, then more and more until it does not go on.

The load runs on the same machine as the server; what it takes is shown beside the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks import scene
from benchmarks.cost import Cores, Meter, own_seconds, tree_of
from benchmarks.gateways import Counters, Rounds, ping
from benchmarks.house import House, Server
from benchmarks.load import Heard, Load, Running
from benchmarks.postgres import execute
from benchmarks.table import Limit, Result, Table, number

GUESTS, GATEWAYS, INTERVAL = 100_000, 2_000, 60.0

RATE = (GUESTS + GATEWAYS) / INTERVAL
"""Requests a second: counters of every guest and a ping of every gateway in every interval."""

WORKERS = (1,)
GOOD = ("Auth: 1", "Pong")

MOST_P99 = 0.1

STEP = 1.15
"""Each rate that is tried after the one that held."""

SPENT_CORE = 0.93
"""Of a core: a process that takes as much has no time left; the rest goes to who shares the machine."""


@dataclass(frozen=True, slots=True)
class Reports:
    """Counters of all guests, and a ping between those of as many guests as a gateway has."""

    counters: Counters

    def __iter__(self) -> Iterator[bytes]:
        guests = iter(self.counters)
        pings = [ping(gateway) for gateway in range(GATEWAYS)]
        while True:
            for each in pings:
                yield each
                for _ in range(GUESTS // GATEWAYS):
                    yield next(guests)


@dataclass(frozen=True, slots=True)
class Step:
    """
    What one rate of requests did.

    @ivar asked: the rate that was tried, a second.
    @ivar server: cores that the server took, all its processes.
    @ivar busiest: cores that its busiest process took.
    @ivar postgres: cores that PostgreSQL took, as C{load} has those of the load.
    @ivar idle: cores that nobody took.
    @ivar wal: octets that PostgreSQL wrote to its log for each request.
    """

    workers: int
    asked: float
    heard: Heard
    server: float
    busiest: float
    postgres: float
    load: float
    idle: float
    wal: float

    @property
    def is_held(self) -> bool:
        """Whether every request was answered well, and 99 of 100 in time."""
        return not self.heard.other_than(*GOOD) and self.heard.latency(0.99) < MOST_P99

    @property
    def limit(self) -> str:
        """Say what had no time left."""
        if self.busiest >= SPENT_CORE:
            return "one process of the server"
        return "all cores" if self.idle < 0.1 else "nothing"


def run(house: House, quick: bool) -> Result:
    """Measure with each number of workers."""
    dsn = house.postgres.create()
    house.wifidogd(dsn).end()
    scene.adopt(dsn, GATEWAYS)
    scene.admit(dsn, GUESTS, GATEWAYS)
    scene.settle(dsn)
    rounds = Rounds(GUESTS, GATEWAYS)
    found = {workers: climb(house, dsn, workers, rounds, quick) for workers in WORKERS}
    house.postgres.drop(dsn)
    return report([step for steps in found.values() for step in steps])


def climb(house: House, dsn: str, workers: int, rounds: Rounds, quick: bool) -> list[Step]:
    """
    Let a server carry what is asked of it, then more, until it cannot.

    @return: each rate that was tried; all but the last were held, if any was.
    """
    server = house.wifidogd(dsn, *(() if workers == 1 else ("--workers", str(workers))))
    climber = Climber(house, server, dsn, workers, rounds)
    climber.step(RATE, 2.0)
    steps = [climber.step(RATE, 5.0 if quick else 60.0)]
    while steps[-1].is_held:
        rate = steps[-1].asked * (STEP**2 if quick else STEP)
        step = climber.step(rate, 3.0 if quick else 8.0)
        steps.append(step if step.is_held else climber.step(rate, 3.0 if quick else 8.0))
    server.end()
    return steps


@dataclass(frozen=True, slots=True)
class Climber:
    """Tries one rate after another on a server."""

    house: House
    server: Server
    dsn: str
    workers: int
    rounds: Rounds

    def step(self, rate: float, seconds: float) -> Step:
        """Try one rate for a while."""
        running = Running(Load(self.server.port, Reports(self.rounds.next()), seconds, rate=rate))
        wal, processes = self._wal(), self._processes()
        meter, cores = Meter(server=self.server.pid, postgres=self.house.postgres.pid), Cores()
        running.begin()
        heard = running.result()
        spent, idle = meter.spent(), cores.idle()
        busiest = max(cpu - processes.get(pid, 0.0) for pid, cpu in self._processes().items())
        return Step(
            self.workers,
            rate,
            heard,
            server=spent.share("server"),
            busiest=busiest / spent.seconds,
            postgres=spent.share("postgres"),
            load=heard.cpu / spent.seconds,
            idle=idle,
            wal=(self._wal() - wal) / heard.count,
        )

    def _processes(self) -> dict[int, float]:
        return {pid: own_seconds(pid) for pid in tree_of(self.server.pid)}

    def _wal(self) -> int:
        return int(str(execute(self.dsn, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0]))


def report(steps: Sequence[Step]) -> Result:
    """Put it in tables."""
    by_workers = {workers: [step for step in steps if step.workers == workers] for workers in WORKERS}
    ceilings = {workers: ceiling(tried) for workers, tried in by_workers.items()}
    rows = [row(step) for step in steps]
    columns = ("workers", "asked/s", "served/s", "p50 ms", "p99 ms", "not good", "server", "busiest", "PostgreSQL")
    table = Table(
        f"{GUESTS:,} guests on {GATEWAYS:,} gateways, then more: cores taken",
        (*columns, "load", "idle", "WAL/request", "spent"),
        rows,
    )
    limits = [
        limit
        for workers, tried in by_workers.items()
        for limit in (
            Limit(f"p99 in ms at {RATE:,.0f}/s, workers: {workers}", tried[0].heard.latency(0.99) * 1000, most=100),
            Limit(f"not good at {RATE:,.0f}/s, workers: {workers}", tried[0].heard.other_than(*GOOD), most=0),
        )
    ]
    first, last = WORKERS[0], WORKERS[-1]
    notes = [f"Ceiling with {workers} worker(s): {number(rate)} requests/s." for workers, rate in ceilings.items()]
    if ceilings[first]:
        notes.append(f"{last} workers carry {number(ceilings[last] / ceilings[first])} times what {first} carries.")
    return Result("guests", [table], limits, {"steps": [said(step) for step in steps], "ceilings": ceilings}, notes)


def ceiling(steps: Sequence[Step]) -> float:
    """Tell the greatest rate that was held, as it was served; 0 if none was."""
    return max((step.heard.rate for step in steps if step.is_held), default=0.0)


def row(step: Step) -> list[str]:
    """Write one line of the table."""
    heard = step.heard
    return [
        str(step.workers),
        number(step.asked),
        number(heard.rate),
        number(heard.latency(0.5) * 1000),
        number(heard.latency(0.99) * 1000),
        number(heard.other_than(*GOOD)),
        *(number(cores) for cores in (step.server, step.busiest, step.postgres, step.load, step.idle)),
        number(step.wal),
        step.limit,
    ]


def said(step: Step) -> dict[str, object]:
    """Say the same to programs."""
    heard = step.heard
    return {
        "workers": step.workers,
        "asked_per_second": step.asked,
        "served_per_second": heard.rate,
        "seconds": heard.seconds,
        "p50_seconds": heard.latency(0.5),
        "p99_seconds": heard.latency(0.99),
        "worst_seconds": heard.latency(1.0),
        "late_seconds": heard.late,
        "outcomes": dict(heard.outcomes),
        "is_held": step.is_held,
        "cores": {
            "server": step.server,
            "busiest": step.busiest,
            "postgres": step.postgres,
            "load": step.load,
            "idle": step.idle,
        },
        "wal_octets_per_request": step.wal,
        "spent": step.limit,
    }
