"""Guests whose sessions are over are off within a second where their router keeps a WebSocket open."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlencode

import psycopg2
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.support.deadline import within
from tests.support.running_server import RunningServer
from tests.support.testbed.fake_router import BUFFER, FakeRouter, connect_router, masked, upgrade_request

TOKEN = "0123456789abcdefghijklmnopqrstuv"
MAC = "02:00:00:00:00:01"
DEVICE = "netlabdev1"
ADOPT = """
    INSERT INTO gateways (gw_id, network, address, port, key_hashes, adopted_at)
    VALUES ('gw1', 'default', '10.0.0.1', 2060, '{}', now())
"""
MARK = "UPDATE sessions SET ending = %s"
PAST = "SELECT reason, incoming, outgoing FROM past_sessions"
OPEN = "SELECT count(*) FROM sessions"
METERED = "UPDATE sessions SET quota_octets = 1000000"


def sql(dsn: str, statement: str, *parameters: object) -> list[tuple]:
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@pytest_twisted.async_yield_fixture
async def server(dsn: str) -> AsyncIterator[RunningServer]:
    server = RunningServer(dsn)
    await server.start()
    sql(dsn, ADOPT)
    yield server
    await server.stop()


async def report(server: RunningServer, stage: str, octets: int = 0) -> str:
    """Report the guest as the router does."""
    query = {"stage": stage, "ip": "10.0.0.5", "mac": MAC, "token": TOKEN, "gw_id": "gw1"}
    query |= {"incoming": octets, "outgoing": octets, "device_id": DEVICE}
    return (await server.get("/wifidog/auth/?" + urlencode(query))).text


async def get_online(server: RunningServer) -> None:
    """Sign the guest in, and have the router confirm it."""
    server.tokens.append(TOKEN)
    query = urlencode({"gw_address": "10.0.0.1", "gw_port": "2060", "gw_id": "gw1", "ip": "10.0.0.5", "mac": MAC})
    page = ""
    while "<form" not in page or 'name="state"' not in page:
        page = (await server.get("/wifidog/login/?" + query)).text
    state = page.partition('name="state" value="')[2].partition('"')[0]
    await server.post("/wifidog/login", urlencode({"state": state}))
    assert await report(server, "login") == "Auth: 1\n"
    assert await report(server, "counters", 1000) == "Auth: 1\n"


async def log_out(server: RunningServer) -> None:
    """Press the button on the portal page; the router does not get the page's own call."""
    page = (await server.get(f"/wifidog/portal?token={TOKEN}")).text
    state = page.partition('name="state" value="')[2].partition('"')[0]
    await server.post("/wifidog/logout", urlencode({"state": state}))


async def is_connected(server: RunningServer) -> None:
    """Wait until the router can be told something."""

    async def look() -> None:
        while not len(server.service.components.claims.routers):
            await deferLater(reactor, 0.02)

    await within(5, look())


@pytest_twisted.async_yield_fixture
async def router(server: RunningServer) -> AsyncIterator[FakeRouter]:
    """The router of a gateway with a guest online."""
    await get_online(server)
    router = await connect_router(server.port, DEVICE)
    await is_connected(server)
    yield router
    router.leave()


async def ends(dsn: str, reason: str) -> None:
    """Wait until the session is in the history, once."""

    async def look() -> None:
        while not sql(dsn, PAST):
            await deferLater(reactor, 0.02)

    await within(5, look())
    assert sql(dsn, PAST) == [(reason, 1000, 1000)]
    assert sql(dsn, OPEN) == [(0,)]


def kickoff(router: FakeRouter) -> dict:
    command = dict(router.commands[0])
    del command["req_id"]
    return command


@pytest.mark.parametrize(
    "reason",
    [
        "ended by the operator",
        "taken back by the operator",
        "password changed",
        "erased by the guest",
        "logged out",
    ],
)
@ensureDeferred
async def test_whatever_marks_a_session_has_its_guest_thrown_off(
    server: RunningServer, router: FakeRouter, dsn: str, reason: str
) -> None:
    """Whichever process marked it; the session ends with its reason and what was last reported."""
    before = reactor.seconds()
    sql(dsn, MARK, reason)
    await router.has(1)
    assert reactor.seconds() - before < 1.0
    assert kickoff(router) == {
        "op": "kickoff",
        "client_ip": "10.0.0.5",
        "client_mac": MAC,
        "device_id": DEVICE,
        "gw_id": "gw1",
    }
    await ends(dsn, reason)


@ensureDeferred
async def test_log_out_on_the_page_throws_the_guest_off(server: RunningServer, router: FakeRouter, dsn: str) -> None:
    await log_out(server)
    await router.has(1)
    await ends(dsn, "logged out")


@ensureDeferred
async def test_a_session_over_its_time_ends_at_once(server: RunningServer, router: FakeRouter, dsn: str) -> None:
    """By no report and no timer of minutes."""
    sql(dsn, "UPDATE sessions SET expires_at = %s", server.now + timedelta(hours=1))
    await deferLater(reactor, 0.7)
    assert router.commands == []
    server.now += timedelta(hours=1)
    await router.has(1)
    await ends(dsn, "time is up")
    assert sql(dsn, "SELECT reason FROM farewells") == [("time is up",)]


@ensureDeferred
async def test_a_guest_whose_trust_is_over_is_thrown_off_at_once(
    server: RunningServer, router: FakeRouter, dsn: str
) -> None:
    """The next page says that the address was not confirmed, as the gateway's message for code 6 would have."""
    sql(dsn, "UPDATE sessions SET probation_until = %s", server.now + timedelta(hours=1))
    await deferLater(reactor, 0.7)
    assert router.commands == []
    server.now += timedelta(hours=1)
    await router.has(1)
    await ends(dsn, "address not validated in time")
    assert sql(dsn, "SELECT reason FROM farewells") == [("address not validated in time",)]


@ensureDeferred
async def test_a_guest_whom_the_router_does_not_list_is_gone(
    server: RunningServer, router: FakeRouter, dsn: str
) -> None:
    router.listed = set()
    sql(dsn, MARK, "ended by the operator")
    await ends(dsn, "ended by the operator")


@ensureDeferred
async def test_the_log_out_of_a_guest_whom_the_router_has_just_let_go_is_waited_for(
    server: RunningServer, router: FakeRouter, dsn: str
) -> None:
    """The page that confirms the log-out calls the router as well, whose report has the last octets."""
    router.listed = set()
    await log_out(server)
    await router.has(1)
    await deferLater(reactor, 0.7)
    assert await report(server, "logout", 1500) == "Auth: 0\n"
    assert sql(dsn, PAST) == [("logged out", 1500, 1500)]


@ensureDeferred
async def test_a_report_that_comes_first_ends_the_session_once(
    server: RunningServer, router: FakeRouter, dsn: str
) -> None:
    """Its octets count, and the reply that comes later changes nothing."""
    router.replies = False
    sql(dsn, MARK, "ended by the operator")
    await router.has(1)
    assert await report(server, "counters", 1500) == "Auth: 0\n"
    router._reply(router.commands[0])
    await deferLater(reactor, 0.2)
    assert sql(dsn, PAST) == [("ended by the operator", 1500, 1500)]


@ensureDeferred
async def test_a_router_that_cannot_leaves_it_to_the_next_report(
    server: RunningServer, router: FakeRouter, dsn: str
) -> None:
    router.replies = False
    sql(dsn, MARK, "ended by the operator")
    await router.has(1)
    req_id = router.commands[0]["req_id"]
    router.say({"req_id": req_id, "response": "200", "data": {"status": "error", "code": 1002}})
    await deferLater(reactor, 1.2)
    assert len(router.commands) == 1
    assert sql(dsn, OPEN) == [(1,)]
    assert await report(server, "counters", 1500) == "Auth: 0\n"


@ensureDeferred
async def test_where_octets_are_limited_the_last_report_is_waited_for(
    server: RunningServer, router: FakeRouter, dsn: str
) -> None:
    """A guest could log out before each report, and have all octets for free."""
    sql(dsn, METERED)
    await log_out(server)
    await deferLater(reactor, 1.2)
    assert router.commands == []
    assert await report(server, "counters", 1500) == "Auth: 0\n"
    assert sql(dsn, PAST) == [("logged out", 1500, 1500)]


@ensureDeferred
async def test_a_router_of_the_older_form_is_told_in_it(server: RunningServer, dsn: str) -> None:
    await get_online(server)
    router = await connect_router(server.port, DEVICE, form="type")
    await is_connected(server)
    sql(dsn, MARK, "ended by the operator")
    await router.has(1)
    assert kickoff(router)["type"] == "kickoff"
    await ends(dsn, "ended by the operator")
    router.leave()


@ensureDeferred
async def test_many_are_thrown_off_one_after_the_other(server: RunningServer, router: FakeRouter, dsn: str) -> None:
    """The router looks at one message per read, and hears all."""
    sql(
        dsn,
        """
        INSERT INTO sessions (token_hash, gw_id, mac, ip, opened_at, activated_at, reported_at, ending)
        SELECT sha256(n::text::bytea), 'gw1', ('0200000001' || to_hex(n))::macaddr, '10.0.1.1', now(), now(), now(),
               'ended by the operator'
          FROM generate_series(16, 75) AS n
        """,
    )
    await router.has(60, seconds=10)
    assert router.lost == 0

    async def look() -> None:
        while sql(dsn, OPEN) != [(1,)]:
            await deferLater(reactor, 0.05)

    await within(5, look())
    assert len({command["client_mac"] for command in router.commands}) == 60


@ensureDeferred
async def test_only_the_process_with_the_connection_tells_the_router(
    server: RunningServer, router: FakeRouter, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The router moves to a second server; what is asked of the first reaches it there."""
    monkeypatch.setattr("wifidogd.tap.assembly.server_name", lambda *_: "second")
    second = RunningServer(dsn)
    await second.start()
    try:
        moved = await connect_router(second.port, DEVICE)
        await is_connected(second)
        await log_out(server)
        await moved.has(1)
        await ends(dsn, "logged out")
        assert router.commands == []
        moved.leave()
    finally:
        await second.stop()
    assert sql(dsn, "SELECT * FROM router_connections") == []


@ensureDeferred
async def test_a_deaf_router_is_closed_and_told_when_it_is_back(
    server: RunningServer, router: FakeRouter, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wifidogd.web.gateway.websocket.send_queue.REPLY_WITHIN", 0.3)
    monkeypatch.setattr("wifidogd.accounting.kickoffs.AGAIN_AFTER", {})
    router.is_deaf = True
    sql(dsn, MARK, "ended by the operator")
    await router.ends()
    assert router.closed_with is None
    again = await connect_router(server.port, DEVICE)
    await again.has(1)
    await ends(dsn, "ended by the operator")
    again.leave()


@ensureDeferred
async def test_a_router_may_speak_tls_to_the_plain_port(server: RunningServer, dsn: str) -> None:
    """With WSServerSSL, as some are set up for a port that has no TLS of its own."""
    await get_online(server)
    told = deferToThread(hear_over_tls, server.port)
    await is_connected(server)
    sql(dsn, MARK, "ended by the operator")
    said = await within(15, told)
    assert b'"op":"kickoff"' in said
    await ends(dsn, "ended by the operator")


def hear_over_tls(port: int) -> bytes:
    """Connect a router, reply to what it is told, and return that; blocks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    raw = socket.create_connection(("127.0.0.1", port), 10)
    with raw, context.wrap_socket(raw) as secure:
        secure.sendall(upgrade_request())
        assert secure.recv(BUFFER).startswith(b"HTTP/1.1 101")
        greeting = {"op": "connect", "device_id": DEVICE, "gateway": [{"gw_id": "gw1"}], "req_id": "a"}
        secure.sendall(masked(json.dumps(greeting).encode()))
        assert b"connect" in secure.recv(BUFFER)
        said = secure.recv(BUFFER)
        req_id = json.loads(said[said.index(b"{") :])["req_id"]
        reply = {"req_id": req_id, "response": "200", "data": {"status": "success", "code": 0}}
        secure.sendall(masked(json.dumps(reply).encode()))
        return said
