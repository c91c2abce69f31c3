"""
C{guests}: 100,000 guests on 2,000 gateways that report every minute, then more and more until it does not go on.

The load runs on the same machine as the server; what it takes is shown beside the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import stored_guests
from benchmarks.guest_rates import GATEWAYS, GUESTS, RATE, Step, report
from benchmarks.output.table import Result
from benchmarks.requests.disk import Disk
from benchmarks.requests.gateways import Counters, Rounds, ping
from benchmarks.requests.load import Load, Running
from tests.support.postgres import execute
from tests.support.testbed.process_cost import Cores, Meter, own_seconds, tree_of
from tests.support.testbed.server_process import ServerProcess
from tests.support.testbed.testbed import Testbed

WORKERS = (1, 2)

FEWER = (0.1, 0.3)
"""Parts of L{RATE} that are tried first: a server that has less to do takes more for each request."""

STEP = 1.15
"""Each rate that is tried after the one that held."""


@dataclass(frozen=True, slots=True)
class Reports:
    """Counters of all guests, and a ping after those of as many guests as a gateway has."""

    counters: Counters

    def __iter__(self) -> Iterator[bytes]:
        guests = iter(self.counters)
        pings = [ping(gateway) for gateway in range(GATEWAYS)]
        while True:
            for each in pings:
                for _ in range(GUESTS // GATEWAYS):
                    yield next(guests)
                yield each


def run(testbed: Testbed, quick: bool) -> Result:
    """Measure with each number of workers."""
    dsn = testbed.postgres.create_database()
    testbed.wifidogd(dsn).end()
    stored_guests.adopt(dsn, GATEWAYS)
    stored_guests.admit(dsn, GUESTS, GATEWAYS)
    stored_guests.settle(dsn)
    rounds = Rounds(GUESTS, GATEWAYS)
    found = {workers: climb(testbed, dsn, workers, rounds, quick) for workers in WORKERS}
    size = stored_guests.octets(dsn, "sessions") / GUESTS
    testbed.postgres.drop_database(dsn)
    return report(found, size)


def climb(testbed: Testbed, dsn: str, workers: int, rounds: Rounds, quick: bool) -> list[Step]:
    """
    Let a server carry less than what is asked of it, then that, then more, until it cannot.

    @return: all that was tried.
    """
    server = testbed.wifidogd(dsn, *(() if workers == 1 else ("--workers", str(workers))))
    climber = Climber(testbed, server, dsn, workers, rounds)
    brief, long = (3.0, 5.0) if quick else (8.0, 60.0)
    climber.step(RATE, 2.0)
    steps = [step for part in FEWER for step in climber.try_out(part * RATE, brief)]
    steps += climber.try_out(RATE, long)
    while steps[-1].is_held:
        steps += climber.try_out(steps[-1].asked * (STEP**2 if quick else STEP), brief)
    server.end()
    return steps


@dataclass(frozen=True, slots=True)
class Climber:
    """Tries one rate after another on a server."""

    testbed: Testbed
    server: ServerProcess
    dsn: str
    workers: int
    rounds: Rounds

    def try_out(self, rate: float, seconds: float) -> list[Step]:
        """
        Try a rate; if it is not held, once more, as shared machines and disks have their moments.

        @return: one or two.
        """
        first = self.step(rate, seconds)
        return [first] if first.is_held else [first, self.step(rate, seconds)]

    def step(self, rate: float, seconds: float) -> Step:
        """Try one rate for a while."""
        running = Running(Load(self.server.port, Reports(self.rounds.next()), seconds, rate=rate))
        wal, processes = self._wal(), self._processes()
        meter, cores = Meter(server=self.server.pid, postgres=self.testbed.postgres.pid), Cores()
        disk = Disk(self.testbed.home)
        running.begin()
        heard = running.result()
        spent, idle, slowest_sync = meter.spent(), cores.idle(), disk.slowest()
        busiest = max(cpu - processes.get(pid, 0.0) for pid, cpu in self._processes().items())
        server, postgres, load = spent.share("server"), spent.share("postgres"), heard.cpu / spent.seconds
        return Step(
            self.workers,
            rate,
            heard,
            server=server,
            busiest=busiest / spent.seconds,
            postgres=postgres,
            load=load,
            idle=idle,
            rest=(os.cpu_count() or 1) - server - postgres - load - idle,
            wal=(self._wal() - wal) / heard.count,
            slowest_sync=slowest_sync,
        )

    def _processes(self) -> dict[int, float]:
        return {pid: own_seconds(pid) for pid in tree_of(self.server.pid)}

    def _wal(self) -> int:
        return int(str(execute(self.dsn, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0]))
