"""What monitors are told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyRequest

from tests.support.deadline import within
from tests.support.raw_http import ask
from tests.support.running_server import RunningServer
from tests.support.site_server import SiteServer
from wifidogd.store.driver.database import Database
from wifidogd.web.server.health import BEAT, BEATS_KEPT, ReactorLag, is_from_here


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A whole server."""
    server = await SiteServer(database).open()
    yield server
    await server.close()


HERE = {"host": "localhost"}


@ensureDeferred
async def test_a_healthy_server_says_so(server: SiteServer) -> None:
    """With what is queued, and how late the reactor is."""
    reply = await ask(server.port, "/healthz", **HERE)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    told = json.loads(reply.body)
    assert told["status"] == "ok"
    assert told["reactor_lag_seconds"] == 0
    assert told["database"]["waiting"] == 0
    assert told["ledger"]["reports_waiting"] == 0


@ensureDeferred
async def test_without_a_database_it_is_503(server: SiteServer) -> None:
    """For everybody; no word that a gateway looks for."""
    await within(10, server.database.stop())
    for host, status in (("localhost", "database away"), ("wifi.example", "not ok")):
        reply = await ask(server.port, "/healthz", host=host)
        assert reply.status == 503
        assert json.loads(reply.body)["status"] == status
        assert "Pong" not in reply.body
        assert "Auth: " not in reply.body


@ensureDeferred
async def test_before_the_registry_is_known_it_is_starting(database: Database) -> None:
    """Not ready for guests, so 503."""
    server = SiteServer(database).listen()
    reply = await ask(server.port, "/healthz", **HERE)
    assert (reply.status, json.loads(reply.body)["status"]) == (503, "starting")
    await server.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", ""])
@ensureDeferred
async def test_who_asks_on_this_machine_reads_all(server: SiteServer, host: str) -> None:
    """By any of its own names."""
    assert "ledger" in json.loads((await ask(server.port, "/healthz", host=host)).body)


@pytest.mark.parametrize(
    "head",
    [
        {"X_Forwarded_For": "203.0.113.9"},
        {"X_Forwarded_Proto": "https"},
        {"X_Forwarded_Host": ""},
        {"X_Real_IP": "127.0.0.1"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 proxy"},
        {"host": "wifi.example"},
        {"host": "10.0.0.1:8080"},
        {"host": "localhost.evil.example"},
    ],
)
@ensureDeferred
async def test_a_proxy_on_this_machine_asks_for_strangers(server: SiteServer, head: dict[str, str]) -> None:
    """It adds what tells so, or passes on by which name they have asked."""
    reply = await ask(server.port, "/healthz", **(HERE | head))
    assert (reply.status, json.loads(reply.body)) == (200, {"status": "ok"})


def request_of(peer: object, client: object = None) -> Request:
    """Return a request that came from an address, or was passed on for one, by way of TLS."""
    transport = StringTransport(peerAddress=peer)
    channel = SimpleNamespace(transport=SimpleNamespace(transport=transport))
    request = DummyRequest([b"healthz"])
    request.channel, request.client = channel, client or peer
    return request


@pytest.mark.parametrize(
    ("address", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("203.0.113.9", False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
def test_this_machine_is_known_by_its_address(address: str, is_local: bool) -> None:
    """Of the connection itself, under whatever lies on it."""
    assert is_from_here(request_of(IPv4Address("TCP", address, 40000))) is is_local


def test_nobody_is_of_this_machine_by_what_a_proxy_says() -> None:
    """Neither a stranger at the port of the proxy, nor a client of the proxy beside us."""
    here, there = IPv4Address("TCP", "127.0.0.1", 40000), IPv4Address("TCP", "203.0.113.9", 40000)
    assert not is_from_here(request_of(there, here))
    assert not is_from_here(request_of(here, there))
    assert not is_from_here(request_of(here, IPv4Address("TCP", "127.0.0.1", 50000)))
    assert not is_from_here(request_of(UNIXAddress("/run/wifidogd.sock")))


@ensureDeferred
async def test_everybody_may_read_all_where_the_operator_says_so(dsn: str) -> None:
    """By an option, for monitors on other machines."""
    server = RunningServer(dsn, "--health-details")
    await within(20, server.start())
    reply = await ask(server.port, "/healthz", host="wifi.example")
    assert "ledger" in json.loads(reply.body)
    await server.stop()


@ensureDeferred
async def test_head_is_get_without_the_numbers(server: SiteServer) -> None:
    """For monitors that only look at the status."""
    reply = await ask(server.port, "/healthz", method="HEAD")
    assert (reply.status, reply.body) == (200, "")


@ensureDeferred
async def test_lag_is_the_worst_of_the_last_beats() -> None:
    """And forgotten after a while."""
    clock = Clock()
    lag = ReactorLag(clock)  # type: ignore[arg-type]
    await lag.look()
    assert lag.worst == 0
    clock.advance(BEAT.total_seconds() + 1.5)
    await lag.look()
    assert lag.worst == pytest.approx(1.5)
    for _ in range(BEATS_KEPT):
        clock.advance(BEAT.total_seconds())
        await lag.look()
    assert lag.worst == 0
