"""What C{guests} finds at each rate of requests, and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.output.table import Limit, Result, Table, number
from benchmarks.requests.outcomes import Heard

GUESTS, GATEWAYS, INTERVAL = 100_000, 2_000, 60.0

RATE = (GUESTS + GATEWAYS) / INTERVAL
"""Requests a second: counters of every guest and a ping of every gateway in every interval."""

GOOD = ("Auth: 1", "Pong")

MOST_P99 = 0.1
"""Seconds."""

SPENT_CORE = 0.88
"""Of a core: a process that takes as much has no time left; the rest goes to who shares the machine."""

LITTLE_IDLE = 0.2
"""Cores: less is none."""


@dataclass(frozen=True, slots=True)
class Step:
    """
    What one rate of requests did.

    @ivar asked: the rate that was tried, a second.
    @ivar server: cores that the server took, all its processes.
    @ivar busiest: cores that its busiest process took.
    @ivar postgres: cores that PostgreSQL took, as C{load} has those of the load.
    @ivar idle: cores that nobody took.
    @ivar rest: cores that others took, the kernel's work for the network among them.
    @ivar wal: octets that PostgreSQL wrote to its log for each request.
    @ivar slowest_sync: seconds that the disk once took to write a page.
    """

    workers: int
    asked: float
    heard: Heard
    server: float
    busiest: float
    postgres: float
    load: float
    idle: float
    rest: float
    wal: float
    slowest_sync: float

    @property
    def guests(self) -> int:
        """Return how many guests make so many requests."""
        return round(self.asked / RATE * GUESTS)

    @property
    def is_held(self) -> bool:
        """Return whether all requests were answered well, and 99 of 100 in time."""
        return not self.heard.other_than(*GOOD) and self.heard.latency(0.99) < MOST_P99

    @property
    def limit(self) -> str:
        """Return what had no time left."""
        if self.busiest >= SPENT_CORE:
            return "one process of the server"
        if self.idle < LITTLE_IDLE:
            return "all cores"
        return "nothing" if self.slowest_sync < MOST_P99 else "the disk"


def report(found: Mapping[int, Sequence[Step]], size: float) -> Result:
    """
    Put it in tables.

    @param found: by the number of workers.
    @param size: octets on the disk that an open session takes in the end.
    """
    steps = [step for tried in found.values() for step in tried]
    columns = ("workers", "guests", "asked/s", "served/s", "p50 ms", "p99 ms", "worst ms", "not good")
    title = "A report a minute of each guest, a ping of each gateway: one for 50 guests"
    answers = Table(title, (*columns, "disk ms", "spent"), [answered(step) for step in steps])
    columns = ("workers", "guests", "server", "its busiest", "PostgreSQL", "load", "rest", "idle")
    micros = ("server us", "PostgreSQL us", "WAL octets")
    cores = Table("Cores taken, and what each request takes", columns + micros, [taken(step) for step in steps])
    ceilings = {workers: ceiling(tried) for workers, tried in found.items()}
    figures = {"steps": [said(step) for step in steps], "ceilings": ceilings, "octets_per_session": size}
    return Result("guests", [answers, cores], limits(steps), figures, notes(ceilings, size))


def limits(steps: Sequence[Step]) -> list[Limit]:
    """Return the limits for L{GUESTS}, at the last try."""
    found = []
    for workers, step in {step.workers: step for step in steps if step.asked == RATE}.items():
        whose = f"for {GUESTS:,} guests, workers: {workers}"
        found.append(Limit(f"p99 in ms {whose}", step.heard.latency(0.99) * 1000, most=MOST_P99 * 1000))
        found.append(Limit(f"not good {whose}", step.heard.other_than(*GOOD), most=0))
    return found


def notes(ceilings: Mapping[int, float], size: float) -> list[str]:
    """Return the highest rate in words."""
    (_, first), *_, (workers, last) = ceilings.items()
    said = [f"Workers: {workers}, carried: {number(rate)} requests/s." for workers, rate in ceilings.items()]
    said.append(f"{workers} workers carry {number(last / first)} times what one carries.")
    return [*said, f"An open session takes {number(size)} octets of disk in the end, indexes included."]


def ceiling(steps: Sequence[Step]) -> float:
    """Return the greatest rate that was held, as it was served; if none was, what the least one came to."""
    return max((step.heard.rate for step in steps if step.is_held), default=steps[0].heard.rate)


def answered(step: Step) -> list[str]:
    """Write how a rate was answered."""
    heard = step.heard
    return [
        str(step.workers),
        number(step.guests),
        number(step.asked),
        number(heard.rate),
        *(number(heard.latency(quantile) * 1000) for quantile in (0.5, 0.99, 1.0)),
        number(heard.other_than(*GOOD)),
        number(step.slowest_sync * 1000),
        step.limit,
    ]


def taken(step: Step) -> list[str]:
    """Write what a rate cost."""
    cores = (step.server, step.busiest, step.postgres, step.load, step.rest, step.idle)
    micros = (each / step.heard.rate * 1e6 for each in (step.server, step.postgres))
    return [str(step.workers), *map(number, (step.guests, *cores, *micros, step.wal))]


def said(step: Step) -> dict[str, object]:
    """Return the same for JSON."""
    heard = step.heard
    return {
        "workers": step.workers,
        "guests": step.guests,
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
            "rest": step.rest,
            "idle": step.idle,
        },
        "wal_octets_per_request": step.wal,
        "slowest_sync_seconds": step.slowest_sync,
        "spent": step.limit,
    }
