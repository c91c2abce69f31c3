"""What gateways call, over real sockets: the body is all they read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol

from tests.conftest import make_database
from tests.support.deadline import within
from tests.support.postgres import ThrowawayPostgres
from tests.support.running_server import NOON, Exchange, RunningServer
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.tokens import hash_secret, mint_token
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import adopt
from wifidogd.store.migrations import migrate

OPEN = Gateway("open", "default", "10.11.0.1")
KEYED = Gateway("keyed", "default", "10.12.0.1", key_hashes=(hash_secret("new-key"), hash_secret("old-key")))
PING = b"GET /wifidog/ping/?gw_id=open HTTP/1.0\r\n\r\n"
MAC = "02:ab:cd:ef:01:01"


@pytest_twisted.async_yield_fixture(scope="module")
async def server(postgres: ThrowawayPostgres) -> AsyncIterator[RunningServer]:
    """One for all tests here: they only ask."""
    dsn = make_database(postgres)
    database = Database(clock=reactor)
    database.start(dsn)
    await within(20, migrate(database))

    async def furnish(cursor) -> None:
        await adopt(cursor, OPEN, NOON)
        await adopt(cursor, KEYED, NOON)

    await within(5, database.transaction(furnish))
    await within(5, database.stop())
    server = RunningServer(dsn)
    await within(20, server.start())
    yield server
    await server.stop()


@pytest.mark.parametrize("target", ["/wifidog/ping", "/wifidog/ping/", "/wifidog//ping/", "//wifidog/ping"])
@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
@pytest_twisted.ensureDeferred
async def test_a_ping_is_answered_pong_and_nothing_else(server, target, version):
    """With and without trailing slash, without redirect, chunk or compression."""
    answer = await server.ask(f"GET {target}?gw_id=stranger {version}\r\nHost: a\r\n\r\n".encode())
    assert (answer.code, answer.body) == (200, b"Pong")
    assert not {name for name in answer.headers if name.endswith("auth") or "pong" in name}


@pytest.mark.parametrize("query", ["", "gw_id=", "gw_id=(null)", "device_id=undefined", "%ff=%fe&&&=&gw_id=%20"])
@pytest_twisted.ensureDeferred
async def test_a_ping_of_nobody_is_refused_without_a_pong(server, query):
    answer = await server.get(f"/wifidog/ping/?{query}")
    assert answer.code in (400, 403)
    assert b"Pong" not in answer.raw


@pytest.mark.parametrize(
    ("target", "is_welcome"),
    [
        ("/wifidog/ping/?gw_id=keyed", False),
        ("/wifidog/ping/?gw_id=keyed&k=wrong", False),
        ("/wifidog/ping/?k=new-key&gw_id=keyed", True),
        ("/wifidog/ping/?k=old-key&gw_id=keyed", True),
        ("/wifidog/ping/new-key?gw_id=keyed", True),
        ("/wifidog/ping/new-key/?gw_id=keyed", True),
        ("/wifidog/ping/wrong/?gw_id=keyed", False),
        ("/wifidog/ping/whatever/?gw_id=open", True),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_keyed_gateway_is_known_by_its_key(server, target, is_welcome):
    answer = await server.get(target)
    assert (answer.code, b"Pong" in answer.raw) == ((200, True) if is_welcome else (403, False))


@pytest.mark.parametrize(
    ("key", "verdict"), [("", (403, "Auth: 0\n")), ("k=wrong&", (403, "Auth: 0\n")), ("k=new-key&", (200, "Auth: 1\n"))]
)
@pytest_twisted.ensureDeferred
async def test_a_report_for_a_keyed_gateway_needs_its_key_even_without_gw_id(server, key, verdict):
    """A guest behind the same address cannot forge what the gateway says."""
    token = mint_token()
    server.tokens.append(token)
    page = await server.get("/wifidog/login/?gw_id=keyed&gw_address=10.12.0.1&gw_port=2060")
    state = re.search(r'name="state" value="([^"]+)"', page.text)[1]
    await server.post("/wifidog/login", f"state={state}")
    for gw_id in ("", "&gw_id=keyed"):
        answer = await server.get(f"/wifidog/auth/?{key}stage=login&mac={MAC}&token={token}{gw_id}")
        assert (answer.code, answer.text) == verdict


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
@pytest.mark.parametrize(
    ("query", "code", "body"),
    [
        (f"stage=login&ip=10.0.0.9&mac={MAC}&token={'0' * 32}&gw_id=open", 200, "Auth: 0\n"),
        (f"stage=counters&mac={MAC}&token=&incoming=1&outgoing=1&gw_id=open", 200, "Auth: 0\n"),
        (f"stage=logout&mac={MAC}&token=x&gw_id=open", 200, "Auth: 0\n"),
        (f"stage=counters&mac={MAC}&token={'0' * 32}&gw_id=stranger", 403, "Auth: 0\n"),
        ("stage=login&gw_id=not%20a%20gateway", 403, "Auth: 0\n"),
        ("stage=dance&gw_id=open", 400, "Auth: -1\n"),
        ("gw_id=open", 400, "Auth: -1\n"),
        ("", 400, "Auth: -1\n"),
        ("stage=login&stage=logout&token=%ff%fe%00&gw_id=open&mac=%&ip=%zz&incoming=1e9", 200, "Auth: 0\n"),
        ("stage=counters_v2", 400, '{"result":[]}'),
    ],
)
@pytest_twisted.ensureDeferred
async def test_every_report_gets_an_answer_that_gateways_can_read(server, slash, version, query, code, body):
    request = f"GET /wifidog/auth{slash}?{query} {version}\r\nHost: a\r\nUser-Agent: WiFiDog 1.3.0\r\n\r\n"
    answer = await server.ask(request.encode())
    assert (answer.code, answer.text) == (code, body)
    assert answer.headers["content-length"] == str(len(body))
    assert not {name for name in answer.headers if name.endswith("auth")}


@pytest_twisted.ensureDeferred
async def test_head_asks_like_get_but_gets_no_body(server):
    answer = await server.ask(b"HEAD /wifidog/ping/?gw_id=open HTTP/1.0\r\n\r\n")
    assert (answer.code, answer.body) == (200, b"")


@pytest.mark.parametrize("target", ["/wifidog/auth/a/b", "/wifidog/ping/a/b/c"])
@pytest_twisted.ensureDeferred
async def test_paths_that_no_gateway_uses_say_nothing_that_one_would_misread(server, target):
    answer = await server.get(target)
    assert answer.code == 404
    assert b"Pong" not in answer.raw
    assert answer.text == "Auth: -1\n"


@pytest.mark.parametrize(
    ("request_bytes", "code", "body"),
    [
        pytest.param(
            b"GET /wifidog/auth/?token=" + b"9" * 4000 + b"&stage=login&gw_id=open HTTP/1.0\r\n\r\n",
            *(200, "Auth: 0\n"),
            id="a token of 4,000 digits is unknown",
        ),
        pytest.param(
            b"GET /wifidog/auth/?" + b"&".join(b"a%d=1" % n for n in range(1500)) + b"&stage=login HTTP/1.0\r\n\r\n",
            *(400, "Auth: -1\n"),
            id="a stage behind 1,500 other parameters is not read",
        ),
        pytest.param(
            b"POST /wifidog/auth/?stage=login&gw_id=open HTTP/1.0\r\nContent-Length: 3\r\n\r\n{}\x00",
            *(200, "Auth: 0\n"),
            id="a POST asks as GET does, and its body is not read",
        ),
        pytest.param(
            b"BREW /wifidog/auth/?stage=login&gw_id=open HTTP/1.1\r\nHost: a\r\n\r\n",
            *(200, "Auth: 0\n"),
            id="so does any method: a gateway is answered whatever it calls its question",
        ),
        pytest.param(
            b"GET /wifidog/auth/\xff\xfe?stage=login&gw_id=open HTTP/1.1\r\nHost: \xff\r\n\r\n",
            *(400, ""),
            id="a head beyond ASCII is refused before anybody reads it",
        ),
        pytest.param(
            b"GET /wifidog/ping/?gw_id=open&sys_uptime=" + b"9" * 400 + b"&sys_load=nan HTTP/1.1\r\nHost: a\r\n\r\n",
            *(200, "Pong"),
            id="a ping with nonsense about the router is a ping",
        ),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_no_gateway_sends_has_an_answer_of_its_own(server, request_bytes, code, body):
    """Wrong types, huge values, strange methods."""
    answer = await server.ask(request_bytes)
    assert (answer.code, answer.text) == (code, body)


@pytest_twisted.ensureDeferred
async def test_a_gateway_behind_a_unix_socket_gets_its_pong(server, postgres, tmp_path):
    """A reverse proxy may be all that the server ever sees."""
    socket = tmp_path / "http"
    behind = RunningServer(make_database(postgres), "--listen", f"unix:{socket}")
    await within(20, behind.start())
    exchange = await connectProtocol(UNIXClientEndpoint(reactor, str(socket)), Exchange(PING))
    assert (await within(5, exchange.done)).endswith(b"Pong")
    await behind.stop()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "target",
    [
        "ping/?gw_id=open",
        "ping/?gw_id=keyed",
        "ping/?gw_id=",
        f"auth/?stage=counters&mac={MAC}&token={'0' * 32}&gw_id=open",
        f"auth/?stage=login&mac={MAC}&token=x&gw_id=stranger",
        "auth/?stage=dance&gw_id=open",
        "auth/?stage=counters_v2",
        "auth/a/b",
    ],
)
@pytest_twisted.ensureDeferred
async def test_no_answer_to_a_gateway_may_be_kept(server, target, method):
    """By any cache in between: an old Pong, or another guest's verdict, would be believed."""
    answer = await server.ask(f"{method} /wifidog/{target} HTTP/1.0\r\n\r\n".encode())
    assert answer.headers["cache-control"] == "no-store"
    assert b"Pong" not in answer.raw.partition(b"\r\n\r\n")[0]
    assert b"Auth: " not in answer.raw.partition(b"\r\n\r\n")[0]
