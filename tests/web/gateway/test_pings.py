"""What becomes of a ping: stored for a gateway that is adopted, a place on the waiting list for one that is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import NOON, put, rows
from tests.support.deadline import within
from tests.support.raw_http import ask, connect, read_reply
from tests.support.site_server import MAC, SiteServer, token_in
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


@ensureDeferred
async def test_a_ping_of_a_device_is_one_of_each_of_its_gateways(server: SiteServer) -> None:
    """As soon as another request has named both; apfree-wifidog 9 names its device alone in pings."""
    await server.adopt(Gateway("gw2", "default", "10.0.1.1"))
    await server.refresh()
    for gw_id in ("gw1", "gw2"):
        told = await ask(server.port, f"/wifidog/auth/?stage=counters&token=x&gw_id={gw_id}&device_id=box")
        assert told.status == 200
    assert await ping(server, "device_id=box&sys_uptime=100&wifidog_uptime=60") == (200, "Pong")
    restarts = "SELECT gw_id, wifidog_uptime, restarted_at FROM heartbeats ORDER BY gw_id"
    minute = timedelta(minutes=1)
    assert await rows(server.database, restarts) == [("gw1", minute, None), ("gw2", minute, None)]
    server.now = NOON + 2 * minute
    assert await ping(server, "device_id=box&sys_uptime=10&wifidog_uptime=5") == (200, "Pong")
    second = timedelta(seconds=1)
    restarted = server.now - 5 * second
    assert await rows(server.database, restarts) == [("gw1", 5 * second, restarted), ("gw2", 5 * second, restarted)]


@ensureDeferred
async def test_a_device_is_learnt_from_the_address_of_its_login_page(server: SiteServer) -> None:
    await ask(server.port, f"/wifidog/login/?gw_id=gw1&gw_address=10.0.0.1&gw_port=2060&mac={MAC}&device_id=box")
    assert await ping(server, "device_id=box") == (200, "Pong")
    assert [row[0] for row in await rows(server.database, BEATS)] == ["gw1"]


@ensureDeferred
async def test_a_ping_of_a_device_needs_the_key_of_its_gateway(server: SiteServer) -> None:
    """Whoever knows no key of its gateways speaks for none of them."""
    await ask(server.port, "/wifidog/auth/?stage=counters&token=x&gw_id=keyed&device_id=box&k=right")
    assert await ping(server, "device_id=box") == (403, "The key of this gateway is missing or wrong.\n")
    assert await ping(server, "device_id=box&k=wrong") == (403, "The key of this gateway is missing or wrong.\n")
    assert await rows(server.database, BEATS) == []
    assert await ping(server, "device_id=box&k=right") == (200, "Pong")
    assert [row[0] for row in await rows(server.database, BEATS)] == ["keyed"]


@pytest.mark.parametrize("key", ["", "&k=wrong"])
@ensureDeferred
async def test_a_ping_with_another_key_is_refused_in_words_and_not_stored(server: SiteServer, key: str) -> None:
    """For the person who reads the router's log."""
    assert await ping(server, f"gw_id=keyed{key}") == (403, "The key of this gateway is missing or wrong.\n")
    assert await rows(server.database, BEATS) == []
    assert await ping(server, "gw_id=keyed&k=right") == (200, "Pong")
    assert [row[0] for row in await rows(server.database, BEATS)] == ["keyed"]


ODD = [
    (b"my lobby", "my lobby"),
    (b"my%20lobby", "my lobby"),
    (b"lobby#2", "lobby#2"),
    (b"{lobby}", "{lobby}"),
    (b"${HOSTNAME}", "${HOSTNAME}"),
    ("Café".encode(), "Café"),
    ("Café".encode("latin-1"), "Café"),
    ("咖啡".encode(), "咖啡"),
    (b"\tlobby\tone", "lobby?one"),
    (b"%1b[31mred", "?[31mred"),
    ("a\u202eb".encode(), "a?b"),
    (b"x" * 70, "x" * 63 + "…"),
]


@pytest.mark.parametrize(("sent", "shown"), ODD)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@ensureDeferred
async def test_a_gateway_under_an_impossible_name_is_answered_and_waits(
    server: SiteServer, sent: bytes, shown: str, version: bytes
) -> None:
    """Its owner must learn of it: without Pong the router opens the network, or says that the server is down."""
    wire = await connect(server.port)
    end = b" HTTP/%b\r\nHost: a\r\nConnection: close\r\nUser-Agent: WiFiDog 1.3.0\r\n\r\n" % version
    wire.say(b"GET /wifidog/ping/?gw_id=" + sent + b"&sys_uptime=7&wifidog_uptime=6" + end)
    reply = read_reply(await wire.ends())
    assert (reply.status, reply.body) == (200, "Pong")
    await within(10, server.heartbeats.flush())
    assert await rows(server.database, WAITING) == [(shown, "WiFiDog 1.3.0")]
    assert await rows(server.database, BEATS) == []


@pytest.mark.parametrize("sent", [b"my lobby", b"lobby#2", "Café".encode("latin-1")])
@ensureDeferred
async def test_nobody_comes_in_at_a_gateway_under_an_impossible_name(server: SiteServer, sent: bytes) -> None:
    """No token can have been made for it; its guests' page tells the owner what to change."""
    wire = await connect(server.port)
    wire.say(b"GET /wifidog/auth/?stage=login&token=" + b"t" * 32 + b"&gw_id=" + sent + b" HTTP/1.0\r\n\r\n")
    reply = read_reply(await wire.ends())
    assert (reply.status, reply.body) == (403, "Auth: 0\n")
    wire = await connect(server.port)
    wire.say(b"GET /wifidog/login/?gw_id=" + sent + b"&gw_address=192.168.1.1 HTTP/1.0\r\n\r\n")
    page = read_reply(await wire.ends())
    assert page.status == 404
    assert "cannot use the name that it gives itself" in page.body
    assert [one.gw_id for one in server.waiting] == [sent.decode("latin-1")]


@pytest.mark.parametrize("absent", ["", "NULL", "(null)", "none", "undefined", "N/A", "%20", "nil"])
@ensureDeferred
async def test_a_good_token_is_good_however_a_gateway_says_that_it_has_no_name(server: SiteServer, absent: str) -> None:
    """The gateway is the one that the token was made for; its key is asked for."""
    token = token_in((await server.sign_in()).headers["location"])
    for stage in ("login", "counters"):
        query = f"stage={stage}&ip=10.0.0.5&mac={MAC}&token={token}&incoming=1&outgoing=1&gw_id={absent}"
        assert (await server.get(f"auth/?{query}")).body == "Auth: 1\n"
    assert (await ping(server, f"gw_id={absent}&device_id=gw1")) == (200, "Pong")
    assert [row[0] for row in await rows(server.database, BEATS)] == ["gw1"]
    assert (await ping(server, f"gw_id={absent}"))[0] == 403
    await put(server.database, "UPDATE gateways SET key_hashes = ARRAY[sha256('key')]")
    await server.refresh()
    assert (await server.get(f"auth/?{query}")).body == "Auth: 0\n"
    assert (await server.get(f"auth/?k=key&{query}")).body == "Auth: 1\n"


@ensureDeferred
async def test_an_impossible_name_of_a_device_waits_for_nobody(server: SiteServer) -> None:
    """It is answered all the same."""
    assert await ping(server, "device_id=my%20box") == (200, "Pong")
    assert await rows(server.database, WAITING) == []


@pytest.mark.parametrize("name", ["", "/", "/index.php", "/index.php/", ".php", ".php/", "//index.php"])
@ensureDeferred
async def test_gateways_set_up_for_the_old_server_are_answered_alike(server: SiteServer, name: str) -> None:
    """Its fragments were C{ping/index.php?} and the like; a key may follow in the query."""
    token = token_in((await server.sign_in()).headers["location"])
    report = f"stage=login&ip=10.0.0.5&mac={MAC}&token={token}&incoming=1&outgoing=1&gw_id=gw1"
    assert (await server.get(f"ping{name}?gw_id=gw1")).body == "Pong"
    assert (await server.get(f"auth{name}?{report}")).body == "Auth: 1\n"
    await put(server.database, "UPDATE gateways SET key_hashes = ARRAY[sha256('key')]")
    await server.refresh()
    for key, is_good in (("", False), ("k=index.php&", False), ("k=key&", True)):
        assert ((await server.get(f"ping{name}?{key}gw_id=gw1")).body == "Pong") is is_good
        assert (await server.get(f"auth{name}?{key}{report}")).body == f"Auth: {int(is_good)}\n"
