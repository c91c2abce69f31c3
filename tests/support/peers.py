"""Peers on a port of their own that are not, or only nearly, PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from struct import pack, unpack

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXClientEndpoint, connectProtocol
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol

from tests.support.deadline import within

ENCRYPTION_REQUESTS = {80877103, 80877104}
"""Codes of SSLRequest and GSSENCRequest (PostgreSQL documentation, Message Formats)."""


class Peer(Factory):
    """
    Accepts connections and counts them.

    @ivar calls: connections so far.
    @ivar port: where it listens on 127.0.0.1.
    """

    noisy = False

    def __init__(self, protocol: type[Protocol]) -> None:
        self.protocol = protocol
        self.calls = 0
        self.port = 0

    def buildProtocol(self, address: IAddress | None) -> Protocol | None:
        """Count the connection."""
        self.calls += 1
        return super().buildProtocol(address)

    @property
    def dsn(self) -> str:
        """The DSN of the peer."""
        return f"host=127.0.0.1 port={self.port} user=tester dbname=postgres"


@asynccontextmanager
async def listening(protocol: type[Protocol]) -> AsyncIterator[Peer]:
    """Listen with a peer while the block runs."""
    peer = Peer(protocol)
    port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(peer)
    peer.port = port.getHost().port
    try:
        yield peer
    finally:
        await within(5, port.stopListening())


class HangsUp(Protocol):
    """Closes at once."""

    def connectionMade(self) -> None:
        self.transport.loseConnection()


class StaysSilent(Protocol):
    """Accepts and never says anything."""


class TalksGarbage(Protocol):
    """Answers everything with garbage."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"R\x00\x00\x00\x08\xff\xfe\x00\x01\x80\x81 HTTP/1.1 400 Bad Request\r\n\r\n" * 20)


class FeignsTls(Protocol):
    """Agrees to TLS, then talks garbage; libpq tries again in clear on another socket."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"S" if unpack("!i", data[4:8])[0] in ENCRYPTION_REQUESTS else b"\xff" * 64)


def message(kind: bytes, body: bytes) -> bytes:
    """Return a message of the server with its type and length."""
    return kind + pack("!i", 4 + len(body)) + body


class LogsIn(Protocol):
    """Completes the login as PostgreSQL does, and never answers a query."""

    parameters = (
        b"server_version\x0015.0\x00",
        b"server_encoding\x00UTF8\x00",
        b"client_encoding\x00UTF8\x00",
        b"DateStyle\x00ISO, MDY\x00",
        b"integer_datetimes\x00on\x00",
        b"standard_conforming_strings\x00on\x00",
        b"default_transaction_read_only\x00off\x00",
        b"in_hot_standby\x00off\x00",
    )

    def dataReceived(self, data: bytes) -> None:
        if data[:1] != b"\x00":
            return
        if unpack("!i", data[4:8])[0] in ENCRYPTION_REQUESTS:
            self.transport.write(b"N")
            return
        self.transport.write(message(b"R", pack("!i", 0)))
        self.transport.write(b"".join(message(b"S", parameter) for parameter in self.parameters))
        self.transport.write(message(b"K", pack("!ii", 1, 2)) + message(b"Z", b"I"))
        self.loggedIn()

    def loggedIn(self) -> None:
        """Keep the connection open and say nothing more."""


class LogsInAndDrops(LogsIn):
    """Completes the login and closes."""

    def loggedIn(self) -> None:
        self.transport.loseConnection()


class Forwards(Protocol):
    """Passes everything on to a PostgreSQL behind a unix socket; make a subclass that names it."""

    socket: str

    def connectionMade(self) -> None:
        self.other: Protocol | None = None
        self.waiting = b""
        there = connectProtocol(UNIXClientEndpoint(reactor, self.socket), _Returns(self))
        there.addCallbacks(self._connected, lambda failure: self.transport.loseConnection())

    def _connected(self, other: Protocol) -> None:
        self.other = other
        other.transport.write(self.waiting)

    def dataReceived(self, data: bytes) -> None:
        if self.other is None:
            self.waiting += data
        else:
            self.other.transport.write(data)

    def connectionLost(self, reason: object) -> None:
        if self.other is not None:
            self.other.transport.loseConnection()


class _Returns(Protocol):
    """The connection to the PostgreSQL behind the peer."""

    def __init__(self, caller: Protocol) -> None:
        self.caller = caller

    def dataReceived(self, data: bytes) -> None:
        self.caller.transport.write(data)

    def connectionLost(self, reason: object) -> None:
        self.caller.transport.loseConnection()
