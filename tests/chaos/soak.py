"""
C{python -m tests.chaos.soak [--quick] [--json DIRECTORY]}: half an hour, and each minute a fault and bad clients.

Each minute begins with both at once, and ends in a while of calm, in which is looked whether everything is as it was
in the minutes before.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from benchmarks.soak import rise
from tests.chaos.clients.bad_clients import BAD_CLIENTS
from tests.chaos.clients.client_process import Away
from tests.chaos.load.answers import Outcome
from tests.chaos.load.load import SMALL, TWO_HUNDRED, Load, Scale, Told
from tests.chaos.report.trial_result import TrialResult, write
from tests.chaos.routers.soaked_routers import TOLD_WITHIN, Lived, SoakedRouters
from tests.chaos.trials.database import TROUBLES
from tests.chaos.trials.database_faults import HEALTHY_WITHIN, Trouble
from tests.support.testbed.process_watch import Watch
from tests.support.testbed.server_process import ServerProcess, await_healthy
from tests.support.testbed.testbed import Testbed

CROWDS = (
    "silent",
    "most of a body of 64 kB",
    "trickled head",
    "chunks of one octet",
    "never reading",
    "body of 1 MB",
    "chunks without end",
    "10,000 fields",
    "half a head",
    "%00 and no UTF-8",
)
"""
The crowds, in turn: of each sort of L{BAD_CLIENTS}, those that leave the server time for others.

Each comes three times in half an hour.  What memory a crowd took for the first time the process keeps for the next one
like it, so that what grows is seen once all have been there.
"""

SLOTS = {"max_connections": "20"}

SESSION_ENDED = b"] session "
"""A line of log for each guest who leaves is no noise, and as much as guests make of it."""


RECOVERY = 5.0
"""Seconds."""

MEMORY, CPU = 5.0, 25.0
"""Percent of the median by which it may grow over the whole; other programs may disturb the CPU."""

DESCRIPTORS = 3.0
LOG = 60.0
"""Kilobytes a minute, but for the lines about sessions that ended."""

ENOUGH = 20
"""Minutes, or what is called so, that can show whether something grows."""


@dataclass(frozen=True, slots=True)
class Course:
    """
    How long everything takes, in seconds.

    @ivar fault: at most; many are shorter.
    @ivar crowd: for which bad clients are there.
    @ivar minute: from one fault to the next.
    @ivar calm: at the end of each.
    @ivar routers: with WebSockets, of whose guests some are thrown off in each minute.
    """

    scale: Scale
    minutes: int
    minute: float
    fault: float
    crowd: float
    calm: float
    routers: int = 10


LONG = Course(TWO_HUNDRED, minutes=30, minute=60.0, fault=15.0, crowd=30.0, calm=18.0, routers=100)
QUICK = Course(TWO_HUNDRED, minutes=6, minute=12.0, fault=3.0, crowd=5.0, calm=4.0, routers=100)
BRIEF = Course(SMALL, minutes=2, minute=1.8, fault=0.4, crowd=0.7, calm=0.4)
"""For CI."""


@dataclass(frozen=True, slots=True)
class Minute:
    """
    What was seen of a minute.

    @ivar fault: and C{crowd}, by their names.
    @ivar recovery: seconds from the end of the fault until the server said that all is well.
    @ivar came: bad clients that were there.
    @ivar begin: of the calm, as the monotonic clock has it; C{end} is that of the minute.
    @ivar memory: megabytes in the calm, pages that processes share divided among them; the median, as C{descriptors}.
    @ivar cpu: seconds of CPU in the calm.
    @ivar log: kilobytes in the whole minute, but for the lines about sessions that ended.
    """

    fault: str
    crowd: str
    recovery: float
    came: int
    begin: float
    end: float
    memory: float
    descriptors: float
    cpu: float
    log: float


@dataclass(frozen=True, slots=True)
class Soaked:
    """All that came of it."""

    course: Course
    minutes: Sequence[Minute]
    told: Told
    lived: Lived = field(default_factory=Lived)

    @property
    def requests(self) -> list[int]:
        """Answers in the calm of each minute."""
        return [len(self.told.answers.between(each.begin, each.end)) for each in self.minutes]

    @property
    def cost(self) -> list[float]:
        """Milliseconds of CPU for each of them, by minute."""
        return [1000 * each.cpu / max(1, count) for each, count in zip(self.minutes, self.requests, strict=True)]


class Log:
    """Counts what is new in the log of a server."""

    def __init__(self, server: ServerProcess) -> None:
        self._path = server.log
        self._read = server.log.stat().st_size

    def octets(self) -> int:
        """Count octets since the last time, without the lines about sessions that ended."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        self._read += len(new)
        return sum(len(line) for line in new.splitlines(keepends=True) if SESSION_ENDED not in line)


def soak(course: Course) -> Soaked:
    """Run the soak test."""
    with Testbed(SLOTS) as testbed:
        dsn = testbed.create_database()
        server = testbed.wifidogd(dsn)
        watch = Watch(server)
        try:
            with (
                SoakedRouters(server.port, dsn, course.routers, testbed.home) as routers,
                Load(server, dsn, course.scale, testbed.home) as load,
            ):
                time.sleep(course.minute / 2)
                log = Log(server)
                pairs = islice(zip(cycle(TROUBLES), cycle(CROWDS), strict=False), course.minutes)
                minutes = [live(course, testbed, dsn, server, watch, log, pair, routers) for pair in pairs]
                lived = routers.end()
                return Soaked(course, minutes, load.end(), lived)
        finally:
            watch.end()


def live(
    course: Course,
    testbed: Testbed,
    dsn: str,
    server: ServerProcess,
    watch: Watch,
    log: Log,
    pair: tuple[str, str],
    routers: SoakedRouters,
) -> Minute:
    """Live through a minute, in which guests are thrown off as soon as the fault is over."""
    began = time.monotonic()
    crowd = Away(pair[1], server.port, course.crowd, BAD_CLIENTS[pair[1]].count)
    recovery = suffer(TROUBLES[pair[0]], course, testbed, dsn, server)
    routers.kick_some()
    came = crowd.visits().opened
    time.sleep(max(0.0, began + course.minute - course.calm - time.monotonic()))
    calm = watch.now()
    time.sleep(max(0.0, began + course.minute - time.monotonic()))
    after = watch.now()
    glances = watch.between(calm.at, after.at).glances
    minute = Minute(
        *pair,
        recovery,
        came,
        calm.at,
        after.at,
        median(each.memory for each in glances) / 1e6,
        median(each.descriptors for each in glances),
        after.cpu - calm.cpu,
        log.octets() / 1000,
    )
    print(json.dumps(asdict(minute)), file=sys.stderr, flush=True)
    return minute


def suffer(trouble: Trouble, course: Course, testbed: Testbed, dsn: str, server: ServerProcess) -> float:
    """
    Go through one fault.

    @return: seconds from its end until the server was well again.
    @raise RuntimeError: if it does not become well.
    """
    with trouble.fault(testbed.postgres, dsn):
        time.sleep(min(trouble.seconds, course.fault))
    return await_healthy(server, HEALTHY_WITHIN, trouble.what)


def judge(soaked: Soaked) -> TrialResult:
    """Hold it against what was promised."""
    course, minutes, told = soaked.course, soaked.minutes, soaked.told
    rate = sum(soaked.requests) / sum(each.end - each.begin for each in minutes)
    return TrialResult(
        f"{course.minutes} times {course.minute:.0f} s, each with a fault of the database and a crowd of bad clients",
        f"{course.scale.guests} guests at {course.scale.gateways} gateways, {rate:.0f} requests a second in the calm; "
        f"{course.routers} routers with WebSockets; {sum(each.came for each in minutes)} bad clients",
        f"well within {RECOVERY:g} s of each fault; memory grows by {MEMORY:g} % at most over all, CPU of a request by "
        f"{CPU:g} %, descriptors by {DESCRIPTORS:g}, the log by {LOG:g} kB a minute at most; everybody is answered, "
        f"no WebSocket closed, routers told within {TOLD_WITHIN:g} s of a kick, nobody else thrown off, books balance",
        f"{', '.join(f'{what} {value:+.1f} {unit}' for what, value, unit, _ in growths(soaked))}; the slowest recovery "
        f"took {max(each.recovery for each in minutes):.1f} s; {len(told.answers)} answers, {told.wrong} wrong; "
        f"{told.sessions} sessions and {told.stored} octets stored, {told.difference_count} differences "
        f"({told.open_questions} devices with more than one right sum); {soaked.lived.kicked} guests kicked, off after "
        f"up to {soaked.lived.slowest:.2f} s, {soaked.lived.closed} WebSockets closed",
        misses(soaked),
    )


def growths(soaked: Soaked) -> list[tuple[str, float, str, float]]:
    """
    Tell what rose by how much, in which unit, and what is the most.

    By a straight line through the minutes once all crowds have been there, if there are so many.
    """
    counted = slice(len(CROWDS) if len(soaked.minutes) >= ENOUGH else 0, None)
    memory, cost = [each.memory for each in soaked.minutes][counted], soaked.cost[counted]
    return [
        ("memory", 100 * rise(memory) / median(memory), "%", MEMORY),
        ("CPU of a request", 100 * rise(cost) / median(cost), "%", CPU),
        ("descriptors", rise([each.descriptors for each in soaked.minutes][counted]), "", DESCRIPTORS),
        ("log", max(each.log for each in soaked.minutes), "kB", LOG),
    ]


def misses(soaked: Soaked) -> list[str]:
    """Return the promises that were not kept; a few short minutes do not show what is flat."""
    outcomes = soaked.told.answers.outcomes
    found = [*soaked.told.complaints(), *soaked.lived.complaints()]
    unanswered = outcomes[Outcome.LOST] + outcomes[Outcome.REFUSED] + outcomes[Outcome.HUNG_UP]
    if unanswered:
        found.append(f"{unanswered} requests got no answer")
    late = [each for each in soaked.minutes if each.recovery > RECOVERY]
    found += [f"well only {each.recovery:.1f} s after {each.fault}" for each in late]
    if len(soaked.minutes) >= ENOUGH:
        grown = [(what, value, unit) for what, value, unit, most in growths(soaked) if value > most]
        found += [f"{what} {value:+.1f} {unit}" for what, value, unit in grown]
        if soaked.lived.slowest > TOLD_WITHIN:
            found.append(f"a guest was off {soaked.lived.slowest:.2f} s after a kick")
    return found


def main(arguments: list[str]) -> int:
    """
    Soak.

    @return: 0 if all promises were kept.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="take a good minute instead of half an hour")
    parser.add_argument("--json", type=Path, metavar="DIRECTORY", help="write soak.json and soak-minutes.json there")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    soaked = soak(QUICK if asked.quick else LONG)
    row = judge(soaked)
    print(row.text())
    if asked.json is not None:
        write(asked.json / "soak.json", [row])
        minutes = [{**asdict(each), "cost": cost} for each, cost in zip(soaked.minutes, soaked.cost, strict=True)]
        (asked.json / "soak-minutes.json").write_text(json.dumps(minutes, indent=1) + "\n")
    return 0 if row.held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
