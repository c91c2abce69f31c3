"""A router's end of a WebSocket, which reads no better than apfree-wifidog does (docs/protocol.md 7.1, 7.4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConnector, IReactorTCP
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure
from wsproto.frame_protocol import Frame, FrameProtocol, Opcode, ParseFailed
from wsproto.utilities import generate_accept_token

MOST_READ = 1_023
"""Octets that are read at once; after more the router hears nothing any more."""

_KEY = re.compile(rb"\r\nSec-WebSocket-Key: ([^\r]+)\r\n")


class End(Enum):
    """How a WebSocket, or the attempt to open one, ended."""

    REFUSED = "not reached"
    ANSWERED = "answered by something else than a WebSocket"
    CLOSED = "closed with a close frame"
    LOST = "closed without one"


class RouterFrames(ClientFactory):
    """
    One connection.

    @ivar ended: fires once, with the L{End}.
    @ivar is_open: whether the server has answered by opening a WebSocket, and it still is.
    """

    noisy = False

    def __init__(self, upgrade: bytes, opened: Callable[[], None], hear: Callable[[str], None]) -> None:
        """
        @param upgrade: the request for the WebSocket.
        @param opened: called when it is open.
        @param hear: called with each message that the router can read.
        """
        self.ended: Deferred[End] = Deferred()
        self.is_open = False
        self._upgrade = upgrade
        self._opened = opened
        self._hear = hear
        self._connector: IConnector | None = None
        self._connection: _Connection | None = None

    def connect(self, host: str, port: int, *, reactor: IReactorTCP) -> None:
        """Open the connection; C{ended} tells when it is over."""
        self._connector = reactor.connectTCP(host, port, self, timeout=None)  # type: ignore[arg-type]

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return the protocol of the only connection."""
        found = _KEY.search(self._upgrade)
        assert found is not None
        accept = generate_accept_token(found[1])
        self._connection = _Connection(self, self._upgrade, accept)
        return self._connection

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Record that no connection was made."""
        self.ended.callback(End.REFUSED)

    def send(self, message: str) -> None:
        """Send a message, in one frame."""
        if self.is_open and self._connection is not None:
            self._connection.write(bytes(FrameProtocol(client=True, extensions=[]).send_data(message)))

    def close(self) -> None:
        """Close the connection, or give up making it, as a router that restarts does."""
        if self._connection is not None:
            self._connection.hang_up()
        elif self._connector is not None:
            self._connector.stopConnecting()

    def has_opened(self) -> None:
        """Tell that the WebSocket is open."""
        self.is_open = True
        self._opened()

    def heard(self, message: str) -> None:
        """Pass on what the server said."""
        self._hear(message)

    def has_ended(self, how: End) -> None:
        """Tell that the connection is over."""
        self.is_open = False
        self.ended.callback(how)


class _Connection(Protocol):
    def __init__(self, frames: RouterFrames, upgrade: bytes, accept: bytes) -> None:
        self._frames = frames
        self._upgrade = upgrade
        self._accept = accept
        self._head = b""
        self._is_deaf = False
        self._end = End.LOST

    def connectionMade(self) -> None:
        """Ask for the WebSocket."""
        self.write(self._upgrade)

    def dataReceived(self, data: bytes) -> None:
        """Read the head of the answer, and then one frame of what comes at a time."""
        if self._is_deaf or len(self._head + data) > MOST_READ:
            self._is_deaf = True
        elif self._frames.is_open:
            self._read_frame(data)
        else:
            self._read_head(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell how it ended."""
        self._frames.has_ended(self._end)

    def write(self, data: bytes) -> None:
        """Send octets."""
        assert self.transport is not None
        self.transport.write(data)

    def hang_up(self) -> None:
        """Close the connection without waiting for anything."""
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def _read_head(self, data: bytes) -> None:
        """Look whether the WebSocket is open; what comes together with the head is lost."""
        self._head += data
        if b"\r\n\r\n" not in self._head:
            return
        head, self._head = self._head, b""
        if head.startswith(b"HTTP/1.1 101") and self._accept in head:
            self._frames.has_opened()
        else:
            self._stop(End.ANSWERED)

    def _read_frame(self, data: bytes) -> None:
        """Look at the first frame; others, and one that is not whole, are lost."""
        frame = _first_frame(data)
        if frame is None or not frame.message_finished:
            return
        if frame.opcode is Opcode.TEXT:
            self._frames.heard(str(frame.payload))
        elif frame.opcode is Opcode.PING:
            self.write(bytes(FrameProtocol(client=True, extensions=[]).pong(bytes(frame.payload))))  # type: ignore[arg-type]
        elif frame.opcode is Opcode.CLOSE:
            self._stop(End.CLOSED)

    def _stop(self, how: End) -> None:
        self._end = how
        assert self.transport is not None
        self.transport.loseConnection()


def _first_frame(data: bytes) -> Frame | None:
    frames = FrameProtocol(client=True, extensions=[])
    frames.receive_bytes(data)
    try:
        return next(frames.received_frames(), None)
    except ParseFailed:
        return None
