"""One request, one connection, one answer: how gateways and guests reach the server."""

from __future__ import annotations

from collections import deque
from enum import Enum

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IConnector, IReactorTCP, IReactorTime
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

PATIENCE = 30.0
"""Seconds until a gateway or a guest gives up (wifidog-gateway C{src/simple_http.c}); they do not run faster."""

MOST_OPEN = 200
"""Connections at once; whoever wants one more waits for one to end."""

LONGEST_ANSWER = 1_000_000
"""Octets."""


class Silence(Enum):
    """Why there is no answer: nobody took the call, so nothing was heard; or nobody knows whether it was heard."""

    REFUSED = "not reached"
    LOST = "no answer"


class ILineReactor(IReactorTCP, IReactorTime):
    """What a line needs of a reactor."""


class Line:
    """Carries requests to one server, a bounded number at a time."""

    def __init__(self, host: str, port: int, *, reactor: ILineReactor) -> None:
        self._host = host
        self._port = port
        self._reactor = reactor
        self._calls: set[_Call] = set()
        self._waiting: deque[Deferred[None]] = deque()
        self._is_cut = False

    async def ask(self, request: bytes) -> tuple[bytes | Silence, float]:
        """
        Send a request on a connection of its own and read until the server hangs up.

        @return: all that was received, or why there is nothing; and the seconds that it took.
        """
        if len(self._calls) >= MOST_OPEN:
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            await turn
        if self._is_cut:
            return Silence.REFUSED, 0.0
        call = _Call(request)
        self._calls.add(call)
        started = self._reactor.seconds()
        call.connector = self._reactor.connectTCP(self._host, self._port, call, timeout=None)  # type: ignore[arg-type]
        patience = self._reactor.callLater(PATIENCE, call.give_up)
        answer = await call.answer
        if patience.active():
            patience.cancel()
        self._calls.discard(call)
        if self._waiting:
            self._waiting.popleft().callback(None)
        return answer, self._reactor.seconds() - started

    def cut(self) -> None:
        """End all calls and allow no more."""
        self._is_cut = True
        for call in list(self._calls):
            call.give_up()
        while self._waiting:
            self._waiting.popleft().callback(None)


class _Call(ClientFactory):
    """One try to get an answer."""

    noisy = False

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.answer: Deferred[bytes | Silence] = Deferred()
        self.connector: IConnector | None = None
        self.ear: _Ear | None = None

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Make the protocol of the only connection."""
        self.ear = _Ear(self)
        return self.ear

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Note that nobody took the call."""
        self.answer.callback(Silence.REFUSED)

    def give_up(self) -> None:
        """Hang up without waiting any longer."""
        if self.ear is not None and self.ear.transport is not None:
            self.ear.transport.abortConnection()  # type: ignore[attr-defined]
        elif self.connector is not None:
            self.connector.stopConnecting()


class _Ear(Protocol):
    """Says the request and listens to the end."""

    def __init__(self, call: _Call) -> None:
        self._call = call
        self._heard: list[bytes] = []
        self._octets = 0

    def connectionMade(self) -> None:
        """Speak first."""
        assert self.transport is not None
        self.transport.write(self._call.request)

    def dataReceived(self, data: bytes) -> None:
        """Listen, but not for ever."""
        self._heard.append(data)
        self._octets += len(data)
        if self._octets > LONGEST_ANSWER:
            self._call.give_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Take what was said; a connection that broke, or was closed without a word, is no answer."""
        is_whole = self._heard and reason.check(ConnectionDone)
        self._call.answer.callback(b"".join(self._heard) if is_whole else Silence.LOST)
