"""Two wifidogd on one PostgreSQL behind HAProxy as documented; whatever happens to one, gateways go on."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.load.answers import Answers, Outcome
from tests.chaos.load.load import TWO_HUNDRED, Load, Scale, Told
from tests.chaos.report.trial_result import TrialResult
from tests.chaos.trials.database_promises import PAGES
from tests.chaos.trials.standby import PrimaryAndStandby
from tests.support.checkout import ROOT
from tests.support.testbed.server_process import ServerProcess, free_port, is_healthy
from tests.support.testbed.testbed import Testbed
from wifidogd.simulation.statistics import Kind

DOCUMENTED = ROOT / "docs" / "haproxy.cfg"
"""What is tested is what operators copy."""

QUICK = 4.5
"""Seconds in which pings, counters and logouts are answered: HAProxy asks the other server after 3."""

REPORTS = (Kind.COUNTERS, Kind.LIST, Kind.LOGOUT)

PATIENT = 13.5
"""Seconds in which logins and pages are answered: HAProxy gives a server up after 12."""


class TwoServers(Testbed):
    """
    A testbed with two servers and HAProxy in front of them.

    @ivar servers: each listens at a port for HAProxy, and at one of its own.
    @ivar proxy: what gateways and guests talk to.
    """

    def open(self, dsn: str) -> None:
        """Start everything."""
        self._dsn = dsn
        self._behind, self._beside = [free_port(), free_port()], [free_port(), free_port()]
        self.servers = [self._start(0), self._start(1)]
        self.proxy = self._start_proxy()

    def load(self, scale: Scale) -> Load:
        """Run gateways and guests that know the proxy only."""
        return Load(self.proxy.port, self._dsn, scale, self.home, known_by=self._beside)

    def start_again(self, number: int) -> None:
        """Do what systemd does when a server has gone, and wait until it serves."""
        self.servers[number] = self._start(number)

    def _start(self, number: int) -> ServerProcess:
        listen = f"haproxy:tcp:{self._behind[number]}:interface=127.0.0.1"
        return self.wifidogd(self._dsn, "--listen", listen, port=self._beside[number])

    def _start_proxy(self) -> ServerProcess:
        port = free_port()
        text = DOCUMENTED.read_text()
        for there, here in (
            ("bind :80\n", f"bind 127.0.0.1:{port}\n"),
            ("10.0.0.11:8080", f"127.0.0.1:{self._behind[0]}"),
            ("10.0.0.12:8080", f"127.0.0.1:{self._behind[1]}"),
            ("/etc/haproxy/", f"{DOCUMENTED.parent}/"),
            ("gt 2000 }", "gt 200000 }"),  # here all sites have one source
            ("gt 200 }", "gt 20000 }"),
        ):
            if there not in text:
                raise RuntimeError(f"{DOCUMENTED} does not say {there!r} any more")
            text = text.replace(there, here)
        file = self.home / "haproxy.cfg"
        file.write_text(text)
        return self.serve([haproxy(), "-db", "-f", str(file)], port=port, is_ready=is_healthy)


def haproxy() -> str:
    """@raise RuntimeError: if it is not installed."""
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise RuntimeError("this trial needs HAProxy: apt install haproxy")
    return program


@dataclass(frozen=True, slots=True)
class Blow:
    """
    Something that happens to a pair.

    @ivar what: in words.
    @ivar strike: does it, and returns when it is over.
    """

    what: str
    strike: Callable[[TwoServers], None]


def killed(times: int, pause: float = 2.0) -> Blow:
    """Kill one and the other in turn, each as soon as both serve again; the last stays dead."""

    def strike(pair: TwoServers) -> None:
        for number in range(times):
            if number:
                pair.start_again((number - 1) % 2)
                time.sleep(pause)
            os.kill(pair.servers[number % 2].pid, signal.SIGKILL)
            time.sleep(pause)

    what = f"one of two servers killed with SIGKILL {times} times, in turn, each started again {pause:g} s later"
    return Blow(what, strike)


def updated() -> Blow:
    """Stop one and start it again, then the other, as for an update."""

    def strike(pair: TwoServers) -> None:
        for number in range(2):
            pair.servers[number].end()
            pair.start_again(number)
            time.sleep(3)

    return Blow("two servers stopped and started again, one after the other", strike)


def frozen(seconds: float) -> Blow:
    """Stop one without a word, as a machine does that is moved or swaps."""

    def strike(pair: TwoServers) -> None:
        os.kill(pair.servers[0].pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pair.servers[0].pid, signal.SIGCONT)

    return Blow(f"one of two servers frozen by SIGSTOP for {seconds:g} s", strike)


def without_database(seconds: float) -> Blow:
    """Stop PostgreSQL, so that neither server is healthy."""

    def strike(pair: TwoServers) -> None:
        pair.postgres.stop()
        time.sleep(seconds)
        pair.postgres.start()

    return Blow(
        f"PostgreSQL stopped for {seconds:g} s behind two servers, so that HAProxy finds neither healthy", strike
    )


class TwoServersAndStandby(TwoServers, PrimaryAndStandby):
    """Two servers, two databases, and HAProxy: the whole of docs/high-availability.md."""


def promoted(seconds: float) -> Blow:
    """Kill the primary of L{TwoServersAndStandby}, and promote its standby a while later."""

    def strike(pair: TwoServers) -> None:
        assert isinstance(pair, TwoServersAndStandby)
        with pair.crashed(pair.postgres, ""):
            time.sleep(seconds)

    return Blow(f"two servers: primary killed with SIGKILL, synchronous standby promoted {seconds:g} s later", strike)


@dataclass(frozen=True, slots=True)
class Felt:
    """A blow, and when it began and was over and done with."""

    blow: Blow
    began: float
    until: float


def suffer(
    blows: Sequence[Blow], scale: Scale, *, before: float, after: float, testbed: type[TwoServers] = TwoServers
) -> list[TrialResult]:
    """
    Let a pair go through blows under one load, and say how it was.

    @param before: seconds of peace; the first half is for everybody to arrive.
    @param after: seconds to watch after each blow.
    """
    with testbed() as pair:
        pair.open(pair.create_database())
        with pair.load(scale) as load:
            time.sleep(before)
            felt = []
            peace = (time.monotonic() - before / 2, time.monotonic())
            for blow in blows:
                began = time.monotonic()
                blow.strike(pair)
                time.sleep(after)
                felt.append(Felt(blow, began, time.monotonic()))
            told = load.end()
    rate = len(told.answers.between(*peace)) / (peace[1] - peace[0])
    load_text = f"{scale.guests} guests at {scale.gateways} gateways, {rate:.0f} requests a second, through HAProxy"
    return [judged(each, told, load_text) for each in felt]


def judged(felt: Felt, told: Told, load: str) -> TrialResult:
    """Hold what was seen against what was promised."""
    answers = told.answers.between(felt.began, felt.until)
    quick, patient = answers.of(Kind.PING, *REPORTS), answers.of(Kind.LOGIN, *PAGES)
    counts = ", ".join(f"{count} {outcome.value}" for outcome, count in answers.outcomes.most_common())
    return TrialResult(
        felt.blow.what,
        load,
        f"every request answered as docs/protocol.md 3.2 has it: pings, counters and logouts within {QUICK:g} s, "
        f"logins and pages within {PATIENT:g} (apfree-wifidog waits 2 s); every ping with its Pong; "
        "nobody thrown off; books balance",
        f"{counts}; longest ping {answers.of(Kind.PING).longest:.2f} s, counters and logouts "
        f"{answers.of(*REPORTS).longest:.2f}, others {patient.longest:.2f}; "
        f"{told.wrong} wrong answers; {told.sessions} sessions and {told.stored} octets stored, "
        f"{told.difference_count} differences ({told.open_questions} devices with more than one right sum)",
        [*misses(answers, quick, patient), *told.complaints()],
    )


def misses(answers: Answers, quick: Answers, patient: Answers) -> Iterator[str]:
    """List the promises that were not kept."""
    silent = answers.outcomes[Outcome.LOST] + answers.outcomes[Outcome.REFUSED]
    if silent:
        yield f"{silent} requests got no answer"
    for name, some, limit in (("pings, counters and logouts", quick, QUICK), ("logins and pages", patient, PATIENT)):
        if some.longest > limit:
            yield f"{name} took up to {some.longest:.2f} s, and {limit:g} were promised"


def pair() -> list[TrialResult]:
    """Do everything to a pair, under two hundred requests a second."""
    blows = [updated(), frozen(10), without_database(10), killed(6), promoted(5)]
    return suffer(blows, TWO_HUNDRED, before=20, after=10, testbed=TwoServersAndStandby)


TRIALS = {"pair": pair}
