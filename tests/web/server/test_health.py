"""What monitors are told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet.task import Clock

from tests.support.deadline import within
from tests.support.raw_http import ask
from tests.support.site_server import SiteServer
from wifidogd.store.driver.database import Database
from wifidogd.web.server.health import BEAT, BEATS_KEPT, ReactorLag


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A whole server."""
    server = await SiteServer(database).open()
    yield server
    await server.close()


@ensureDeferred
async def test_a_healthy_server_says_so(server: SiteServer) -> None:
    """With what is queued, and how late the reactor is."""
    reply = await ask(server.port, "/healthz")
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
    """At both addresses; no word that a gateway looks for."""
    await within(10, server.database.stop())
    for target in ("/healthz", "/wifidog/healthz/"):
        reply = await ask(server.port, target)
        assert reply.status == 503
        assert json.loads(reply.body)["status"] == "database away"
        assert "Pong" not in reply.body
        assert "Auth: " not in reply.body


@ensureDeferred
async def test_before_the_registry_is_known_it_is_starting(database: Database) -> None:
    """Not ready for guests, so 503."""
    server = SiteServer(database).listen()
    reply = await ask(server.port, "/healthz")
    assert (reply.status, json.loads(reply.body)["status"]) == (503, "starting")
    await server.close()


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
