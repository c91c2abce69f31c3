"""The whole HTTP side of the server in memory: real pages, no socket, no time, and a database that is away."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from tests.chaos.fuzz.connection import Line
from tests.chaos.fuzz.replies import Unfit, read_answers
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.server import WorkerIdentity
from wifidogd.settings import Options
from wifidogd.tap import auth_server
from wifidogd.web.portal.form_state import FormState
from wifidogd.web.server.connections.channel import ANSWER_DEADLINE, REQUEST_DEADLINE

LONGEST = 2 * (REQUEST_DEADLINE + ANSWER_DEADLINE) + 60
"""Seconds from the last answer to when every connection must be gone whose client says no more."""

NETWORK = Network(
    "default",
    "Café",
    (SignInMethod.SPLASH, SignInMethod.ACCOUNT, SignInMethod.VOUCHER),
    sign_up=True,
    terms={"en": "Be."},
)
GATEWAY = Gateway("gw1", "default", "10.0.0.1")
_PEER = IPv4Address("TCP", "192.0.2.7", 50123)
_BAD = (LogLevel.error, LogLevel.critical)


class _Clock(Clock):
    """Passes a little time between two turns, as every real one does; who asks for none is called all the same."""

    def callLater(self, when: float, *call: Any, **named: Any) -> Any:
        """As L{Clock.callLater}."""
        return super().callLater(max(when, 0.001), *call, **named)


class SiteInMemory:
    """
    A server as the composition root makes it, whose time only the test moves.

    The registry knows a gateway and a network; everything that needs the
    database is answered as while it is away.
    """

    def __init__(self) -> None:
        self.clock = _Clock()
        options = Options()
        words = ["--database", "dbname=nowhere", "--public-url", "http://wifi.example:8080"]
        mail = ["--mail", "smtp+tls://mail.example", "--mail-from", "wifi@hotel.example"]
        options.parseOptions(words + mail)
        service = auth_server(options.settings, WorkerIdentity(1, 1, self.clock, print), self.clock, utc_now=self.now)
        self.components = service.components
        self.site = service.components.site
        directory: Any = service.components.registry
        directory.signing_secret = "secret"
        directory._gateways, directory._networks = {"gw1": GATEWAY}, {"default": NETWORK}
        self.state = FormState(directory, self.now)
        self.trouble: list[LogEvent] = []

    def now(self) -> datetime:
        """Return the time of its wall clock."""
        return datetime.fromtimestamp(1_795_000_000 + self.clock.seconds(), UTC)

    def __enter__(self) -> SiteInMemory:
        globalLogPublisher.addObserver(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        globalLogPublisher.removeObserver(self._note)

    def _moves(self, line: Line) -> bool:
        """Run one turn of the reactor; return whether the server has sent something."""
        said = len(line.sent) + len(line.unsent)
        line.settle()
        self.clock.advance(0.002)
        return line.is_open and len(line.sent) + len(line.unsent) > said

    def _note(self, event: LogEvent) -> None:
        if "log_failure" in event or event.get("log_level") in _BAD:
            self.trouble.append(event)

    def hear(
        self,
        pieces: Iterable[bytes],
        *,
        reads: bool = True,
        finishes: bool = False,
        vanishes: bool = False,
        longest: int = LONGEST,
    ) -> list[int]:
        """
        Let one client come, say something, and wait until it is sent away.

        @param reads: whether it takes what it is sent.
        @param finishes: whether it closes its half after what it said.
        @param vanishes: whether it goes by RST then.
        @param longest: seconds after the last answer, or the last part of one, when it must be gone.
        @return: the status of each answer.
        @raise Unfit: if an answer is none, the connection outlives its deadlines, or anything was logged as an error.
        """
        protocol = self.site.buildProtocol(_PEER)
        assert protocol is not None
        line = Line(protocol, reads=reads)
        line.say(pieces)
        if finishes:
            line.half_close()
        if vanishes:
            line.vanish()
        silent, said = 0, 0
        while line.is_open and silent < longest:
            self.clock.advance(1)
            while self._moves(line):
                pass
            known, said = said, len(line.sent) + len(line.unsent)
            silent = silent + 1 if said == known else 0
        codes = read_answers(bytes(line.sent + line.unsent), complete=reads and not vanishes)
        if line.is_open or self.site.metrics()["clients"] or self.site.connections.upgraded:
            raise Unfit("a connection without end")
        if self.trouble:
            raise Unfit(formatEvent(self.trouble.pop()) or "an error was logged")
        return codes
