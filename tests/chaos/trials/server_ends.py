"""wifidogd itself killed, stopped, blocked and frozen under load, with somebody who starts it again."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from tests.chaos.load.answers import Outcome
from tests.chaos.load.load import TWO_HUNDRED, Load, Scale, Told
from tests.chaos.report.trial_result import TrialResult
from tests.support.checkout import ROOT
from tests.support.testbed.process_cost import children_of
from tests.support.testbed.server_process import ServerProcess, await_healthy, free_port, is_healthy
from tests.support.testbed.testbed import Servers, Testbed
from wifidogd.runtime.watchdog import EXIT_STATUS, LIMIT
from wifidogd.store.embedded.data_directory import dsn_of
from wifidogd.workers.child_process import FROZEN_AFTER

TWISTD = Path(sys.executable).with_name("twistd")

SETTLE = 6.0
"""Seconds for a load to get going, and for the server after the last blow."""

BACK_WITHIN = 60.0

SOCKET = "systemd:domain=INET:name=web"
"""Where the server listens; the restarter has opened it."""

BLOCKABLE = ROOT / "tests" / "chaos" / "faults" / "blockable.tac"

NO_LOSS = "every acknowledged login, octet and logout is in the tables, nothing twice; nobody is thrown off"

Strike = Callable[[ServerProcess], None]
"""Does something to the server below a restarter."""


@dataclass(frozen=True, slots=True)
class KeptServer:
    """A server with a restarter, the DSN of what it stores in, and a directory to write into."""

    server: ServerProcess
    dsn: str
    home: Path


Make = Callable[[], AbstractContextManager[KeptServer]]


@contextmanager
def beside(*options: str) -> Iterator[KeptServer]:
    """Run a server on a PostgreSQL that keeps running."""
    with Testbed() as testbed:
        dsn = testbed.create_database()
        server = keep(testbed, "wifidogd", "--listen", SOCKET, "--database", dsn, *options)
        yield KeptServer(server, dsn, testbed.home)


@contextmanager
def embedded() -> Iterator[KeptServer]:
    """Run a server with an embedded PostgreSQL."""
    servers = Servers()
    data_dir = servers.home / "data"
    try:
        server = keep(servers, "wifidogd", "--listen", SOCKET, "--data-dir", str(data_dir))
        yield KeptServer(server, dsn_of(data_dir), servers.home)
    finally:
        servers.end_servers()
        servers.clear()


@contextmanager
def blockable(seconds: float) -> Iterator[KeptServer]:
    """Run a server that L{block} blocks for so many seconds."""
    with Testbed() as testbed:
        dsn = testbed.create_database()
        environment = {"WIFIDOGD_DATABASE": dsn, "WIFIDOGD_LISTEN": SOCKET, "BLOCKED_FOR": str(seconds)}
        yield KeptServer(keep(testbed, "--python", str(BLOCKABLE), environment=environment), dsn, testbed.home)


def keep(servers: Servers, *arguments: str, environment: Mapping[str, str] = {}) -> ServerProcess:
    """Start C{twistd} with a restarter, and wait until it serves guests."""
    port = free_port()
    restarter = [sys.executable, "-m", "tests.chaos.faults.restarting", str(port)]
    twistd = [sys.executable, str(TWISTD), "--nodaemon", "--pidfile=", *arguments]
    return servers.serve([*restarter, *twistd], port=port, is_ready=is_healthy, environment=environment)


def service_of(server: ServerProcess) -> int | None:
    """Return the process id of the server that the restarter runs; None while there is none."""
    return next(iter(children_of(server.pid)), None)


def send(number: signal.Signals, server: ServerProcess) -> None:
    """Give the service a signal, if it is there."""
    pid = service_of(server)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


kill = partial(send, signal.SIGKILL)
stop = partial(send, signal.SIGTERM)
block = partial(send, signal.SIGUSR1)


def kill_a_worker(server: ServerProcess) -> None:
    """Kill the oldest of the processes below the service, if there is one."""
    workers = children_of(service_of(server) or 0)
    if workers:
        with suppress(ProcessLookupError):
            os.kill(min(workers), signal.SIGKILL)


def is_back(server: ServerProcess) -> float:
    """
    Wait until guests are served.

    @return: seconds that it took.
    @raise RuntimeError: if it takes too long.
    """
    return await_healthy(server, BACK_WITHIN, "it was ended or disturbed")


def says(server: ServerProcess, text: str, within: float) -> float:
    """
    Wait until the log has a text.

    @return: seconds that it took.
    @raise RuntimeError: if it has not within so many seconds.
    """
    began = time.monotonic()
    while text not in (said := server.log.read_text(errors="replace")):
        if time.monotonic() - began > within:
            raise RuntimeError(f"the log never said {text!r}:\n{said[-3000:]}")
        time.sleep(0.1)
    return time.monotonic() - began


def suffer(
    make: Make, scale: Scale, ordeal: Callable[[ServerProcess], float], settle: float = SETTLE
) -> tuple[Told, float]:
    """
    Put a server through an ordeal under load.

    @return: what the load tells, and what the ordeal returns.
    """
    with make() as kept, Load(kept.server, kept.dsn, scale, kept.home) as load:
        time.sleep(settle)
        longest = ordeal(kept.server)
        time.sleep(settle)
        return load.end(), longest


def judge(
    fault: str, promised: str, told: Told, seen: str, missed: Iterable[str] = (), *, may_lose: bool = False
) -> TrialResult:
    """
    Hold what the load tells against what is promised.

    @param seen: what else was seen, and C{missed} what of that was promised otherwise.
    @param may_lose: whether requests may be lost that a dying process had accepted.
    """
    outcomes = told.answers.outcomes
    missed = [*missed, *told.complaints()]
    if outcomes[Outcome.REFUSED]:
        missed.append(f"{outcomes[Outcome.REFUSED]} connections were refused")
    if outcomes[Outcome.LOST] and not may_lose:
        missed.append(f"{outcomes[Outcome.LOST]} requests got no answer")
    answers = told.answers.all
    rate = len(answers) / (answers[-1].at - answers[0].at)
    counts = ", ".join(f"{count} {outcome.value}" for outcome, count in outcomes.most_common())
    seen += (
        f"; {counts}; longest answer {told.answers.longest:.1f} s; {told.wrong} wrong answers; {told.sessions} "
        f"sessions and {told.stored} octets stored, {told.difference_count} differences "
        f"({told.open_questions} devices with more than one right sum)"
    )
    return TrialResult(fault, f"{rate:.0f} requests a second", promised, seen, missed)


def struck(
    fault: str,
    make: Make,
    strike: Strike,
    times: int,
    *,
    scale: Scale = TWO_HUNDRED,
    may_lose: bool = True,
    back_within: float = 8.0,
    settle: float = SETTLE,
    dice: Random | None = None,
) -> TrialResult:
    """
    Strike a server at random moments, now and then while it has not even begun again.

    @param back_within: seconds for guests to be served again, which is promised.
    """
    chance = dice or Random(7)

    def ordeal(server: ServerProcess) -> float:
        longest = 0.0
        for _ in range(times):
            time.sleep(chance.uniform(0.2, 3.0))
            strike(server)
            if chance.random() < 0.75:
                longest = max(longest, is_back(server))
        return max(longest, is_back(server))

    told, longest = suffer(make, scale, ordeal, settle)
    promised = (
        f"{NO_LOSS}; no connection is refused, as systemd keeps the socket; served again within {back_within:g} s"
    )
    if not may_lose:
        promised += "; whatever was accepted has an answer, where somebody waits for it (apfree-wifidog does for 2 s)"
    seen = f"served again within {longest:.1f} s"
    missed = [] if longest <= back_within else [f"it took {longest:.1f} s to serve again"]
    return judge(f"{fault}, {times} times at random moments", promised, told, seen, missed, may_lose=may_lose)


def slowed(seconds: float, scale: Scale = TWO_HUNDRED) -> TrialResult:
    """Block the reactor for a while."""

    def ordeal(server: ServerProcess) -> float:
        block(server)
        says(server, "the reactor has been blocked for", seconds)
        says(server, "in <lambda>", seconds)
        says(server, "the reactor goes on; it was blocked for", BACK_WITHIN)
        return is_back(server)

    told, _ = suffer(partial(blockable, seconds), scale, ordeal)
    promised = (
        f"the log shows the stack while it lasts, and its length after that; whoever waited is answered "
        f"(apfree-wifidog waits 2 s); {NO_LOSS}"
    )
    return judge(f"reactor blocked for {seconds:g} s", promised, told, "the log named the culprit")


def hung(scale: Scale = TWO_HUNDRED) -> TrialResult:
    """Block the reactor for good."""
    took: list[float] = []

    def ordeal(server: ServerProcess) -> float:
        block(server)
        took.append(says(server, f"the service ended with {EXIT_STATUS}", 2 * LIMIT))
        return is_back(server)

    told, longest = suffer(partial(blockable, 3600.0), scale, ordeal)
    promised = f"after {LIMIT:g} s the process ends with status {EXIT_STATUS}, and another serves; {NO_LOSS}"
    seen = f"ended after {took[0]:.0f} s, guests served {longest:.1f} s later"
    return judge("reactor blocked for good", promised, told, seen, may_lose=True)


def frozen_worker(scale: Scale = TWO_HUNDRED) -> TrialResult:
    """Freeze one of two workers."""
    took: list[float] = []

    def ordeal(server: ServerProcess) -> float:
        os.kill(min(children_of(service_of(server) or 0)), signal.SIGSTOP)
        took.append(says(server, "is frozen; killing it", 2 * FROZEN_AFTER))
        return is_back(server)

    told, _ = suffer(partial(beside, "--workers", "2"), scale, ordeal)
    promised = f"after {FROZEN_AFTER:g} s it is killed and replaced, the other serves meanwhile; {NO_LOSS}"
    seen = f"killed after {took[0]:.0f} s"
    return judge("one of two workers frozen by SIGSTOP", promised, told, seen, may_lose=True)


def slept(seconds: float, scale: Scale = TWO_HUNDRED) -> TrialResult:
    """Stop the whole server for a while, as a machine that sleeps does; gateways hang up after 30 s."""

    def ordeal(server: ServerProcess) -> float:
        send(signal.SIGSTOP, server)
        time.sleep(seconds)
        send(signal.SIGCONT, server)
        longest = is_back(server)
        if "blocked for" in server.log.read_text(errors="replace"):
            raise RuntimeError("the watchdog took a stopped process for a blocked one")
        return longest

    told, longest = suffer(beside, scale, ordeal)
    seen = f"served again after {longest:.1f} s, and nobody was blamed"
    promised = f"whoever waited is answered (apfree-wifidog waits 2 s), the watchdog blames nobody; {NO_LOSS}"
    return judge(f"wifidogd stopped by SIGSTOP for {seconds:g} s", promised, told, seen)


TWO = partial(beside, "--workers", "2")
SLOW = 20.0
"""Seconds that three processes may take to begin on two busy cores."""

TRIALS: dict[str, Callable[[], list[TrialResult]]] = {
    "server-killed": lambda: [struck("wifidogd killed with SIGKILL", beside, kill, 20)],
    "server-stopped": lambda: [struck("wifidogd stopped by SIGTERM", beside, stop, 10, may_lose=False)],
    "server-killed-with-postgresql": lambda: [
        struck("wifidogd killed with SIGKILL, and its own PostgreSQL with it", embedded, kill, 20)
    ],
    "server-stopped-with-postgresql": lambda: [
        struck("wifidogd stopped by SIGTERM, and its own PostgreSQL with it", embedded, stop, 5, may_lose=False)
    ],
    "worker-killed": lambda: [
        struck("one of two workers killed with SIGKILL", TWO, kill_a_worker, 20, back_within=SLOW)
    ],
    "workers-killed": lambda: [struck("wifidogd --workers 2 killed with SIGKILL", TWO, kill, 10, back_within=SLOW)],
    "workers-stopped": lambda: [
        struck("wifidogd --workers 2 stopped by SIGTERM", TWO, stop, 5, may_lose=False, back_within=SLOW)
    ],
    "reactor-blocked": lambda: [slowed(8.0)],
    "reactor-hung": lambda: [hung()],
    "worker-frozen": lambda: [frozen_worker()],
    "server-slept": lambda: [slept(20.0)],
}
