"""One connection against clients that want more of it than their share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from pytest_twisted import ensureDeferred
from twisted.web.http import _ChunkedTransferDecoder

from tests.support.observing import let_clients_be_heard, log_lines
from tests.web.server.test_site import HELLO, LAST_HELLO, RunningSite, close
from wifidogd.web.server.request_limits import LINGER

ANSWER = b"gateway auth 0"
CHUNKED = b"POST /wifidog/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def running() -> Iterator[RunningSite]:
    """A front whose clock only the test moves."""
    running = RunningSite()
    yield running
    close(running)


@ensureDeferred
async def test_who_asks_for_much_at_once_takes_turns_with_others(running: RunningSite) -> None:
    """A thousand requests in one piece are answered one at a turn of the reactor, not all before anybody else's."""
    greedy, modest = await running.connect(), await running.connect()
    greedy.say(HELLO * 1000)
    modest.say(LAST_HELLO)
    assert (await modest.ends()).endswith(ANSWER)
    assert greedy.heard.count(ANSWER) < 100
    greedy.say(LAST_HELLO)
    assert (await greedy.ends(30)).count(ANSWER) == 1001


@ensureDeferred
async def test_who_waits_for_a_turn_may_leave(running: RunningSite) -> None:
    """Nothing is done for it any more, and nothing goes wrong."""
    with log_lines("") as lines:
        greedy = await running.connect()
        greedy.say(HELLO * 1000)
        await greedy.hears(ANSWER)
        greedy.leave()
        await running.has_clients(0)
        await let_clients_be_heard()
    assert lines == []


@ensureDeferred
async def test_many_requests_and_fin_are_all_answered(running: RunningSite) -> None:
    """The end is heard after what was said before it."""
    greedy = await running.connect()
    greedy.say(HELLO * 1000)
    greedy.transport.loseWriteConnection()  # type: ignore[union-attr]
    assert (await greedy.ends(30)).count(ANSWER) == 1000


@ensureDeferred
async def test_the_pieces_of_a_body_count_as_well(running: RunningSite) -> None:
    """A body of 20 kB in chunks of one octet is much more work, and refused like one that is too large."""
    wire = await running.connect()
    wire.say(CHUNKED + b"1\r\nx\r\n" * 20_000)
    await wire.hears(b"413 Content Too Large")
    await let_clients_be_heard()
    running.clock.advance(LINGER)
    assert (await wire.ends()).count(b"HTTP/1.1") == 1


@ensureDeferred
async def test_a_body_that_is_refused_is_let_go_at_once(running: RunningSite) -> None:
    """Not once the collector comes: until then a thousand of them had 16 MB."""
    gc.collect()
    gc.disable()
    try:
        wire = await running.connect()
        wire.say(CHUNKED + b"1\r\nx\r\n" * 20_000)
        await wire.hears(b"413 Content Too Large")
        assert not [each for each in gc.get_objects() if isinstance(each, _ChunkedTransferDecoder)]
        await let_clients_be_heard()
        running.clock.advance(LINGER)
        await wire.ends()
    finally:
        gc.enable()


@ensureDeferred
async def test_each_body_is_counted_anew(running: RunningSite) -> None:
    """On a connection that is kept."""
    wire = await running.connect()
    for _ in range(3):
        wire.say(CHUNKED + b"a000\r\n" + b"x" * 0xA000 + b"\r\n0\r\n\r\n")
    wire.say(LAST_HELLO)
    heard = await wire.ends()
    assert heard.count(b"guest login 40960") == 3
    assert heard.endswith(ANSWER)


@pytest.mark.parametrize(("length", "status"), [(100, b"200"), (101, b"400"), (16_000, b"400")])
@ensureDeferred
async def test_names_of_fields_are_short(running: RunningSite, length: int, status: bytes) -> None:
    """Twisted keeps 10,000 of them, twice and for good: 330 MB of names as long as a head may be."""
    wire = await running.connect()
    wire.say(LAST_HELLO[:-2] + b"X" * length + b": y\r\nZ: z\r\n\r\n")
    assert (await wire.ends()).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    "said", [b"close", b"close, TE", b"TE,Close", b"TE\r\nConnection: close", b"keep-alive , close"]
)
@ensureDeferred
async def test_who_asks_for_the_end_gets_it_whatever_else_is_asked_for(running: RunningSite, said: bytes) -> None:
    """wifidog-ng 2 sends C{Connection: close, TE}; it would cost a connection for ten seconds."""
    gateway = await running.connect()
    gateway.say(b"GET /wifidog/auth HTTP/1.1\r\nHost: a\r\nConnection: " + said + b"\r\n\r\n")
    heard = await gateway.ends()
    assert heard.endswith(ANSWER)
    assert b"\r\nConnection: close\r\n" in heard
