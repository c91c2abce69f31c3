"""A connection in memory that ends, pauses and fills up as one of TCP does, but takes no time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

BUFFER = 64 * 1024
"""Octets that wait to be sent before whoever produces them is told to pause, as C{abstract.FileDescriptor} has it."""

_PEER = IPv4Address("TCP", "192.0.2.7", 50123)
_HOST = IPv4Address("TCP", "192.0.2.1", 80)


@implementer(ITCPTransport, IPushProducer, IConsumer)
class Line:
    """
    The server's end of a connection.

    @ivar sent: all that the server has written and the client has taken.
    @ivar unsent: what it has written and the client has not taken yet.
    @ivar disconnecting: whether the server has hung up, which parsers of lines look at.
    @ivar is_open: False once the protocol knows that the connection is gone.
    """

    def __init__(self, protocol: Protocol, *, reads: bool = True) -> None:
        """
        @param reads: whether the client takes what it is sent.
        """
        self._protocol = protocol
        self._reads = reads
        self._unheard: deque[bytes] = deque()
        self._producer: Any = None
        self._is_full = False
        self._is_paused = False
        self._has_finished = False
        self.sent = bytearray()
        self.unsent = bytearray()
        self.disconnecting = False
        self.is_open = True
        protocol.makeConnection(self)
        self._go_on()

    def say(self, pieces: Iterable[bytes]) -> None:
        """Send octets of the client; the server receives them as soon as it does not pause."""
        self._unheard.extend(pieces)
        self._go_on()

    def half_close(self) -> None:
        """Half-close the client's side; the server notices after it has read all the rest."""
        self._has_finished = True
        self._go_on()

    def vanish(self) -> None:
        """Reset the connection from the client's side."""
        self._end(ConnectionAborted())

    def write(self, data: bytes) -> None:
        """Take what is to be sent; what comes after the end is lost."""
        if self.is_open and not self.disconnecting:
            self.unsent += data
            if len(self.unsent) > BUFFER and self._producer is not None and not self._is_full:
                self._is_full = True
                self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """As L{write}."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Hang up once everything is sent."""
        self.disconnecting = True

    def abortConnection(self) -> None:
        """Hang up at once."""
        self.disconnecting = True
        self._end(ConnectionAborted())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Register the producer that is paused while the client does not read."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Unregister the producer."""
        self._producer = None

    def pauseProducing(self) -> None:
        """Keep what the client says for later."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """Resume reading of the server."""
        self._is_paused = False

    def stopProducing(self) -> None:
        """As L{loseConnection}."""
        self.loseConnection()

    def getPeer(self) -> IPv4Address:
        """Return the address of the client."""
        return _PEER

    def getHost(self) -> IPv4Address:
        """Return the address of the server."""
        return _HOST

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing is delayed here."""

    def _go_on(self) -> None:
        """Do what the reactor would do in its next turns, until there is nothing to do."""
        while self.is_open:
            if self._reads and self.unsent:
                self._take()
            elif self.disconnecting:
                return self._end(ConnectionDone()) if not self.unsent else None
            elif self._is_paused or not (self._unheard or self._has_finished):
                return None
            else:
                self._hear()
        return None

    def _hear(self) -> None:
        """Hand over what comes next; the end is heard again whenever somebody listens again."""
        if self._unheard:
            self._protocol.dataReceived(self._unheard.popleft())
        else:
            self._is_paused = True
            IHalfCloseableProtocol(self._protocol).readConnectionLost()

    def _take(self) -> None:
        self.sent += self.unsent
        self.unsent.clear()
        if self._is_full:
            self._is_full = False
            if self._producer is not None:
                self._producer.resumeProducing()

    def settle(self) -> None:
        """Deliver to the client what the server has sent since."""
        self._go_on()

    def _end(self, reason: Exception) -> None:
        if self.is_open:
            self.is_open = False
            self._protocol.connectionLost(Failure(reason))
