"""A router with apfree-wifidog as it comes and goes: its WebSocket, its lists of clients, its guests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.task import LoopingCall, deferLater
from twisted.python.failure import Failure

from tests.support.testbed.fake_router import BUFFER, FakeRouter, upgrade_request
from wifidogd.domain.sessions import Octets
from wifidogd.simulation.families.apfree import Apfree, device_of
from wifidogd.simulation.families.family import Line
from wifidogd.simulation.transport.client import HttpClient, NoAnswer
from wifidogd.simulation.transport.wire import Server

AGAIN_AFTER_REFUSAL, AGAIN_AFTER_CLOSE, AGAIN_AFTER_END = 2.0, 3.0, 5.0
"""Seconds until it comes back: docs/protocol.md 7.1."""

HEARTBEAT = 6.0
"""Seconds between two heartbeats, ten times as many as a real one sends."""

GREW_BY = 1000
"""Octets that a guest uses from one list to the next, in each direction."""

DENIED = 0


@dataclass(slots=True)
class Guest:
    """
    A guest who is online.

    @ivar told: octets that have been reported, both directions together, and acknowledged.
    @ivar perhaps: what has been reported since and may have been counted or not.
    @ivar gone_at: when the router threw them off; 0 until then.
    @ivar gone_by: C{"kickoff"} or C{"report"}.
    """

    ip: str
    mac: str
    token: str
    number: int
    octets: int = 0
    told: int = 0
    perhaps: list[int] = field(default_factory=list)
    gone_at: float = 0.0
    gone_by: str = ""

    def go(self, why: str) -> None:
        """Take them off the router's list."""
        if not self.gone_at:
            self.gone_at, self.gone_by = monotonic(), why


@dataclass(slots=True)
class Course:
    """
    What has happened to a router; instants are those of C{time.monotonic()}.

    @ivar attempts: when it asked for a WebSocket, reached or not.
    @ivar opened: when it had one.
    @ivar closed: when it had none any more.
    @ivar codes: of the close frames that it was sent; -1 where there was none.
    @ivar lost: octets that it did not look at, as it reads one frame at a time.
    @ivar lists: answered with a code for each client, and C{unanswered} those that were not.
    """

    attempts: list[float] = field(default_factory=list)
    opened: list[float] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    lost: int = 0
    lists: int = 0
    unanswered: int = 0


class _Connection(FakeRouter):
    """One WebSocket of a router, which may be refused."""

    def __init__(self, router: Router) -> None:
        super().__init__(device_of(router.gw_id), (router.gw_id,))
        self._router = router
        self.is_refused = False

    def dataReceived(self, data: bytes) -> None:
        """Read as the router does: an answer of 1,024 octets or more is never read."""
        if self.is_open:
            super().dataReceived(data)
            return
        self.head += data
        if len(self.head) <= BUFFER and b"\r\n\r\n" in self.head:
            if self.head.startswith(b"HTTP/1.1 101"):
                self._read_head()
            else:
                self.is_refused = True
                self.leave()

    def _take(self, message: dict) -> None:
        if message.get("op") == "kickoff":
            self._router.throw_off(message["client_mac"])
        super()._take(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note the end."""
        if not self.opened.called:
            self.opened.callback(None)
        super().connectionLost(reason)


class Router:
    """One router; it goes on until L{stop}."""

    def __init__(self, gw_id: str, port: int, guests: Sequence[Guest], client: HttpClient, path: str) -> None:
        """
        @param client: for its lists of clients, which go to the same port.
        @param path: where it asks for a WebSocket.
        """
        self.gw_id = gw_id
        self.guests = list(guests)
        self.course = Course()
        self._port = port
        self._client = client
        self._path = path
        self._is_over = False
        self._connection: _Connection | None = None
        self._listing = LoopingCall(lambda: Deferred.fromCoroutine(self.report()))

    def start(self, interval: float) -> None:
        """Connect, and send a list of clients so often."""
        Deferred.fromCoroutine(self._keep_connected()).addErrback(_complain)
        if self.guests:
            self._listing.start(interval).addErrback(_complain)

    def stop(self) -> None:
        """Hang up and send nothing more but what L{report} is called for."""
        self._is_over = True
        if self._listing.running:
            self._listing.stop()
        if self._connection is not None:
            self._connection.leave()

    def stop_reading(self) -> None:
        """Become deaf, as one does for which too much was waiting; its heartbeats go on until they cannot be sent."""
        if self._connection is not None and self._connection.transport is not None:
            self._connection.transport.pauseProducing()  # type: ignore[attr-defined]

    def throw_off(self, mac: str) -> None:
        """Do as the server says."""
        for guest in self.guests:
            if guest.mac == mac:
                guest.go("kickoff")

    async def report(self) -> None:
        """Send the list of clients, and do what the answer says."""
        listed = [guest for guest in self.guests if not guest.gone_at]
        for guest in listed:
            guest.octets += 2 * GREW_BY
            guest.perhaps.append(guest.octets)
        lines = [
            Line(guest.ip, guest.mac, guest.token, Octets(guest.octets // 2, guest.octets // 2), guest.number)
            for guest in listed
        ]
        family, server = Apfree(), Server("127.0.0.1", self._port, "/wifidog/")
        said = {guest.mac: guest.octets for guest in listed}
        answer, _ = await self._client.ask(family.report_list(server, self.gw_id, lines), family.patience)
        codes = {} if isinstance(answer, NoAnswer) else family.read_list(answer, lines)
        self.course.lists += 1
        self.course.unanswered += len(codes) < len(listed)
        for guest in listed:
            if guest.gone_at and codes.get(guest.mac) == DENIED:
                continue  # thrown off meanwhile: the list may have come before that or after it
            if guest.mac in codes:
                guest.told = said[guest.mac]
                guest.perhaps = [octets for octets in guest.perhaps if octets > guest.told]
                if codes[guest.mac] == DENIED:
                    guest.go("report")

    async def _keep_connected(self) -> None:
        while not self._is_over:
            self.course.attempts.append(monotonic())
            await deferLater(reactor, await self._connect())  # type: ignore[arg-type]

    async def _connect(self) -> float:
        """
        Connect and stay connected for as long as that lasts.

        @return: seconds until it tries again.
        """
        connection = self._connection = _Connection(self)
        factory = Factory.forProtocol(lambda: connection)
        factory.noisy = False
        try:
            await HostnameEndpoint(reactor, "127.0.0.1", self._port, timeout=2.0).connect(factory)
        except Exception:
            return AGAIN_AFTER_REFUSAL
        connection.write(upgrade_request(self._path))
        await connection.opened
        if connection.is_open:
            await self._talk(connection)
            self.course.closed.append(monotonic())
            self.course.codes.append(-1 if connection.closed_with is None else connection.closed_with)
            self.course.lost += connection.lost
            return AGAIN_AFTER_END if connection.closed_with is None else AGAIN_AFTER_CLOSE
        await connection.closed
        return AGAIN_AFTER_REFUSAL if connection.is_refused else AGAIN_AFTER_END

    async def _talk(self, connection: _Connection) -> None:
        self.course.opened.append(monotonic())
        connection.greet()
        beating = LoopingCall(connection.greet, "heartbeat")
        beating.start(HEARTBEAT, now=False).addErrback(_complain)
        await connection.closed
        beating.stop()


def _complain(failure: Failure) -> None:
    failure.printTraceback()
