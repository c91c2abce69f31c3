"""Bodies longer than a form: whose are received, and how many at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import Clock, deferLater

from tests.support.deadline import within
from tests.support.running_server import Exchange, ask
from tests.support.site_server import GATEWAY, SiteServer
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.driver.database import Database
from wifidogd.web.gateway.list_senders import KNOWN_FOR, MOST_SOURCES, ListSenders
from wifidogd.web.server.large_bodies import MOST_BODIES, MOST_OCTETS, MOST_OF_ONE, LargeBodies, Standing

KEYED = replace(GATEWAY, gw_id="keyed", key_hashes=(hash_secret("secret"),))
LIST = "/wifidog/auth/{}?stage=counters_v2"


@async_yield_fixture
async def site(database: Database):
    site = SiteServer(database)
    await site.adopt(KEYED)
    await site.open()
    yield site
    await site.close()


async def send(site: SiteServer, target: str, octets: int, *, chunked: bool = False) -> int:
    """Send a body of blanks, and return the status of the answer."""
    body = b" " * octets
    if chunked:
        head = "Transfer-Encoding: chunked\r\n\r\n"
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _parts(body)) + b"0\r\n\r\n"
    else:
        head = f"Content-Length: {octets}\r\n\r\n"
    request = f"POST {target} HTTP/1.1\r\nHost: a\r\n{head}".encode() + body
    return (await within(20, ask(site.port, request))).code


async def until_held(site: SiteServer, count: int) -> None:
    """Wait until so many large bodies are held."""
    while len(site.site.large_bodies._held) != count:
        await deferLater(reactor, 0.01)


def _parts(body: bytes) -> list[bytes]:
    return [body[first : first + 8000] for first in range(0, len(body), 8000)]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("target", "octets", "status"),
    [
        (LIST.format(""), 64 * 1024, 400),
        (LIST.format(""), 64 * 1024 + 1, 413),
        (LIST.format("wrong"), 64 * 1024 + 1, 413),
        (LIST.format("secret"), MOST_OCTETS, 400),
        (LIST.format("secret"), MOST_OCTETS + 1, 413),
        (LIST.format("secret/") + "&x=1", MOST_OCTETS, 400),
        ("http://a" + LIST.format("secret"), MOST_OCTETS, 400),
        (LIST.format("") + "&k=secret", MOST_OCTETS, 400),
        ("/wifidog/auth/?stage=login&k=secret", 64 * 1024 + 1, 413),
        ("/wifidog/login?stage=counters_v2&k=secret", 64 * 1024 + 1, 413),
        ("/wifidog/auth/a/b?stage=counters_v2&k=secret", 64 * 1024 + 1, 413),
        ("/elsewhere/auth/secret?stage=counters_v2", 64 * 1024 + 1, 413),
    ],
)
@ensureDeferred
async def test_the_head_decides_how_long_a_body_may_be(site, target, octets, status, chunked):
    """An address with the key of a gateway, and a stage with lists."""
    assert await send(site, target, octets, chunked=chunked) == status
    await within(5, until_held(site, 0))


@ensureDeferred
async def test_an_address_that_a_gateway_calls_from_is_known(site):
    """From its ping, with its key if it has one."""
    assert await send(site, LIST.format(""), MOST_OCTETS) == 413
    for ping in ("gw_id=nobody", "gw_id=keyed", "gw_id=keyed&k=wrong"):
        await site.get(f"ping/?{ping}")
        assert await send(site, LIST.format(""), MOST_OCTETS) == 413
    await site.get("ping/?gw_id=gw1")
    assert await send(site, LIST.format(""), MOST_OCTETS) == 400


def test_addresses_are_forgotten_in_time() -> None:
    """And when there are too many."""
    clock = Clock()
    senders = ListSenders(None, clock=clock)  # type: ignore[arg-type]
    head = [b"auth"], b"stage=counters_v2"
    senders.hear("192.0.2.1")
    clock.advance(KNOWN_FOR - 1)
    assert senders.standing(*head, "192.0.2.1") is Standing.KNOWN
    clock.advance(1)
    assert senders.standing(*head, "192.0.2.1") is None
    for number in range(MOST_SOURCES + 1):
        senders.hear(str(number))
    assert [senders.standing(*head, source) for source in ("0", "1")] == [None, Standing.KNOWN]


def test_those_without_proof_take_nobody_elses_place() -> None:
    """One address gets two, all of them so many; the proven have a room of their own."""
    bodies = LargeBodies()
    assert [bodies.admit(f"a{number}", Standing.KNOWN, "192.0.2.1") for number in range(MOST_OF_ONE + 1)][-1] is False
    many = [bodies.admit(f"b{number}", Standing.KNOWN, f"198.51.100.{number}") for number in range(MOST_BODIES)]
    assert many.count(True) == MOST_BODIES - MOST_OF_ONE
    assert not bodies.admit("stranger", None, "192.0.2.7")
    assert all(bodies.admit(f"c{number}", Standing.PROVEN, "192.0.2.1") for number in range(MOST_BODIES))
    assert not bodies.admit("one too many", Standing.PROVEN, "192.0.2.1")
    bodies.release("c0")
    assert bodies.admit("the next", Standing.PROVEN, "192.0.2.1")


@ensureDeferred
async def test_a_client_that_vanishes_makes_room(site):
    """In the middle of its body."""
    head = f"POST {LIST.format('secret')} HTTP/1.1\r\nHost: a\r\nContent-Length: {MOST_OCTETS}\r\n\r\n".encode()
    exchange = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", site.port), Exchange(head + b" " * 100))
    await within(5, until_held(site, 1))
    exchange.transport.abortConnection()
    await within(5, until_held(site, 0))
