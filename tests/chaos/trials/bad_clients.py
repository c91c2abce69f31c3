"""Hostile and clumsy clients beside gateways that just report: everybody else is served, and nothing is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import stored_guests
from benchmarks.loads import hostile
from benchmarks.loads.contender import Deployment, InitialState
from benchmarks.loads.crowd import Visits
from benchmarks.loads.good_requests import Answers, GoodRequests
from benchmarks.loads.load_result import LoadResult
from tests.chaos.clients.bad_clients import BAD_CLIENTS, CROWD, FAMILIES, BadClient
from tests.chaos.clients.client_process import Away
from tests.chaos.report.trial_result import TrialResult
from tests.support.testbed.certificate import write_certificate
from tests.support.testbed.process_cost import open_in_tree
from tests.support.testbed.process_watch import Span, Watch
from tests.support.testbed.server_process import ServerProcess, free_port
from tests.support.testbed.testbed import Testbed
from wifidogd.web.server.connections.channel import REQUEST_DEADLINE

GOOD, RATE = "Auth: 1", 5.0
GONE_WITHIN = 5.0
"""Seconds after which nothing is held any more of clients that have left."""

MOST_MEMORY, MOST_LOG = 64_000_000, 20_000
LONG, SETTLED = 15.0, 0.5
"""Seconds: long enough to be sent away, and for a process of clients to begin."""

NO_DISK = {"fsync": "off", "synchronous_commit": "off"}
"""Settings of PostgreSQL: a slow disk is not the subject."""

KNOWN_AFTER = 1.5
"""Seconds until a server has seen gateways that were put into its database."""

_SENT_AWAY = REQUEST_DEADLINE + 3.0
_PROMISED = (
    "5 reports a second all served within 5 s; CPU bounded; descriptors back 5 s after they left; at most 64 MB of "
    "memory and 20 kB of log"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What came of good requests while clients of one kind were there.

    @ivar left: descriptors that were not closed after they had gone.
    """

    name: str
    answers: Answers
    visits: Visits
    span: Span
    left: int

    @property
    def cpu(self) -> float:
        """Percent of a core."""
        return 100 * self.span.cpu / self.span.seconds

    @property
    def was_long(self) -> bool:
        """Whether it took long enough for them to be sent away."""
        return self.span.seconds >= LONG

    def missed(self) -> list[str]:
        """Return the promises that were not kept, but for that on the CPU, which a busy machine may break."""
        unserved = self.answers.other_than(GOOD)
        kept = self.was_long and not BAD_CLIENTS[self.name].is_kept_for_a_while
        found = {
            f"{unserved} of {self.answers.count} not served: {dict(self.answers.outcomes)}": unserved,
            "nobody asked": not self.answers.count,
            f"{self.left} descriptors left": self.left > 0,
            f"{self.span.memory_growth / 1e6:.0f} MB more": self.span.memory_growth > MOST_MEMORY,
            f"{self.span.log} octets of log": self.span.log > MOST_LOG,
            f"kept for {self.visits.longest:.1f} s": kept and self.visits.longest > _SENT_AWAY,
            "not sent away": kept and self.visits.sent_away < BAD_CLIENTS[self.name].count,
        }
        return [f"{self.name}: {what}" for what, is_so in found.items() if is_so]

    def all_missed(self) -> list[str]:
        """Return the promises that were not kept."""
        is_busy = self.cpu > BAD_CLIENTS[self.name].busy
        return self.missed() + ([f"{self.name}: {self.cpu:.0f} % of a core"] if is_busy else [])

    def text(self) -> str:
        """Return it as one line."""
        p50, worst = self.answers.latency_ms(0.5), self.answers.latency_ms(1)
        return (
            f"{self.name}: {self.visits.opened} came, {self.visits.sent_away} sent away after "
            f"{self.visits.longest:.0f} s at most; reports {p50:.0f} ms, {worst:.0f} at worst; CPU {self.cpu:.0f} %, "
            f"{self.span.memory_growth / 1e6:.1f} MB, {self.span.log} octets of log"
        )


def deploy(testbed: Testbed, *, descriptors: int | None = None) -> tuple[Deployment, int]:
    """
    Start a server on a database with gateways and guests online.

    @param descriptors: its C{ulimit -n}; None for ours.
    @return: it, and the port where it speaks TLS.
    """
    dsn, initial_state = testbed.create_database(), InitialState(guests=100, gateways=10)
    port, both = free_port(), write_certificate(testbed.home)
    tls = f"ssl:{port}:interface=127.0.0.1:privateKey={both}:certKey={both}"
    server = testbed.wifidogd(dsn, "--listen", tls, descriptors=descriptors)
    stored_guests.adopt(dsn, initial_state.gateways)
    stored_guests.admit(dsn, initial_state.guests, initial_state.gateways)
    time.sleep(KNOWN_AFTER)
    there: Any = testbed
    return Deployment(there, server, dsn, initial_state), port


def meet(deployment: Deployment, tls_port: int, name: str, seconds: float, count: int | None = None) -> Seen:
    """
    Let clients of one kind come while gateways report, and leave.

    @param count: how many; None for as many as such clients are.
    """
    bad_client: BadClient = BAD_CLIENTS[name]
    watch, before = Watch(deployment.server), open_in_tree(deployment.server.pid)
    begin = time.monotonic()
    port = tls_port if bad_client.tls else deployment.port
    away = Away(name, port, seconds + 2 * SETTLED, count or bad_client.count)
    time.sleep(SETTLED)
    answers = GoodRequests(deployment.reports(RATE, seconds)).answers()
    visits = away.visits()
    end = time.monotonic()
    left = until_gone(deployment.server, before)
    watch.end()
    return Seen(name, answers, visits, watch.between(begin, end), left)


def until_gone(server: ServerProcess, before: int) -> int:
    """Wait until no more descriptors are open than before, and say how many are after all."""
    give_up = time.monotonic() + GONE_WITHIN
    while (left := open_in_tree(server.pid) - before) > 0 and time.monotonic() < give_up:
        time.sleep(0.05)
    return max(0, left)


def trial() -> Sequence[TrialResult]:
    """Run every kind of client for as long as it takes the server to disconnect it."""
    with Testbed(NO_DISK) as testbed:
        deployment, tls_port = deploy(testbed)
        rows = [compared(load(deployment, "wifidogd", False), fault) for fault, load in BENCHED.items()]
        for fault, family in FAMILIES.items():
            rows.append(summed_up(fault, family, [told(meet(deployment, tls_port, name, LONG)) for name in family]))
        narrow, narrow_tls_port = deploy(testbed, descriptors=1024)
        rows.append(compared(hostile.too_many(narrow, "wifidogd", False), "1,100 silent clients at ulimit -n 1024"))
        crowd = [told(meet(narrow, narrow_tls_port, name, LONG)) for name in CROWD]
        rows.append(summed_up("crowds of 1,100 clients that come again, at ulimit -n 1024", CROWD, crowd))
    return rows


def told(seen: Seen) -> Seen:
    """Print the result so far."""
    print(f"  {seen.text()}", flush=True)
    return seen


def summed_up(fault: str, family: Mapping[str, BadClient], found: Sequence[Seen]) -> TrialResult:
    """Put what was seen of several kinds into one row, the worst of each."""
    answers = Answers([sample for seen in found for sample in seen.answers.samples])
    count = answers.count
    served = count - answers.other_than(GOOD)
    seen = (
        f"{served} of {count} served, {answers.latency_ms(0.5):.0f} ms, worst {answers.latency_ms(1):.0f} ms; CPU "
        f"{max(each.cpu for each in found):.0f} %, {max(each.span.memory_growth for each in found) / 1e6:.0f} MB, "
        f"{max(each.span.log for each in found)} octets of log at most; "
        f"{sum(each.left for each in found)} descriptors left"
    )
    load = f"5 reports a second; {sum(each.visits.opened for each in found)} clients came: {', '.join(family)}"
    return TrialResult(fault, load, _PROMISED, seen, [what for each in found for what in each.all_missed()])


TRIALS = {"clients": trial}

BENCHED: Mapping[str, Callable[[Deployment, str, bool], LoadResult]] = {
    "400 clients a second that vanish by RST": hostile.vanishing,
    "2 silent clients and 20 a second that vanish": hostile.few_bad,
    "120 each of silent, half a head, half a body, never reading": hostile.many_bad,
    "reports followed by FIN, 20 a second": hostile.half_closing,
}
"""What the old stack was measured with, too."""


def compared(row: LoadResult, fault: str) -> TrialResult:
    """Put a row of the benchmarks into one of ours."""
    limits = row.limits
    bound = "; ".join(f"{limit.name.partition(': ')[2]} at most {limit.most}" for limit in limits)
    seen = "; ".join(f"{name} {figure:.3g}" for name, figure in row.figures.items())
    missed = [f"{limit.name}: {limit.value:.3g}" for limit in limits if not limit.is_held]
    outcomes = ", ".join(f"{count} {name}" for name, count in row.outcomes.items())
    return TrialResult(fault, f"good requests: {outcomes}", bound, seen, missed)
