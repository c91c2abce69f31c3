"""What the log tells operators about gateways, and what gateways are told that the log is about."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.logger import LogEvent, formatEvent

from tests.support.deadline import within
from tests.support.observing import log_lines
from tests.support.running_server import RunningServer

MAC = "02:ab:cd:ef:01:01"
TOKEN = "abcdefghij" * 3 + "kl"


@pytest_twisted.async_yield_fixture
async def server(dsn: str) -> AsyncIterator[RunningServer]:
    """A server that trusts whichever gateway calls."""
    server = RunningServer(dsn, "--trust-new-gateways")
    await within(20, server.start())
    yield server
    await server.stop()


@pytest.fixture
def lines() -> Iterator[list[LogEvent]]:
    """Log events of the pages for gateways."""
    with log_lines("wifidogd.web.gateway") as lines:
        yield lines


def words(lines: list[LogEvent]) -> list[tuple[str, str]]:
    """Return level and text of log lines."""
    return [(line["log_level"].name, formatEvent(line)) for line in lines]


@ensureDeferred
async def test_a_refused_token_is_named_by_its_first_six_characters(
    server: RunningServer, lines: list[LogEvent]
) -> None:
    """Enough to compare with what a guest shows; too little to sign in by."""
    answer = await server.get(f"/wifidog/auth/?stage=counters&mac={MAC}&token={TOKEN}&gw_id=lobby")
    assert answer.text == "Auth: 0\n"
    ((level, text),) = words(lines)
    assert level == "warn"
    assert text.startswith("token abcdef refused at lobby: ")
    assert text.removeprefix("token abcdef refused at lobby: ") in (
        "unknown token",
        "gateway not adopted, or its key is wrong",
    )


@ensureDeferred
async def test_an_unreadable_request_is_logged_with_its_source(server: RunningServer, lines: list[LogEvent]) -> None:
    """And with what was wrong: the operator can look for the router at that address."""
    assert (await server.get("/wifidog/auth/?stage=dance&gw_id=lobby")).code == 400
    ((level, text),) = words(lines)
    assert level == "warn"
    assert text.startswith("unreadable request from 127.0.0.1: ")
    assert "stage" in text
    assert "must be login, counters or logout" in text


@ensureDeferred
async def test_sessions_that_end_in_crowds_are_one_line(server: RunningServer, lines: list[LogEvent]) -> None:
    """A guest can sign in and out as often as they like."""
    for number in range(8):
        token, mac = f"{number}" * 32, f"02:ab:cd:ef:02:0{number}"
        server.tokens.append(token)
        page = await server.get(f"/wifidog/login/?gw_id=lobby&gw_address=10.0.0.1&gw_port=2060&mac={mac}")
        state = re.search(r'name="state" value="([^"]+)"', page.text)
        assert state is not None
        await server.post("/wifidog/login", f"state={state[1]}")
        for stage, verdict in (("login", "Auth: 1\n"), ("logout", "Auth: 0\n")):
            answer = await server.get(f"/wifidog/auth/?stage={stage}&mac={mac}&token={token}&gw_id=lobby")
            assert answer.text == verdict
    assert words(lines) == [("info", "session 000000 at lobby ended: logged out")]


@ensureDeferred
async def test_answers_for_gateways_are_plain_text(server: RunningServer) -> None:
    """A browser that strays there must not read it as a page."""
    for target in ("/wifidog/ping/?gw_id=lobby", "/wifidog/auth/?stage=dance", "/wifidog/auth/a/b"):
        assert (await server.get(target)).headers["content-type"] == "text/plain; charset=utf-8", target


@ensureDeferred
async def test_a_gateway_may_call_itself_anything(server: RunningServer) -> None:
    """A User-Agent that is not UTF-8, and none, are no reason to miss a ping."""
    for agent in (b"User-Agent: \xff\xfe\r\n", b""):
        answer = await server.ask(b"GET /wifidog/ping/?gw_id=lobby HTTP/1.0\r\n" + agent + b"\r\n")
        assert (answer.code, answer.body) == (200, b"Pong")


@ensureDeferred
async def test_a_list_without_a_body_is_answered_with_no_verdicts(server: RunningServer) -> None:
    """An empty list changes nothing for the guests of apfree-wifidog, which reads the body as JSON."""
    with log_lines("wifidogd.web.gateway.list_answers") as lines:
        answer = await server.get("/wifidog/auth/?stage=counters_v2&gw_id=lobby")
    assert (answer.code, answer.body) == (400, b'{"result":[]}')
    assert words(lines) == [("warn", "unreadable list from 127.0.0.1: body: is not JSON")]
