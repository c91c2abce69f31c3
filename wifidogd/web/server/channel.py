"""
HTTP over one connection, with an end to everything a client may drag out.

Clients that vanish, stall or never read are normal at a hotspot; each of them
may cost a descriptor for a bounded time and no line in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.server import Request
from zope.interface import implementer

from wifidogd.domain.errors import WifidogdError
from wifidogd.runtime.deadlines import Deadline
from wifidogd.web.server.connection_limit import SlowClients

if TYPE_CHECKING:
    from wifidogd.web.server.site import WifidogdSite

REQUEST_DEADLINE = 10
"""Seconds for a whole request, head and body, counted from the connection or the end of the last answer."""

ANSWER_DEADLINE = 30
"""Seconds that a client has to take its answer once nothing more follows."""

LINGER = 2
"""Seconds in which a client that sends too much may still read that it does."""

_LONGEST_NAME = 100
"""Octets of the name of a field; Twisted remembers 10,000 names for good (C{twisted.web.http_headers._NameEncoder})."""

_MOST_DISCARDED = 1024 * 1024
_MOST_LENGTH_DIGITS = 15
_TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BodyTooLarge(WifidogdError):
    """A request goes on for longer than anybody needs to say anything here."""


@implementer(IHalfCloseableProtocol)
class Channel(HTTPChannel):
    """One connection of a client, which may close its half once it has asked."""

    site: WifidogdSite
    transport: Any

    _is_secure = False
    _is_leaving = False
    _peer_has_finished = False
    _is_refusing = False
    _discarded = 0
    _turn: IDelayedCall | None = None

    def __init__(self) -> None:
        super().__init__()
        self._deadline: Deadline[Channel] | None = None
        self._among: SlowClients[Channel] | None = None
        self._unread: Request | None = None

    def connectionMade(self) -> None:
        """Start the clock, or hang up when there is no room at all."""
        super().connectionMade()
        self._is_secure = bool(super().isSecure())
        if not self.site.connections.add(self):
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Make room for another."""
        self._go_on()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self.site.connections.remove(self)
        super().connectionLost(reason)

    def isSecure(self) -> bool:
        """Tell whether the client came over TLS."""
        return self._is_secure

    @property
    def is_served(self) -> bool:
        """Whether it has its last answer, taken or not."""
        return self._is_leaving or self._is_refusing

    @property
    def has_asked(self) -> bool:
        """Whether it has begun to ask for something that is not answered."""
        return bool(self.requests or self._buffer)

    def end_with_answer(self) -> None:
        """Hang up after the answer that is being made, if one is."""
        if self._handlingRequest:
            self.persistent = False

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Tell whether another request may follow; the answer says if the server is why not."""
        if not self.site.connections.may_be_kept:
            request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
            return False
        return bool(super().checkPersistence(request, version))

    def setTimeout(self, period: int | None) -> int | None:
        """Give the client this many seconds from now, None for no end; a client that is leaving gets no other."""
        before, self.timeOut = self.timeOut, period
        if not self._is_leaving:
            self._go_on()
            if period is not None:
                self._await(period, self.site.connections.silent)
        return before

    def resetTimeout(self) -> None:
        """Do nothing when data arrives: a client that sends a byte now and then would never time out."""

    def overdue(self) -> None:
        """Hang up, or drop a client that does not even take its answer; neither is news for the log."""
        if self._is_leaving or self._unread is not None:
            self.transport.abortConnection()
        else:
            self.loseConnection()

    def loseConnection(self) -> None:
        """Close once everything has been sent, L{ANSWER_DEADLINE} from now in any case."""
        if not self._is_leaving:
            self._is_leaving = True
            self._go_on()
            self._await(ANSWER_DEADLINE, self.site.connections.slow)
        super().loseConnection()

    def _await(self, seconds: int, among: SlowClients[Channel]) -> None:
        """
        Wait for the client, so long at most.

        @param among: as one of those who make room when there is none, each after the time that such clients get.
        """
        self._deadline, self._among = self.site.deadlines.add(self, seconds), among
        among.add(self)

    def _go_on(self) -> None:
        """Wait for the client no more."""
        if self._deadline is not None:
            self._deadline.cancel()
        if self._among is not None:
            self._among.discard(self)

    def readConnectionLost(self) -> None:
        """Answer what the client has asked before it closed its half; drop what it has not."""
        self._peer_has_finished = True
        self._end_with_peer()

    def writeConnectionLost(self) -> None:
        """Give up a connection on which nothing can be answered."""
        self.loseConnection()

    def requestDone(self, request: Request) -> None:
        """Go on with the next request, if there is one, somebody to answer, and room for the answer."""
        if self._waitingForTransport and self.persistent and not self._is_leaving:
            self._unread = request
            self._await(ANSWER_DEADLINE, self.site.connections.slow)
            return
        super().requestDone(request)
        if self._buffer and self._busyReceiving and not self._is_leaving:
            self._wait_for_a_turn()
        self._end_with_peer()

    def _end_with_peer(self) -> None:
        """Hang up if the client has closed its half and nothing that it asked before is left to be answered."""
        if self._peer_has_finished and not self._handlingRequest and self._turn is None:
            self.loseConnection()

    def _wait_for_a_turn(self) -> None:
        """Let everybody else be served before the next of many requests that came at once, and read no more of them."""
        self.paused = True
        self._networkProducer.pauseProducing()
        self._turn = self.callLater(0, self._take_turn)

    def _take_turn(self) -> None:
        """Read on; listen again if that has not begun another request, which does so when it is done."""
        self._turn = None
        self.paused = False
        if self._is_leaving:
            return
        self.dataReceived(b"")
        if self._turn is None and not (self._handlingRequest or self._waitingForTransport or self._is_leaving):
            self._networkProducer.resumeProducing()
            self._end_with_peer()

    def resumeProducing(self) -> None:
        """Go on with what had to wait until the client took its answers."""
        super().resumeProducing()
        request, self._unread = self._unread, None
        if request is not None:
            self._go_on()
            self.requestDone(request)

    def refuse_body(self) -> None:
        """
        Say 413 and take no notice of what follows.

        Closing at once would make the kernel reset the connection while the
        client still sends, and the client would lose the answer.
        """
        if not self._is_refusing:
            self._is_refusing = True
            self.transport.write(_TOO_LARGE)
            self.setTimeout(LINGER)

    def dataReceived(self, data: bytes) -> None:
        """Read on, or past, what the client sends."""
        if not self._is_refusing:
            super().dataReceived(data)
            return
        self._discarded += len(data)
        if self._discarded > _MOST_DISCARDED:
            self._networkProducer.pauseProducing()

    def lineReceived(self, line: bytes) -> None:
        """Read a line of the head."""
        if not self._is_refusing:
            super().lineReceived(line)

    def headerReceived(self, line: bytes) -> bool:
        """Read a field of the head; False for one that is none, which ends the connection."""
        if line.find(b":", 0, _LONGEST_NAME + 1) < 0:
            self._respondToBadRequestAndDisconnect()
            return False
        return bool(super().headerReceived(line))

    def rawDataReceived(self, data: bytes) -> None:
        """Read a part of the body, up to where it is too large."""
        if not self._is_refusing:
            try:
                super().rawDataReceived(data)
            except BodyTooLarge:
                self.refuse_body()
                self._transferDecoder = None  # it holds the rest of a packet, and us

    def allContentReceived(self) -> None:
        """Begin to answer."""
        if not self._is_refusing:
            super().allContentReceived()

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        """Read an absurd length as one that is merely too large; Python does not convert thousands of digits."""
        if header == b"Content-Length" and data.isdigit() and len(data) > _MOST_LENGTH_DIGITS:
            data = b"9" * _MOST_LENGTH_DIGITS
        return bool(super()._maybeChooseTransferDecoder(header, data))

    def _send100Continue(self) -> None:
        if not self._is_refusing:
            super()._send100Continue()
