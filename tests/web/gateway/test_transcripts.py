"""The recorded requests of real gateways, byte for byte and in order, over a raw socket."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from html import unescape
from urllib.parse import quote

import psycopg2
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.support.checkout import DATA
from tests.support.deadline import within
from tests.support.running_server import NOON, RunningServer
from wifidogd.domain.tokens import hash_secret

HEARTBEAT = "SELECT version, extract(epoch FROM wifidog_uptime)::integer FROM heartbeats"
PAST = "SELECT reason, incoming, outgoing FROM past_sessions WHERE mac = %s ORDER BY session_id"
KNOWN_STAGES = {"ping", "loginpage", "login", "counters", "counters_v2", "logout", "portal"}


def recorded(name: str) -> list[dict]:
    requests = [json.loads(line) for line in (DATA / name).read_text().splitlines()]
    assert {request["stage"] for request in requests} <= KNOWN_STAGES
    return requests


def parameter(request: str, name: str) -> str:
    return re.search(rf"[?&]{name}=([^& ]*)", request)[1]


@pytest_twisted.async_yield_fixture
async def server(dsn: str) -> AsyncIterator[RunningServer]:
    server = RunningServer(dsn, "--trust-new-gateways")
    await server.start()
    yield server
    await server.stop()


def rows(dsn: str, statement: str, *parameters: object) -> list[tuple]:
    connection = psycopg2.connect(dsn)
    try:
        cursor = connection.cursor()
        cursor.execute(statement, parameters)
        found = cursor.fetchall()
        connection.commit()
        return found
    finally:
        connection.close()


async def until(condition: Callable[[], bool]) -> None:
    """Poll until it is so; the caller has the deadline."""
    while not condition():
        await deferLater(reactor, 0.1)


async def sign_in(server: RunningServer, login_page: str, token: str) -> None:
    """Do what the recorded guest did between two requests: press the button of the page they were shown."""
    page = await server.ask(login_page.encode())
    assert page.code == 200
    state = unescape(re.search(r'name="state" value="([^"]+)"', page.text)[1])
    server.tokens.append(token)
    sent = await server.post("/wifidog/login", f"state={quote(state)}&again=1")
    assert sent.code == 303
    gateway = re.search(r"gw_address=([^&]+)&(?:is_ipv6=0&)?gw_port=(\d+)", login_page)
    gw_id = parameter(login_page, "gw_id")
    assert sent.headers["location"] == f"http://{gateway[1]}:{gateway[2]}/wifidog/auth?token={token}&gw_id={gw_id}"


async def replay(server: RunningServer, dsn: str, requests: list[dict]) -> list[tuple[str, str]]:
    """
    Play a transcript and check each answer against the rows.

    @return: stage and verdict of each request that got one.
    """
    verdicts = []
    seen_tokens: set[str] = set()
    login_page = ""
    for request in requests:
        server.now = NOON + timedelta(seconds=request["seconds"])
        raw, stage = request["request"], request["stage"]
        if stage == "loginpage":
            login_page = raw
        elif stage == "login" and (token := parameter(raw, "token")) not in seen_tokens:
            seen_tokens.add(token)
            await sign_in(server, login_page, token)
        answer = await server.ask(raw.encode())
        if stage == "ping":
            assert (answer.code, answer.body) == (200, b"Pong")
        elif stage == "counters_v2":
            codes = re.findall(rb'"auth_code":(-?\d)', answer.body)
            assert len(codes) == raw.count('"token"')
            assert set(codes) <= {b"1"}
        elif stage in ("loginpage", "portal"):
            assert answer.code == 200
            assert answer.body.startswith(b"<!DOCTYPE html>")
        else:
            assert re.fullmatch(rb"Auth: \d\n", answer.body)
            check_rows(dsn, stage, raw, answer.text)
            verdicts.append((stage, answer.text.strip()))
    return verdicts


def check_rows(dsn: str, stage: str, raw: str, verdict: str) -> None:
    """Hold the session that a report was about against what the gateway was told."""
    token_hash = hash_secret(parameter(raw, "token"))
    found = rows(
        dsn,
        "SELECT gw_id, mac::text, host(ip), activated_at IS NOT NULL, last_incoming, last_outgoing"
        "  FROM sessions WHERE token_hash = %s",
        token_hash,
    )
    if verdict != "Auth: 1\n":
        assert found == []
        return
    [(gw_id, mac, ip, is_active, incoming, outgoing)] = found
    assert (gw_id, mac, ip) == (parameter(raw, "gw_id"), parameter(raw, "mac"), parameter(raw, "ip"))
    assert is_active
    if stage == "counters":
        assert (incoming, outgoing) == (int(parameter(raw, "incoming")), int(parameter(raw, "outgoing")))


@pytest_twisted.ensureDeferred
async def test_wifidog_gateway_1_3(server, dsn):
    """Two guests on a running wifidog-gateway: every answer, every row, every octet."""
    requests = recorded("wifidog-gateway-1.3.0.jsonl")
    verdicts = await replay(server, dsn, requests)
    assert {verdict for stage, verdict in verdicts if stage != "logout"} == {"Auth: 1"}
    assert [verdict for stage, verdict in verdicts if stage == "logout"] == ["Auth: 0"] * 4
    assert len(verdicts) == 17
    first, *replaced = rows(dsn, PAST, "02:ab:cd:ef:01:01")
    assert first == ("logged out", 305235, 4849)
    assert replaced == [("logged out", 0, 0), ("logged out", 0, 0), ("replaced", 0, 0), ("logged out", 1234, 676)]
    assert rows(dsn, "SELECT mac::text, incoming, outgoing FROM sessions") == [("02:ab:cd:ef:02:02", 102114, 1496)]


@pytest_twisted.ensureDeferred
async def test_the_last_ping_of_a_transcript_is_written_within_seconds(server, dsn):
    """Pings are answered from memory and written together."""
    requests = recorded("wifidog-gateway-1.3.0.jsonl")
    await replay(server, dsn, requests)
    last = [request["request"] for request in requests if request["stage"] == "ping"][-1]
    await within(20, until(lambda: rows(dsn, HEARTBEAT) == [("WiFiDog 1.3.0", int(parameter(last, "wifidog_uptime")))]))


@pytest_twisted.ensureDeferred
async def test_apfree_wifidog_9(server, dsn):
    """A running apfree-wifidog: its pings, sign-ins and log-outs."""
    requests = recorded("apfree-wifidog-9.07.jsonl")
    verdicts = await replay(server, dsn, requests)
    assert verdicts == [("login", "Auth: 1"), ("logout", "Auth: 0")]
    assert rows(dsn, PAST, "02:ab:cd:ef:01:01") == [("logged out", 101660, 985)]
