"""A device without a browser is let in by its operator, over the WebSocket of its router, and is a guest like any."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.ctl.test_ctl import Operator
from tests.journeys.test_kickoffs import DEVICE, ends, is_connected, sql
from tests.support.running_server import RunningServer
from tests.support.testbed.fake_router import FakeRouter, connect_router
from wifidogd.domain.tokens import hash_secret

KEY = "0123456789abcdefghijklmnopqrstuv"
ADOPT = """
    INSERT INTO gateways (gw_id, network, address, port, key_hashes, adopted_at)
    VALUES ('gw1', 'default', '10.0.0.1', 2060, ARRAY[%s::bytea], now())
"""
MAC, IP = "02:00:00:00:00:01", "10.0.0.5"
ADMIT = ("session", "admit", "--gateway", "gw1", "--mac", "02-00-00-00-00-01", "--ip", IP)


@pytest_twisted.async_yield_fixture
async def server(dsn: str) -> AsyncIterator[RunningServer]:
    server = RunningServer(dsn)
    server.now = datetime.now(UTC)  # as wifidogctl sees it
    await server.start()
    sql(dsn, ADOPT, hash_secret(KEY))
    yield server
    await server.stop()


@pytest_twisted.async_yield_fixture
async def router(server: RunningServer) -> AsyncIterator[FakeRouter]:
    while "Pong" in (await server.get("/wifidog/ping/?gw_id=gw1")).text:
        pass  # not known yet as one with a key
    router = await connect_router(server.port, DEVICE, path=f"/ws/wifidogx/{KEY}")
    await is_connected(server)
    yield router
    router.leave()


@pytest.fixture
def operator(dsn: str) -> Operator:
    return Operator(dsn)


async def list_clients(server: RunningServer, token: str, octets: int) -> int:
    """List the device as the router does, and return its code."""
    client = {"id": 1, "ip": IP, "mac": MAC, "token": token, "incoming_bytes": octets, "outgoing_bytes": octets}
    body = {"device_id": DEVICE, "gateway": [{"gw_id": "gw1", "clients": [client]}]}
    text = json.dumps(body)
    head = f"POST /wifidog/auth/?k={KEY}&stage=counters_v2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    answer = await server.ask((head + text).encode())
    return json.loads(answer.text)["result"][0]["auth_op"][0]["auth_code"]


@ensureDeferred
async def test_a_device_is_let_in_counted_and_kicked(
    server: RunningServer, router: FakeRouter, operator: Operator, dsn: str
) -> None:
    """The router is told a token, which its next list of clients names."""
    said = await operator.does(*ADMIT)
    assert said == f"{MAC} is in.  Its session begins with the next report of gw1, within 60 seconds.\n"
    [told] = router.commands
    token = told["token"]
    expected = {"op": "auth", "client_ip": IP, "client_mac": MAC, "gw_id": "gw1", "once_auth": False}
    assert told == {**expected, "req_id": told["req_id"], "token": token}
    assert sql(dsn, "SELECT count(*) FROM router_commands") == [(0,)]
    assert await list_clients(server, token, 0) == 1
    assert await list_clients(server, token, 1000) == 1
    assert sql(dsn, "SELECT mac, ip, incoming, terms_version FROM sessions") == [(MAC, IP, 1000, None)]
    assert "already online" in await operator.fails(*ADMIT, code=1)
    await operator.does("session", "kick", "--mac", MAC)
    await router.has(2)
    assert router.commands[1]["op"] == "kickoff"
    await ends(dsn, "ended by the operator")


@ensureDeferred
async def test_the_plan_of_the_network_limits_it(
    server: RunningServer, router: FakeRouter, operator: Operator, dsn: str
) -> None:
    """As it limits every device, and is used up for it."""
    await operator.does("plan", "set", "small", "--title", "Small", "--data", "1kB")
    await operator.does("network", "set", "default", "--plan", "small")
    await operator.does(*ADMIT)
    assert await list_clients(server, router.commands[0]["token"], 2000) == 0
    said = await operator.fails(*ADMIT, code=1)
    assert "is not let in: a limit is reached (quota is spent" in said


@ensureDeferred
async def test_a_router_that_refuses_says_so_to_the_operator(
    server: RunningServer, router: FakeRouter, operator: Operator, dsn: str
) -> None:
    """It may list the device already, with a token of before."""
    router.refuses = True
    assert "the router refused, or did not reply" in await operator.fails(*ADMIT, code=1)
    assert sql(dsn, "SELECT activated_at FROM sessions") == [(None,)]


@pytest.mark.parametrize(
    ("change", "reason", "advice"),
    [
        ("DELETE FROM gateways", "the gateway is not adopted", "wifidogctl gateway list"),
        ("UPDATE gateways SET key_hashes = '{}'", "the gateway has no key", "wifidogctl gateway config gw1 --new-key"),
        ("UPDATE gateways SET check_interval = '3 minutes'", "reports too rarely", "--interval 60"),
        ("SELECT", "the router keeps no WebSocket open", "wifidogctl gateway config gw1 --for apfree"),
    ],
)
@ensureDeferred
async def test_where_it_cannot_work_the_operator_reads_why(
    server: RunningServer, operator: Operator, dsn: str, change: str, reason: str, advice: str
) -> None:
    """And nothing has changed."""
    sql(dsn, change)
    said = await operator.fails(*ADMIT, code=1)
    assert reason in said
    assert advice in said
    assert sql(dsn, "SELECT count(*) FROM sessions") == [(0,)]
