"""
HTTP over one connection, with a deadline for everything that a client may drag out.

Clients that vanish, stall or never read are normal at a hotspot; each of them
costs a descriptor for a bounded time and no line in the log.
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
"""Seconds for a whole request, head and body, from the connection or the end of the last answer."""

ANSWER_DEADLINE = 30
"""Seconds in which a client must read its answer once nothing more follows."""

LINGER = 2
"""Seconds in which a client that sends too much may still read the refusal."""

_LONGEST_NAME = 100
"""Octets of the name of a field; Twisted remembers 10,000 names for good (C{twisted.web.http_headers._NameEncoder})."""

_MOST_DISCARDED = 1024 * 1024
_MOST_LENGTH_DIGITS = 15
_TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BodyTooLarge(WifidogdError):
    """A request has a longer body than any page here needs."""


@implementer(IHalfCloseableProtocol)
class Channel(HTTPChannel):
    """One connection of a client, which may close its half after its request."""

    site: WifidogdSite
    transport: Any

    _is_secure = False
    _is_closing = False
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
        """Return whether another request may follow; if the server forbids it, the answer says so."""
        if not self.site.connections.may_be_kept:
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
        """Answer the requests that came before the client closed its half."""
        self._peer_has_finished = True
        self._end_with_peer()

    def writeConnectionLost(self) -> None:
        """Close a connection on which no answer can be sent."""
        self.loseConnection()

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
        super().resumeProducing()
        request, self._unread = self._unread, None
        if request is not None:
            self._stop_waiting()
            self.requestDone(request)

    def refuse_body(self) -> None:
        """
        Answer 413 and discard what follows.

        Closing at once would make the kernel reset the connection while the
        client still sends, and the client would lose the answer.
        """
        if not self._is_refusing:
            self._is_refusing = True
            self.transport.write(_TOO_LARGE)
            self.setTimeout(LINGER)

    def dataReceived(self, data: bytes) -> None:
        """Read, or discard, what the client sends."""
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
        """Read a field of the head; return False for a malformed one, which closes the connection."""
        if line.find(b":", 0, _LONGEST_NAME + 1) < 0:
            self._respondToBadRequestAndDisconnect()
            return False
        return bool(super().headerReceived(line))

    def rawDataReceived(self, data: bytes) -> None:
        """Read a part of the body, until it is too large."""
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
        """Replace an absurd length by one that is merely too large; Python does not convert thousands of digits."""
        if header == b"Content-Length" and data.isdigit() and len(data) > _MOST_LENGTH_DIGITS:
            data = b"9" * _MOST_LENGTH_DIGITS
        return bool(super()._maybeChooseTransferDecoder(header, data))

    def _send100Continue(self) -> None:
        if not self._is_refusing:
            super()._send100Continue()
