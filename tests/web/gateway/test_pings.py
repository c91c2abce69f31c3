"""What becomes of a ping: stored for a gateway that is adopted, a place on the waiting list for one that is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import NOON, rows
from tests.support.deadline import within
from tests.support.raw_http import connect, read_reply
from tests.support.site_server import SiteServer
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.driver.database import Database

KEYED = Gateway("keyed", "default", "10.12.0.1", key_hashes=(hash_secret("right"),))

BEATS = "SELECT gw_id, version, sys_uptime, memory_free, load, wifidog_uptime, seen_at FROM heartbeats"
WAITING = "SELECT gw_id, version FROM waiting_gateways ORDER BY gw_id"


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server that knows the gateways gw1, and keyed by its key."""
    server = await SiteServer(database).open()
    await server.adopt(KEYED)
    await server.refresh()
    yield server
    await server.close()


async def ping(server: SiteServer, query: str, head: str = "") -> tuple[int, str]:
    """Ping as a gateway does, have it stored, and return status and body."""
    wire = await connect(server.port)
    wire.say(f"GET /wifidog/ping/?{query} HTTP/1.0\r\n{head}\r\n".encode())
    reply = read_reply(await wire.ends())
    await within(10, server.heartbeats.flush())
    return reply.status, reply.body


@ensureDeferred
async def test_a_ping_of_an_adopted_gateway_is_stored(server: SiteServer) -> None:
    """With what it says of itself."""
    query = "gw_id=gw1&sys_uptime=7200&sys_memfree=50&sys_load=0.25&wifidog_uptime=60"
    assert await ping(server, query, "User-Agent: WiFiDog 1.3.0\r\n") == (200, "Pong")
    expected = ("gw1", "WiFiDog 1.3.0", timedelta(hours=2), 51_200, 0.25, timedelta(minutes=1), NOON)
    assert await rows(server.database, BEATS) == [expected]
    assert await rows(server.database, WAITING) == []


@ensureDeferred
async def test_a_gateway_that_does_not_say_its_version_has_none(server: SiteServer) -> None:
    assert await ping(server, "gw_id=gw1") == (200, "Pong")
    assert [row[:2] for row in await rows(server.database, BEATS)] == [("gw1", None)]


@ensureDeferred
async def test_apfree_pings_for_an_adopted_gateway_under_the_name_of_its_device(server: SiteServer) -> None:
    assert await ping(server, "device_id=gw1") == (200, "Pong")
    assert [row[0] for row in await rows(server.database, BEATS)] == ["gw1"]


@pytest.mark.parametrize(
    ("query", "waiting"),
    [
        ("gw_id=stranger", [("stranger", None)]),
        ("gw_id=stranger&device_id=box", [("stranger", None)]),
        ("device_id=box", []),
    ],
)
@ensureDeferred
async def test_only_a_gateway_that_names_itself_waits_to_be_adopted(
    server: SiteServer, query: str, waiting: list[tuple[str, None]]
) -> None:
    """The device of apfree-wifidog is no name that guests could come with."""
    assert await ping(server, query) == (200, "Pong")
    assert await rows(server.database, WAITING) == waiting
    assert await rows(server.database, BEATS) == []


@pytest.mark.parametrize("key", ["", "&k=wrong"])
@ensureDeferred
async def test_a_ping_with_another_key_is_refused_in_words_and_not_stored(server: SiteServer, key: str) -> None:
    """For the person who reads the router's log."""
    assert await ping(server, f"gw_id=keyed{key}") == (403, "The key of this gateway is missing or wrong.\n")
    assert await rows(server.database, BEATS) == []
    assert await ping(server, "gw_id=keyed&k=right") == (200, "Pong")
    assert [row[0] for row in await rows(server.database, BEATS)] == ["keyed"]
