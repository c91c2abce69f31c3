"""A simulated router's WebSocket reads no better than the real router's."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from wsproto.frame_protocol import FrameProtocol

from wifidogd.simulation.families.apfree_messages import upgrade
from wifidogd.simulation.transport.frames import MOST_READ, End, RouterFrames
from wifidogd.simulation.transport.wire import Server

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
OPENED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
"""The example of RFC 6455, 1.3."""


class Line:
    """A connection without network."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.ended: list[End] = []
        self.opened = 0
        self.frames = RouterFrames(upgrade(Server("127.0.0.1", 8080, "/"), KEY), self._open, self.heard.append)
        self.frames.ended.addCallback(self.ended.append)
        self.transport = StringTransport()
        self.connection: Protocol = self.frames.buildProtocol(IPv4Address("TCP", "127.0.0.1", 8080))
        self.connection.makeConnection(self.transport)

    def _open(self) -> None:
        self.opened += 1

    def hear(self, *parts: bytes) -> None:
        """Read once for each part."""
        for part in parts:
            self.connection.dataReceived(part)


def said(text: str, *, fin: bool = True) -> bytes:
    """Return a frame of the server."""
    return bytes(FrameProtocol(client=False, extensions=[]).send_data(text, fin=fin))


@pytest.fixture
def line() -> Line:
    """A WebSocket that is open."""
    opened = Line()
    opened.hear(OPENED)
    return opened


def test_a_websocket_opens_when_its_key_is_answered(line: Line) -> None:
    assert line.transport.value() == upgrade(Server("127.0.0.1", 8080, "/"), KEY)
    assert (line.opened, line.frames.is_open) == (1, True)
    line.hear(said("one"), said("two"))
    assert line.heard == ["one", "two"]


def test_what_comes_together_with_the_head_is_lost() -> None:
    line = Line()
    line.hear(OPENED + said("one"), said("two"))
    assert line.heard == ["two"]


def test_of_what_is_read_at_once_the_first_frame_counts(line: Line) -> None:
    """A second frame, and one that is not whole, are lost."""
    line.hear(said("one") + said("two"))
    whole = said("three")
    line.hear(whole[:4], whole[4:], said("four"))
    line.hear(said("fi", fin=False), said("six"))
    assert line.heard == ["one", "four", "six"]


def test_too_much_at_once_makes_it_deaf(line: Line) -> None:
    """It still speaks."""
    line.hear(said("x" * (MOST_READ - 4)))
    assert len(line.heard) == 1
    line.hear(said("x" * (MOST_READ - 3)), said("two"))
    assert len(line.heard) == 1
    line.transport.clear()
    line.frames.send("still here")
    frames = FrameProtocol(client=False, extensions=[])
    frames.receive_bytes(line.transport.value())
    assert [frame.payload for frame in frames.received_frames()] == ["still here"]


def test_a_ping_is_answered(line: Line) -> None:
    line.transport.clear()
    line.hear(bytes(FrameProtocol(client=False, extensions=[]).ping(b"hi")))
    frames = FrameProtocol(client=False, extensions=[])
    frames.receive_bytes(line.transport.value())
    assert [(frame.opcode.name, bytes(frame.payload)) for frame in frames.received_frames()] == [("PONG", b"hi")]


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", End.ANSWERED),
        (OPENED.replace(b"s3pP", b"s3pQ"), End.ANSWERED),
        (b"HTTP/1.1 404 Not Found\r\n" + b"x" * 1_024 + b"\r\n\r\n", End.LOST),
        (b"", End.LOST),
        (OPENED, End.LOST),
    ],
)
def test_an_end_is_what_the_real_router_takes_it_for(answer: bytes, how: End) -> None:
    """It never reads an answer that is too long, and waits for the server to hang up."""
    line = Line()
    line.hear(answer)
    assert line.transport.disconnecting is (how is End.ANSWERED)
    line.connection.connectionLost()
    assert line.ended == [how]


def test_a_close_frame_is_an_end_of_its_own(line: Line) -> None:
    line.hear(bytes(FrameProtocol(client=False, extensions=[]).close(1001)))
    assert line.transport.disconnecting
    line.connection.connectionLost()
    assert line.ended == [End.CLOSED]
    assert not line.frames.is_open


def test_a_connection_that_is_refused_has_ended() -> None:
    line = Line()
    line.frames.clientConnectionFailed(None, Failure(ConnectionRefusedError()))  # type: ignore[arg-type]
    assert line.ended == [End.REFUSED]
