"""What a load takes for a promised answer."""

from __future__ import annotations

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred as as_deferred
from twisted.internet.protocol import Factory, Protocol

from tests.chaos.load.answer_check import CheckedClient, kind_of, outcome_of
from tests.chaos.load.answers import Outcome
from tests.support.deadline import within
from wifidogd.simulation.statistics import Kind
from wifidogd.simulation.transport.client import NoAnswer
from wifidogd.simulation.transport.wire import Server

PAGE = b"HTTP/1.0 %d Whatever\r\n%s\r\n<html><body>Hello</body></html>"

LISTED = b'{"result":[{"gw_id":"sim-0001","auth_op":[{"id":1,"auth_code":%d}]}]}'


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (b"/ping/?gw_id=sim-0001", Kind.PING),
        (b"/auth/?stage=login&ip=10.0.0.1", Kind.LOGIN),
        (b"/auth/?stage=counters&ip=10.0.0.1", Kind.COUNTERS),
        (b"/auth/?stage=counters_v2&key=secret", Kind.LIST),
        (b"/auth/?stage=logout&ip=10.0.0.1", Kind.LOGOUT),
        (b"/login/?gw_address=10.0.0.1", Kind.PAGE),
        (b"/login", Kind.FORM),
        (b"/logout", Kind.BUTTON),
        (b"/portal/?gw_id=sim-0001", Kind.PORTAL),
        (b"/gw_message.php?message=denied", Kind.PORTAL),
    ],
)
def test_what_is_asked_for(target: bytes, kind: Kind) -> None:
    """By the beginning of path and query."""
    assert kind_of(target) is kind


@pytest.mark.parametrize(
    ("kind", "answer", "outcome"),
    [
        (Kind.PING, b"HTTP/1.0 200 OK\r\n\r\nPong", Outcome.SERVED),
        (Kind.PING, b"HTTP/1.0 503 Busy\r\n\r\nPong", Outcome.AMISS),
        (Kind.COUNTERS, b"HTTP/1.0 200 OK\r\n\r\nAuth: 1", Outcome.SERVED),
        (Kind.COUNTERS, b"HTTP/1.0 200 OK\r\n\r\nAuth: 0", Outcome.DENIED),
        (Kind.COUNTERS, b"HTTP/1.0 503 Busy\r\n\r\nAuth: -1", Outcome.CANNOT_SAY),
        (Kind.COUNTERS, b"HTTP/1.0 503 Busy\r\n\r\nAuth: 0", Outcome.AMISS),
        (Kind.LIST, b"HTTP/1.0 200 OK\r\n\r\n" + LISTED % 1, Outcome.SERVED),
        (Kind.LIST, b"HTTP/1.0 200 OK\r\n\r\n" + LISTED % 0, Outcome.DENIED),
        (Kind.LIST, b'HTTP/1.0 503 Busy\r\n\r\n{"result":[]}', Outcome.CANNOT_SAY),
        (Kind.LIST, b"HTTP/1.0 503 Busy\r\n\r\n" + LISTED % 0, Outcome.AMISS),
        (Kind.LIST, b"HTTP/1.0 503 Busy\r\n\r\nAuth: -1", Outcome.AMISS),
        (Kind.LIST, b"HTTP/1.0 200 OK\r\n\r\nAuth: 1", Outcome.AMISS),
        (Kind.LOGIN, b"HTTP/1.0 500 Oops\r\n\r\nAuth: -1", Outcome.AMISS),
        (Kind.LOGOUT, b"HTTP/1.0 200 OK\r\n\r\nAuth: 0", Outcome.SERVED),
        (Kind.LOGOUT, b"HTTP/1.0 503 Busy\r\n\r\nAuth: 0", Outcome.CANNOT_SAY),
        (Kind.LOGOUT, b"HTTP/1.0 503 Busy\r\n\r\nAuth: -1", Outcome.AMISS),
        (Kind.PAGE, PAGE % (200, b""), Outcome.SERVED),
        (Kind.PAGE, PAGE % (503, b"Retry-After: 5\r\n"), Outcome.CANNOT_SAY),
        (Kind.PAGE, PAGE % (503, b""), Outcome.AMISS),
        (Kind.FORM, PAGE % (500, b""), Outcome.AMISS),
        (Kind.FORM, NoAnswer.LOST, Outcome.LOST),
        (Kind.LOGIN, NoAnswer.REFUSED, Outcome.REFUSED),
    ],
)
def test_what_came_of_it(kind: Kind, answer: bytes | NoAnswer, outcome: Outcome) -> None:
    """An answer that docs/protocol.md does not have for its kind is amiss, whatever a gateway would make of it."""
    assert outcome_of(kind, answer) is outcome


class HangsUp(Protocol):
    """Closes as soon as it is asked anything."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.loseConnection()


@pytest.mark.parametrize(("server", "outcome"), [(Protocol, Outcome.HUNG_UP), (HangsUp, Outcome.LOST)])
@ensureDeferred
async def test_a_gateway_that_does_not_wait_is_told_from_a_server_that_does_not_answer(
    server: type[Protocol], outcome: Outcome
) -> None:
    factory = Factory.forProtocol(server)
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    client = CheckedClient(Server("127.0.0.1", port.getHost().port, "/wifidog/"), reactor=reactor)
    waits = 0.05 if outcome is Outcome.HUNG_UP else 5.0
    await within(5, as_deferred(client.ask(b"GET /wifidog/auth/?stage=login HTTP/1.0\r\n\r\n", waits)))
    assert [answer.outcome for answer in client.answers] == [outcome]
    await within(5, port.stopListening())
