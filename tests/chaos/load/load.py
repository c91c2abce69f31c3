"""Gateways and guests at a server, from a process of their own, and what they have to say about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.chaos.load.answers import Answer, Answers, Outcome
from tests.chaos.load.process import Orders
from tests.chaos.reporting_process import begin
from tests.support.testbed.server_process import ServerProcess
from wifidogd.simulation.statistics import Kind

END_WITHIN = 240.0


@dataclass(frozen=True, slots=True)
class Scale:
    """
    How much goes on.

    Each gateway pings once an interval and reports each of its guests once, one after another; a guest stays for eight
    intervals, and brings about five requests for pages and a login with each sign-in.

    @ivar interval: seconds, real ones, at least 1.
    """

    gateways: int
    guests: int
    interval: float


SMALL = Scale(gateways=12, guests=20, interval=1.0)
"""For CI: about 50 requests a second."""

TWO_HUNDRED = Scale(gateways=160, guests=400, interval=4.0)
"""About 200 requests a second, and nearly as many while each answer takes as long as it may."""


@dataclass(frozen=True, slots=True)
class Told:
    """
    What came of a load.

    @ivar answers: all of them.
    @ivar wrong: answers that no right server gives by what was acknowledged before, such as C{Auth: 0} for a guest who
        is online; C{faults} has the first in words.
    @ivar sessions: in the tables, that have been in use.
    @ivar open_questions: devices for which more than one sum is right, as some answer was missing.
    @ivar unchecked: devices of which the journal gave up keeping track.
    @ivar differences: between what was acknowledged and the tables, the first of them in words;
        C{difference_count} is how many.
    @ivar expected: octets by the journal.
    @ivar stored: octets by the tables.
    """

    answers: Answers
    wrong: int
    faults: Sequence[str]
    sessions: int
    open_questions: int
    unchecked: int
    differences: Sequence[str]
    difference_count: int
    expected: int
    stored: int

    def complaints(self) -> list[str]:
        """Return what is wrong with the stored sessions and the answers, whatever happened; nothing if all is right."""
        found = [f"wrong: {fault}" for fault in self.faults] + [f"books: {what}" for what in self.differences]
        if self.unchecked:
            found.append(f"{self.unchecked} devices were not kept track of")
        amiss = self.answers.outcomes[Outcome.AMISS]
        if amiss:
            found.append(f"{amiss} answers were none that docs/protocol.md promises")
        return found


class Load:
    """A load that has begun."""

    def __init__(
        self, server: ServerProcess | int, dsn: str, scale: Scale, home: Path, known_by: Sequence[int] = ()
    ) -> None:
        """
        Adopt gateways, wait until the servers know them, and let everybody live.

        @param server: or the port where gateways find it, on 127.0.0.1.
        @param dsn: the server's database; there must be nothing of another load in it.
        @param home: where it may write what goes wrong.
        @param known_by: the ports of all servers if C{server} is something in front of them.
        @raise RuntimeError: if it cannot begin.
        """
        port = server if isinstance(server, int) else server.port
        orders = Orders(port, list(known_by) or [port], dsn, **asdict(scale), seed=4)
        self._complaints = home / f"load-{port}.log"
        self._process = begin("tests.chaos.load.process", orders, self._complaints)

    def end(self) -> Told:
        """
        Send everybody home and let them finish, settle what is unsettled, and audit the tables.

        @raise RuntimeError: if the load itself went wrong.
        """
        said, _ = self._process.communicate(timeout=END_WITHIN)
        if self._process.returncode:
            raise RuntimeError(f"the load went wrong:\n{self._complaints.read_text(errors='replace')[-3000:]}")
        found = json.loads(said)
        answers = [
            Answer(at, took, Kind(kind), Outcome(outcome), token) for at, took, kind, outcome, token in found["answers"]
        ]
        told = {name: found["audit"][name] for name in Told.__slots__ if name in found["audit"]}
        return Told(Answers(answers), found["wrong"], found["faults"], **told)

    def abandon(self) -> None:
        """Take it away, whatever it is doing; does nothing once it has ended."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()
