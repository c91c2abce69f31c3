"""A connection that has become a WebSocket is bounded like any other, in its own way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.websocket import WebSocketResource

from tests.support.deadline import within
from tests.support.observing import log_lines
from tests.support.raw_http import connect
from tests.support.testbed.fake_router import PING, masked, upgrade_request
from tests.web.server.test_site import HELLO, RunningSite, close
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.web.server.connections.connection_limit import ConnectionLimit
from wifidogd.web.server.connections.upgraded import MOST_A_TURN, UpgradedConnection


class Heard:
    """A protocol that notes what it hears."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.is_over = False

    def dataReceived(self, data: bytes) -> None:
        if data == b"fail":
            raise ValueError
        self.pieces.append(data)

    def connectionLost(self, reason: Failure) -> None:
        self.is_over = True


class Producer(StringTransport):
    """A transport that knows how it was closed."""

    is_aborted = False

    def abortConnection(self) -> None:
        self.is_aborted = True


class Upgraded:
    """A connection that has been upgraded, and both its ends."""

    def __init__(self) -> None:
        self.clock, self.heard, self.transport, self.left = Clock(), Heard(), Producer(), 0
        self.connection = UpgradedConnection(
            self.heard,  # type: ignore[arg-type]
            self.transport,
            self.transport,
            self.clock.callLater,
            self.note_left,
            RateLimitedLog(Logger(), self.clock),
        )
        self.connection.most_octets = 10_000

    def note_left(self) -> None:
        self.left += 1


@pytest.fixture
def upgraded() -> Iterator[Upgraded]:
    upgraded = Upgraded()
    yield upgraded
    upgraded.connection.connectionLost()
    assert upgraded.left == 1
    assert upgraded.heard.is_over
    assert upgraded.clock.getDelayedCalls() == []


def test_a_little_is_read_per_turn_and_nothing_more_until_then(upgraded: Upgraded) -> None:
    """Thousands of the shortest frames in one segment delay others by no more than some milliseconds."""
    upgraded.connection.dataReceived(b"x" * (2 * MOST_A_TURN + 1))
    assert [len(piece) for piece in upgraded.heard.pieces] == [MOST_A_TURN]
    assert upgraded.transport.producerState == "paused"
    upgraded.clock.advance(0)
    assert [len(piece) for piece in upgraded.heard.pieces] == [MOST_A_TURN, MOST_A_TURN, 1]
    assert upgraded.transport.producerState == "producing"


def test_what_is_said_between_two_messages_is_bounded(upgraded: Upgraded) -> None:
    for _ in range(10):
        upgraded.connection.dataReceived(b"x" * 1000)
    assert not upgraded.transport.disconnecting
    upgraded.connection.message_heard()
    for _ in range(10):
        upgraded.connection.dataReceived(b"x" * 1000)
    assert not upgraded.transport.disconnecting
    upgraded.connection.dataReceived(b"x")
    assert upgraded.transport.disconnecting
    assert len(upgraded.heard.pieces) == 20


def test_a_peer_that_does_not_let_itself_be_closed_is_dropped(upgraded: Upgraded) -> None:
    upgraded.connection.close()
    upgraded.connection.dataReceived(b"more")
    assert upgraded.heard.pieces == []
    assert not upgraded.transport.is_aborted
    upgraded.clock.advance(2)
    assert upgraded.transport.is_aborted


def test_what_fails_ends_the_connection_and_is_logged(upgraded: Upgraded) -> None:
    with log_lines("") as lines:
        upgraded.connection.dataReceived(b"fail")
    assert upgraded.transport.is_aborted
    assert len(lines) == 1


class Echoes:
    """WebSockets that say nothing and want too much."""

    def buildProtocol(self, request: object) -> Echoes:
        return self

    def negotiationStarted(self, transport: object) -> None:
        self.transport = transport

    def __getattr__(self, name: str) -> object:
        return lambda *_: None


@pytest_twisted.async_yield_fixture
async def running() -> AsyncIterator[RunningSite]:
    running = RunningSite()
    running.site._websocket = WebSocketResource(Echoes())
    running.site._websocket.isLeaf = True
    yield running
    close(running)
    await running.has_clients(0)


async def has_websockets(running: RunningSite, number: int) -> None:
    async def look() -> None:
        while len(running.site.connections.upgraded) != number:
            await deferLater(reactor, 0.005)

    await within(5, look())


@ensureDeferred
async def test_a_websocket_is_no_client_of_pages_and_has_none_of_their_deadlines(running: RunningSite) -> None:
    wire = await connect(running.port)
    wire.say(upgrade_request())
    await wire.hears(b"\r\n\r\n")
    await has_websockets(running, 1)
    await running.has_clients(0)
    running.clock.advance(3600)
    await deferLater(reactor, 0.05)
    assert not wire.closed.called
    wire.leave()
    await has_websockets(running, 0)


@ensureDeferred
async def test_who_does_not_read_is_dropped(running: RunningSite) -> None:
    """Each ping is answered by the library, whether or not the answers are read."""
    wire = await connect(running.port)
    wire.say(upgrade_request())
    await wire.hears(b"\r\n\r\n")
    [channel] = running.site.connections.upgraded
    channel.upgraded.most_octets = 10**9
    wire.transport.pauseProducing()  # type: ignore[union-attr]

    async def flood() -> None:
        while running.site.connections.upgraded:
            wire.say(masked(b"x" * 125, PING) * 400)
            await deferLater(reactor, 0.001)

    await within(30, flood())
    wire.transport.resumeProducing()  # type: ignore[union-attr]
    await wire.ends()


@ensureDeferred
async def test_what_came_behind_the_request_is_not_kept(running: RunningSite) -> None:
    wire = await connect(running.port)
    wire.say(upgrade_request() + HELLO * 100)
    await wire.hears(b"\r\n\r\n")
    await deferLater(reactor, 0.05)
    assert wire.heard.count(b"HTTP/1.1") == 1
    wire.leave()
    await has_websockets(running, 0)


@pytest.mark.parametrize(
    "odd",
    [
        b"\x81\x01x",
        b"\xff" * 200,
        masked(b"\xff"),
        masked(b"\x00", 8),
        masked(b"", 3),
        masked(b"\x03\xe8", 8) * 3,
        b"\x83\x80aaaa" * 2000,
        masked(b"x", 0),
    ],
)
@ensureDeferred
async def test_what_is_no_frame_ends_the_connection_without_a_line(running: RunningSite, odd: bytes) -> None:
    with log_lines("") as lines:
        wire = await connect(running.port)
        wire.say(upgrade_request())
        await wire.hears(b"\r\n\r\n")
        wire.say(odd)
        await wire.ends()
        await has_websockets(running, 0)
    assert lines == []


def test_websockets_leave_descriptors_to_pages() -> None:
    """However many there are; and pages leave some to them."""
    for together in (3, 100, 1000, 10_000, 30_000):
        limit = ConnectionLimit(min(together, 10_000), clock=Clock(), most_together=together)
        assert 1 <= limit.most_upgraded <= 20_000
        assert together - limit.most_upgraded >= min(1000, together // 2)
        limit.upgraded.update(range(limit.most_upgraded))  # type: ignore[arg-type]
        assert not limit.may_upgrade
