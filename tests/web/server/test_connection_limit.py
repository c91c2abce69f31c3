"""At the limit of connections, the client that has been slow for the longest makes room for one in the backlog."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater

from tests.support.observing import log_lines
from tests.support.raw_http import Wire, connect
from tests.web.server.test_site import HELLO, LAST_HELLO, RunningSite, close
from wifidogd.web.server.connections.connection_limit import SlowClients

SERVED = b"gateway auth 0"


@pytest_twisted.async_yield_fixture
async def small() -> AsyncIterator[RunningSite]:
    """A site that serves two clients at most."""
    small = RunningSite(most_connections=34)
    yield small
    close(small)
    await small.has_clients(0)


async def wait(running: RunningSite, seconds: float) -> None:
    """Advance the clock in steps of 0.25 s, and let the reactor turn after each."""
    for _ in range(round(seconds / 0.25)):
        running.clock.advance(0.25)
        for _ in range(5):
            await deferLater(reactor, 0.004)


async def outside(running: RunningSite) -> Wire:
    """Connect while the site is full, and send a request."""
    wire = await connect(running.port)
    wire.say(LAST_HELLO)
    await wait(running, 0.5)
    assert wire.heard == b""
    return wire


@ensureDeferred
async def test_who_has_been_silent_the_longest_makes_room(small: RunningSite) -> None:
    """A second after the last word, not at the deadline; nobody is logged."""
    with log_lines("") as lines:
        first = await small.connect()
        await wait(small, 0.25)
        second = await small.connect()
        guest = await outside(small)
        await wait(small, 0.75)
        assert (await guest.ends()).endswith(SERVED)
        assert first.closed.called
    assert lines == []
    second.leave()


@ensureDeferred
async def test_who_is_being_answered_stays(small: RunningSite) -> None:
    """It is not they who keep us waiting."""
    asks = await small.connect()
    asks.say(b"GET /healthz HTTP/1.0\r\n\r\n")
    await small.slow.has_been_asked(1)
    await wait(small, 3)
    silent = await small.connect()
    guest = await outside(small)
    await wait(small, 1)
    assert (await guest.ends()).endswith(SERVED)
    assert silent.closed.called
    assert not asks.closed.called
    small.slow.asked[0].finish()
    await asks.ends()


@ensureDeferred
async def test_nobody_keeps_a_connection_by_asking_again_and_again() -> None:
    """When the site is nearly full, connections are closed after the answer; otherwise they are kept."""
    running = RunningSite(most_connections=36)
    one, two = await running.connect(), await running.connect()
    one.say(HELLO)
    await one.hears(SERVED)
    assert not one.closed.called
    three = await running.connect()
    one.say(HELLO)
    assert b"connection: close" in (await one.ends()).lower()
    two.leave()
    three.leave()
    await running.has_clients(0)
    close(running)


@ensureDeferred
async def test_who_was_served_and_keeps_the_connection_makes_room_too() -> None:
    """Counted from the answer."""
    running = RunningSite(most_connections=36)
    served = await running.connect()
    served.say(HELLO)
    await served.hears(SERVED)
    others = [await running.connect() for _ in range(3)]
    for other in others:
        other.say(b"GET /healthz HTTP/1.0\r\n\r\n")
    await running.slow.has_been_asked(3)
    guest = await outside(running)
    await wait(running, 1)
    assert (await guest.ends()).endswith(SERVED)
    assert served.closed.called
    for other in others:
        other.leave()
    await running.has_clients(0)
    close(running)


@ensureDeferred
async def test_who_does_not_take_the_answer_makes_room_after_a_while(small: RunningSite) -> None:
    """They get more time than who says nothing."""
    wires = [await small.connect(), await small.connect()]
    for number, wire in enumerate(wires):
        wire.transport.pauseProducing()  # type: ignore[union-attr]
        wire.say(b"GET /healthz HTTP/1.0\r\n\r\n")
        await small.slow.has_been_asked(number + 1)
        small.slow.asked[number].write(b"x" * 20_000_000)
        small.slow.asked[number].finish()
    guest = await outside(small)
    await wait(small, 3)
    assert not guest.heard
    await wait(small, 2.5)
    assert (await guest.ends()).endswith(SERVED)
    for wire in wires:
        wire.leave()


def test_slow_clients_are_told_in_the_order_in_which_they_began_to_wait() -> None:
    """As many as asked for, and only those who have waited for long enough."""
    clock: Clock = Clock()
    slow_clients = SlowClients[str](2.0, clock)
    for name in ("a", "b", "c"):
        slow_clients.add(name)
        clock.advance(1)
    assert slow_clients.longest(5) == ["a", "b"]
    assert slow_clients.longest(1) == ["a"]
    slow_clients.add("a")
    slow_clients.discard("b")
    slow_clients.discard("nobody")
    clock.advance(5)
    assert slow_clients.longest(5) == ["c", "a"]
