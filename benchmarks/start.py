"""C{start}: how long until gateways are answered, and how much memory guests take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from benchmarks import stored_guests
from benchmarks.output.table import Result, Table, number, spread
from benchmarks.requests.gateways import Rounds, ping
from benchmarks.requests.load import Load, drive
from tests.support.testbed.process_cost import children_of, proportional_octets, resident_octets
from tests.support.testbed.server_process import ServerProcess, ask
from tests.support.testbed.testbed import Testbed
from wifidogd.store.embedded.data_directory import dsn_of

GUESTS, GATEWAYS = 100_000, 2_000

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """
    Octets in use.

    @ivar server: by wifidogd alone.
    @ivar postgres: by its PostgreSQL; what its processes share counts once.
    """

    server: int
    postgres: int


def run(testbed: Testbed, quick: bool) -> Result:
    """Start servers with a PostgreSQL of their own, on empty data directories and on used ones."""
    rounds = 1 if quick else 5
    cold, warm = [], []
    data_dirs = [testbed.home / f"data-{each}" for each in range(rounds)]
    for data_dir in data_dirs:
        cold.append(seconds_to_pong(testbed, data_dir))
        warm.append(seconds_to_pong(testbed, data_dir))
    memory = weigh(testbed, data_dirs[0], 5.0 if quick else 60.0)
    for data_dir in data_dirs:
        rmtree(data_dir)
    return report(cold, warm, memory)


def seconds_to_pong(testbed: Testbed, data_dir: Path) -> float:
    """Start a server, await its first C{Pong}, and end it."""
    server = testbed.wifidogd(None, "--data-dir", str(data_dir), is_ready=says_pong)
    server.end()
    return server.ready_after


def says_pong(port: int) -> bool:
    """Return whether a ping is answered."""
    return ask(port, ping(0)).endswith(b"Pong")


def weigh(testbed: Testbed, data_dir: Path, seconds: float) -> dict[str, Memory]:
    """Measure what a server uses at rest, and when all its guests have been reported."""
    server = testbed.wifidogd(None, "--data-dir", str(data_dir))
    found = {"at rest": memory_of(server)}
    dsn = dsn_of(data_dir)
    stored_guests.adopt(dsn, GATEWAYS)
    stored_guests.admit(dsn, GUESTS, GATEWAYS)
    found[f"{GUESTS:,} open sessions"] = memory_of(server)
    drive(Load(server.port, Rounds(GUESTS, GATEWAYS).next(), seconds, rate=(GUESTS + GATEWAYS) / 60))
    found[f"the same, after {seconds:.0f} s of their reports"] = memory_of(server)
    server.end()
    server = testbed.wifidogd(None, "--data-dir", str(data_dir), "--workers", "2")
    found["at rest, with 2 workers"] = memory_of(server)
    server.end()
    return found


def memory_of(server: ServerProcess) -> Memory:
    """Weigh a server and its PostgreSQL, which is its child."""
    postgres = [child for child in children_of(server.pid) if is_postgres(child)]
    whole = resident_octets(server.pid) - sum(map(resident_octets, postgres))
    return Memory(whole, sum(map(proportional_octets, postgres)))


def is_postgres(pid: int) -> bool:
    """Return whether a process is a PostgreSQL."""
    return Path(f"/proc/{pid}/exe").readlink().name == "postgres"


def report(cold: list[float], warm: list[float], memory: dict[str, Memory]) -> Result:
    """Put it in tables."""
    starts = [
        ["empty data directory (initdb)", str(spread(cold))],
        ["used data directory", str(spread(warm))],
    ]
    weights = [[when, number(each.server / MIB), number(each.postgres / MIB)] for when, each in memory.items()]
    return Result(
        "start",
        [
            Table("twistd -n wifidogd with its own PostgreSQL, to the first Pong", ("", "seconds"), starts),
            Table("Memory in use", ("", "server MiB", "PostgreSQL MiB"), weights),
        ],
        figures={
            "cold_seconds": cold,
            "warm_seconds": warm,
            "memory": {when: {"server": each.server, "postgres": each.postgres} for when, each in memory.items()},
        },
    )
