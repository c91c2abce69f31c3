"""A line carries a bounded number of requests at a time, and tells silence from silence."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater

from tests.support.builders import together
from tests.support.deadline import within
from wifidogd.simulation.statistics import Kind, Latencies, Statistics
from wifidogd.simulation.transport import client as module
from wifidogd.simulation.transport.client import HttpClient, NoAnswer
from wifidogd.simulation.transport.clock import ScaledClock, SimulationOver


class Server(Factory):
    """
    Answers by what it is asked, and counts.

    @ivar most: connections at once so far.
    """

    noisy = False

    def __init__(self) -> None:
        self.open = self.most = 0
        self.listener = reactor.listenTCP(0, self, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.port: int = self.listener.getHost().port

    async def close(self) -> None:
        """Stop listening, if that was not done before."""
        await within(5, maybeDeferred(self.listener.stopListening))

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Count a connection."""
        self.open += 1
        self.most = max(self.most, self.open)
        return Answering(self)


class Answering(Protocol):
    """One connection of L{Server}."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def dataReceived(self, data: bytes) -> None:
        """Answer in two pieces, not at all, for ever, or break off."""
        transport = self.transport
        assert transport is not None
        if data == b"break":
            transport.write(b"half")
            transport.abortConnection()  # type: ignore[attr-defined]
        elif data == b"hang up":
            transport.loseConnection()
        elif data == b"flood":
            transport.write(b"x" * 3_000_000)
        elif data != b"wait":
            transport.write(b"Auth")
            deferLater(reactor, 0.01, transport.write, b": 1").addCallback(lambda _: transport.loseConnection())  # type: ignore[arg-type]

    def connectionLost(self, reason: object = None) -> None:
        """Count its end."""
        self._server.open -= 1


@pytest_twisted.async_yield_fixture
async def server() -> AsyncIterator[Server]:
    """A server of the test's own."""
    server = Server()
    yield server
    await server.close()


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"ask", b"Auth: 1"),
        (b"break", NoAnswer.LOST),
        (b"hang up", NoAnswer.LOST),
        (b"flood", NoAnswer.LOST),
    ],
)
@ensureDeferred
async def test_an_answer_is_what_came_until_the_server_hung_up(
    server: Server, request_: bytes, answer: bytes | NoAnswer
) -> None:
    """In whatever pieces; what broke off, or was never meant to end, is none."""
    client = HttpClient("127.0.0.1", server.port, reactor=reactor)  # type: ignore[arg-type]
    heard, seconds = await within(10, client.ask(request_))
    assert heard == answer
    assert seconds > 0


@ensureDeferred
async def test_nobody_there_is_told_apart_from_no_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only then is it certain that nothing was heard."""
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    client = HttpClient("127.0.0.1", server.port, reactor=reactor)  # type: ignore[arg-type]
    assert (await within(10, client.ask(b"wait")))[0] is NoAnswer.LOST
    await server.close()
    assert (await within(10, client.ask(b"ask")))[0] is NoAnswer.REFUSED


@ensureDeferred
async def test_who_comes_when_all_lines_are_busy_waits(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is served in the end."""
    monkeypatch.setattr(module, "MOST_OPEN", 3)
    client = HttpClient("127.0.0.1", server.port, reactor=reactor)  # type: ignore[arg-type]
    answers = await together(*(client.ask(b"ask") for _ in range(10)))
    assert [answer for answer, _ in answers] == [b"Auth: 1"] * 10
    assert server.most == 3


@ensureDeferred
async def test_a_line_that_is_cut_lets_everybody_go(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who talk, those who wait, and those who come later."""
    monkeypatch.setattr(module, "MOST_OPEN", 1)
    client = HttpClient("127.0.0.1", server.port, reactor=reactor)  # type: ignore[arg-type]
    asking = [Deferred.fromCoroutine(client.ask(b"wait")) for _ in range(3)]
    while not server.open:
        await deferLater(reactor, 0.01)  # type: ignore[arg-type]
    client.cut()
    answers = [await within(5, answer) for answer in (*asking, client.ask(b"ask"))]
    assert [answer for answer, _ in answers] == [NoAnswer.LOST] + [NoAnswer.REFUSED] * 3


def test_time_runs_faster_until_closing_time() -> None:
    """Who rests then, or wants to, is sent home."""
    clock = Clock()
    pace = ScaledClock(60, clock=clock)
    over = Deferred.fromCoroutine(pace.sleep(90))
    clock.advance(1)
    assert not over.called
    assert pace.now == 60
    clock.advance(0.5)
    assert over.called
    resting = Deferred.fromCoroutine(pace.sleep(90))
    pace.close()
    for late in (resting, Deferred.fromCoroutine(pace.sleep(1))):
        gone: list[object] = []
        late.addErrback(lambda failure, gone=gone: gone.append(failure.trap(SimulationOver)))
        assert gone == [SimulationOver]
    assert clock.getDelayedCalls() == []


def test_latencies_are_right_to_four_per_cent() -> None:
    """However many there are."""
    latencies = Latencies()
    assert latencies.below(0.5) is None
    for number in range(1, 1001):
        latencies.add(number / 1000)
    for share in (0.5, 0.9, 0.99):
        assert latencies.below(share) == pytest.approx(share, rel=0.04)
    assert latencies.below(1.0) == latencies.longest == 1.0
    latencies.add(1e-9)
    latencies.add(1e9)
    assert latencies.count == 1002


def test_figures_count_from_when_they_begin() -> None:
    """By kind and in all; only the first faults are told."""
    clock = Clock()
    statistics = Statistics(clock.seconds)
    clock.advance(5)
    statistics.begin()
    clock.advance(2)
    statistics.took(Kind.PING, 0.001)
    statistics.missed(Kind.LOGIN)
    for number in range(30):
        statistics.fault(Kind.PAGE, f"fault {number}")
    assert (statistics.elapsed, statistics.all.count, statistics.unanswered, statistics.wrong) == (2, 1, 1, 30)
    assert len(statistics.faults) == 20
    assert statistics.faults[0] == "login page: fault 0"


def test_a_bounded_number_of_routers_keeps_a_websocket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may have no more files open."""
    monkeypatch.setattr(module, "MOST_WEBSOCKETS", 2)
    client = HttpClient("127.0.0.1", 9, reactor=Clock())  # type: ignore[arg-type]
    assert [client.reserve_websocket() for _ in range(3)] == [True, True, False]
