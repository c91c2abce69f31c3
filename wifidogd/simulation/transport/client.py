"""The HTTP client of gateways and guests: one request, one connection, one answer."""

from __future__ import annotations

import re
from collections import deque
from enum import Enum

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IConnector, IReactorTCP, IReactorTime
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from wifidogd.simulation.transport.frames import RouterFrames

PATIENCE = 30.0
"""Seconds until a guest gives up; as all patience, it does not run faster with simulated time."""

MOST_OPEN = 200
"""Connections at once; a request beyond them waits for one to end."""

MOST_WEBSOCKETS = 500
"""Routers that keep a WebSocket; with them and L{MOST_OPEN} a process has fewer than the usual 1,024 files open."""

LONGEST_ANSWER = 1_000_000
"""Octets."""

_LENGTH = re.compile(rb"\r\nContent-Length: *([0-9]{1,9})(?:\r\n|\Z)", re.IGNORECASE)


class NoAnswer(Enum):
    """
    Why there is no answer.

    C{REFUSED}: the connection was not made, so the server has not seen the request; C{LOST}: it may have.
    """

    REFUSED = "not reached"
    LOST = "no answer"


class IClientReactor(IReactorTCP, IReactorTime):
    """What the client needs of a reactor."""


class HttpClient:
    """Sends requests to one server, a bounded number at a time."""

    def __init__(self, host: str, port: int, *, reactor: IClientReactor) -> None:
        self._host = host
        self._port = port
        self._reactor = reactor
        self._exchanges: set[_Exchange] = set()
        self._waiting: deque[Deferred[None]] = deque()
        self._is_cut = False
        self._websockets = 0

    async def ask(self, request: bytes, patience: float | None = None) -> tuple[bytes | NoAnswer, float]:
        """
        Send a request on a connection of its own and read until the server hangs up.

        If the request asks for a connection that stays open, as wifidog-ng 1.x does, its length ends the answer.

        @param patience: seconds until it is given up; None for L{PATIENCE}.
        @return: all that was received, or why there is nothing; and the seconds that it took.
        """
        if len(self._exchanges) >= MOST_OPEN:
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            await turn
        if self._is_cut:
            return NoAnswer.REFUSED, 0.0
        exchange = _Exchange(request)
        self._exchanges.add(exchange)
        started = self._reactor.seconds()
        exchange.connector = self._reactor.connectTCP(self._host, self._port, exchange, timeout=None)  # type: ignore[arg-type]
        giving_up = self._reactor.callLater(PATIENCE if patience is None else patience, exchange.give_up)
        answer = await exchange.answer
        if giving_up.active():
            giving_up.cancel()
        self._exchanges.discard(exchange)
        if self._waiting:
            self._waiting.popleft().callback(None)
        return answer, self._reactor.seconds() - started

    def reserve_websocket(self) -> bool:
        """Return whether one router more may keep a WebSocket; of these there are L{MOST_WEBSOCKETS}."""
        self._websockets += 1
        return self._websockets <= MOST_WEBSOCKETS

    def open(self, frames: RouterFrames) -> None:
        """Open a WebSocket of a router for which one was reserved."""
        frames.connect(self._host, self._port, reactor=self._reactor)

    def cut(self) -> None:
        """Abort all connections and open no more."""
        self._is_cut = True
        for exchange in list(self._exchanges):
            exchange.give_up()
        while self._waiting:
            self._waiting.popleft().callback(None)


class _Exchange(ClientFactory):
    """One request and its answer."""

    noisy = False

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.answer: Deferred[bytes | NoAnswer] = Deferred()
        self.connector: IConnector | None = None
        self.connection: _ExchangeProtocol | None = None

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Make the protocol of the only connection."""
        self.connection = _ExchangeProtocol(self)
        return self.connection

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Record that no connection was made."""
        self.answer.callback(NoAnswer.REFUSED)

    def give_up(self) -> None:
        """Abort the connection without waiting any longer."""
        if self.connection is not None and self.connection.transport is not None:
            self.connection.transport.abortConnection()  # type: ignore[attr-defined]
        elif self.connector is not None:
            self.connector.stopConnecting()


class _ExchangeProtocol(Protocol):
    """Sends the request and reads the answer."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange
        head = exchange.request.partition(b"\r\n\r\n")[0]
        self._stays_open = b" HTTP/1.1\r\n" in head and b"\r\nConnection: close" not in head
        self._received: list[bytes] = []
        self._octets = 0

    def connectionMade(self) -> None:
        """Send the request."""
        assert self.transport is not None
        self.transport.write(self._exchange.request)

    def dataReceived(self, data: bytes) -> None:
        """Collect the answer, up to L{LONGEST_ANSWER}."""
        self._received.append(data)
        self._octets += len(data)
        if self._octets > LONGEST_ANSWER:
            self._exchange.give_up()
        elif self._stays_open and _is_whole(b"".join(self._received)):
            assert self.transport is not None
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Return what was received; a connection that broke, or was closed without an octet, is no answer."""
        is_whole = self._received and reason.check(ConnectionDone)
        self._exchange.answer.callback(b"".join(self._received) if is_whole else NoAnswer.LOST)


def _is_whole(answer: bytes) -> bool:
    """Return whether an answer is as long as its head says."""
    head, end, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(end) and length is not None and len(body) >= int(length[1])
