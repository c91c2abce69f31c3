"""
HTTP over one connection, with a deadline for everything that a client may drag out.

Clients that vanish, stall or never read are normal at a hotspot; each of them
costs a descriptor for a bounded time and no line in the log.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

from wifidogd.runtime.deadlines import Deadline
from wifidogd.web.server.connections.slow_clients import SlowClients
from wifidogd.web.server.connections.upgradable import UpgradableChannel
from wifidogd.web.server.tls import is_tcp, start_tls

REQUEST_DEADLINE = 10
"""Seconds for a whole request, head and body, from the connection or the end of the last answer."""

ANSWER_DEADLINE = 30
"""Seconds in which a client must read its answer once nothing more follows."""


@implementer(IHalfCloseableProtocol)
class Channel(UpgradableChannel):
    """
    One connection of a client, which may close its half after its request.

    @ivar has_plain_port: whether the client speaks TLS at a port of plain HTTP.
    """

    has_plain_port = False
    _is_secure = False
    _is_closing = False
    _peer_has_finished = False
    _turn: IDelayedCall | None = None

    def __init__(self) -> None:
        super().__init__()
        self._deadline: Deadline[Channel] | None = None
        self._among: SlowClients[Channel] | None = None
        self._unread: Request | None = None

    def connectionMade(self) -> None:
        """Start the deadline, or drop the client if there are too many."""
        super().connectionMade()
        self._is_secure = bool(super().isSecure())
        if not self.site.connections.add(self):
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop counting the client."""
        self._stop_waiting()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self.site.connections.remove(self)
        super().connectionLost(reason)

    def start_tls(self, data: bytes) -> bool:
        """Speak TLS from now on; what the client may hold, and for how long, stays as it was."""
        tls = self.site.tls
        if self._is_secure or tls is None or not tls.is_ready or not is_tcp(self.transport):
            return False
        self._is_secure = self.has_plain_port = True
        start_tls(self, tls, data)
        return True

    def _protocolUpgradeForWebsockets(self, protocol: IProtocol) -> None:
        """Hand the connection to a WebSocket, which has deadlines of its own."""
        self._stop_waiting()
        self.site.connections.upgrade(self)
        super()._protocolUpgradeForWebsockets(protocol)

    def _has_left(self) -> None:
        """Stop counting a WebSocket."""
        self.site.connections.remove(self)

    def isSecure(self) -> bool:
        """Return whether the client uses TLS."""
        return self._is_secure

    @property
    def is_served(self) -> bool:
        """Whether the last answer has been written, read by the client or not."""
        return self._is_closing or self._is_refusing

    @property
    def has_request(self) -> bool:
        """Whether there is a request, complete or not, without an answer."""
        return bool(self.requests or self._buffer)

    def end_with_answer(self) -> None:
        """Close the connection after the answer that is being made, if there is one."""
        if self._handlingRequest:
            self.persistent = False

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """
        Return whether another request may follow; if the server forbids it, the answer says so.

        The library reads only a C{close} that stands alone; wifidog-ng 2 sends C{close, TE}.
        """
        said = b",".join(request.requestHeaders.getRawHeaders(b"Connection", []))
        is_unwanted = b"close" in {option.strip().lower() for option in said.split(b",")}
        if is_unwanted or not self.site.connections.may_be_kept:
            request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
            return False
        return bool(super().checkPersistence(request, version))

    def setTimeout(self, period: int | None) -> int | None:
        """Set the deadline to so many seconds from now, None for none; that of a closing connection stays."""
        before, self.timeOut = self.timeOut, period
        if not self._is_closing:
            self._stop_waiting()
            if period is not None:
                self._await(period, self.site.connections.silent)
        return before

    def resetTimeout(self) -> None:
        """Do nothing when data arrives; else a client that sends a byte now and then would never time out."""

    def overdue(self) -> None:
        """Close the connection, or drop a client that does not even read its answer; neither is logged."""
        if self._is_closing or self._unread is not None:
            self.transport.abortConnection()
        else:
            self.loseConnection()

    def loseConnection(self) -> None:
        """Close once everything has been sent, at the latest L{ANSWER_DEADLINE} seconds from now."""
        if not self._is_closing:
            self._is_closing = True
            self._stop_waiting()
            self._await(ANSWER_DEADLINE, self.site.connections.slow)
        super().loseConnection()

    def _await(self, seconds: int, among: SlowClients[Channel]) -> None:
        """
        Set the deadline by which the client must act.

        @param among: the clients among which it may be dropped earlier, when there are too many.
        """
        self._deadline, self._among = self.site.deadlines.add(self, seconds), among
        among.add(self)

    def _stop_waiting(self) -> None:
        """Cancel the deadline."""
        if self._deadline is not None:
            self._deadline.cancel()
        if self._among is not None:
            self._among.discard(self)

    def readConnectionLost(self) -> None:
        """Answer the requests that came before the client closed its half; a WebSocket is over then."""
        if self._upgraded is not None:
            self.transport.loseConnection()
            return
        self._peer_has_finished = True
        self._end_with_peer()

    def writeConnectionLost(self) -> None:
        """Close a connection on which no answer can be sent."""
        if self._upgraded is not None:
            self.transport.loseConnection()
            return
        self.loseConnection()

    def pauseProducing(self) -> None:
        """Wait for the client to read its answers; drop one that does not read what its WebSocket says."""
        if self._upgraded is not None:
            self.transport.abortConnection()
            return
        super().pauseProducing()

    def requestDone(self, request: Request) -> None:
        """Read the next request, unless the client does not read its answers or other clients must be served first."""
        if self._waitingForTransport and self.persistent and not self._is_closing:
            self._unread = request
            self._await(ANSWER_DEADLINE, self.site.connections.slow)
            return
        super().requestDone(request)
        if self._buffer and self._busyReceiving and not self._is_closing:
            self._wait_for_a_turn()
        self._end_with_peer()

    def _end_with_peer(self) -> None:
        """Close if the client has closed its half and all its requests have been answered."""
        if self._peer_has_finished and not self._handlingRequest and self._turn is None:
            self.loseConnection()

    def _wait_for_a_turn(self) -> None:
        """Pause reading for a turn: others are served before the next of many requests that came at once."""
        self.paused = True
        self._networkProducer.pauseProducing()
        self._turn = self.callLater(0, self._take_turn)

    def _take_turn(self) -> None:
        """Read on; if that has not begun another request, resume reading from the client too."""
        self._turn = None
        self.paused = False
        if self._is_closing:
            return
        self.dataReceived(b"")
        if self._turn is None and not (self._handlingRequest or self._waitingForTransport or self._is_closing):
            self._networkProducer.resumeProducing()
            self._end_with_peer()

    def resumeProducing(self) -> None:
        """Go on with what had to wait until the client read its answers."""
        if self._upgraded is not None:
            return
        super().resumeProducing()
        request, self._unread = self._unread, None
        if request is not None:
            self._stop_waiting()
            self.requestDone(request)
