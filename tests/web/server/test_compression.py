"""Pages are compressed for browsers that take it, and for nobody else."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_twisted
from babel.messages.pofile import read_po
from pytest_twisted import ensureDeferred

from tests.support.raw_http import connect
from tests.support.site_server import MAC, SiteServer, login_query
from wifidogd.domain.plans import SignInMethod
from wifidogd.store.driver.database import Database
from wifidogd.web.rendering.environments import path_of
from wifidogd.web.rendering.language import FALLBACK, NAMES
from wifidogd.web.server.compression import LARGEST, accepts_gzip, is_worth_packing, pack


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("GZip", True),
        ("x-gzip", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("deflate,gzip ; q=0.5", True),
        ("*", True),
        ("identity;q=0.5, *;q=0.7", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=2", False),
        ("gzip;level=9", False),
        ("notgzip", False),
        ("gzip\x00", False),
        (",".join(["br"] * 30) + ",gzip", False),
    ],
)
def test_what_a_browser_takes_is_read_as_http_has_it(accepted: str, taken: bool) -> None:
    """By name, weight and wildcard; what cannot be understood asks for nothing."""
    assert accepts_gzip(accepted) is taken


@pytest.mark.parametrize(
    ("octets", "worth"), [(0, False), (999, False), (1000, True), (LARGEST, True), (LARGEST + 1, False)]
)
def test_what_gains_nothing_or_costs_too_much_is_sent_as_it_is(octets: int, worth: bool) -> None:
    """One packet is one packet, and a download must not keep other guests waiting."""
    assert is_worth_packing(bytes(octets)) is worth


def test_a_page_is_packed_the_same_way_each_time() -> None:
    """Without a time in it."""
    page = b"<p>" * 500
    assert pack(page) == pack(page)
    assert gzip.decompress(pack(page)) == page


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server with one gateway."""
    server = await SiteServer(database).open()
    yield server
    await server.close()


async def fetch(server: SiteServer, target: str, head: str) -> tuple[dict[str, str], bytes]:
    """Send a request with these headers; return headers and body of the answer."""
    wire = await connect(server.port)
    wire.say(f"GET {target} HTTP/1.1\r\nHost: portal.example\r\nConnection: close\r\n{head}\r\n".encode())
    said, _, body = (await wire.ends(10)).partition(b"\r\n\r\n")
    lines = said.decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}, body


@ensureDeferred
async def test_a_page_is_packed_for_a_browser_that_takes_it(server: SiteServer) -> None:
    """It says so, has its true length, and is the page that others get."""
    target = "/wifidog/login/?" + login_query()
    plain_head, plain = await fetch(server, target, "")
    head, packed = await fetch(server, target, "Accept-Encoding: gzip, deflate\r\n")
    assert "content-encoding" not in plain_head
    assert head["content-encoding"] == "gzip"
    assert head["vary"] == plain_head["vary"] == "Accept-Encoding, Cookie"
    assert int(head["content-length"]) == len(packed) < len(plain) / 2
    assert gzip.decompress(packed) == plain
    refusing_head, refused = await fetch(server, target, "Accept-Encoding: gzip;q=0\r\n")
    assert "content-encoding" not in refusing_head
    assert refused == plain


@pytest.mark.parametrize(
    "target",
    [f"/wifidog/auth/?stage=login&mac={MAC}&token=x&gw_id=gw1", "/wifidog/ping/?gw_id=gw1", "/healthz"],
)
@ensureDeferred
async def test_machines_are_never_answered_packed(server: SiteServer, target: str) -> None:
    """Gateways search what they receive for words."""
    head, body = await fetch(server, target, "Accept-Encoding: gzip\r\n")
    assert "content-encoding" not in head
    assert not body.startswith(b"\x1f\x8b")


def terms_in(tag: str) -> str:
    """Write as many terms as an operator may, with the words of a language in an order that repeats nothing long."""
    with path_of("de" if tag == FALLBACK else tag).open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    texts = [text for each in messages for text in _forms(each.id if tag == FALLBACK else each.string)]
    spaceless = tag in ("ja", "zh-Hans", "zh-Hant")
    joined = re.sub(r"<[^>]*>|%\(\w+\)s|\s+", "" if spaceless else " ", " ".join(texts))
    chance = random.Random(tag)
    pieces = re.findall("..?" if spaceless else r"\S+", joined)
    return ("" if spaceless else " ").join(chance.choice(pieces) for _ in range(4000))[:4000]


def _forms(text: object) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("tag", NAMES)
@ensureDeferred
async def test_the_fullest_page_fits_the_first_flight(server: SiteServer, tag: str) -> None:
    """A logo that nothing makes smaller, the longest terms, every way in, a long address: 14 kB with its head."""
    chance = random.Random(0)
    await server.change_network(
        title="Café Bleu",
        sign_up=True,
        remember=timedelta(days=30),
        colour="#1c5fb0",
        logo=b"\x89PNG\r\n\x1a\n" + chance.randbytes(4088),
        terms={tag: terms_in(tag)},
        methods=(SignInMethod.VOUCHER, SignInMethod.ACCOUNT, SignInMethod.SPLASH),
    )
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789%/"
    head = f"Accept-Encoding: gzip\r\nAccept-Language: {tag}\r\n"
    for length in (200, 250, 300, 1000):
        wanted = "http://a.example/" + "".join(chance.choices(letters, k=length - 17))
        said, body = await fetch(server, "/wifidog/login/?" + login_query(url=wanted), head)
        page = gzip.decompress(body).decode()
        assert f'lang="{tag}"' in page
        assert terms_in(tag)[:40] in page
        assert len(body) + sum(len(name) + len(value) + 4 for name, value in said.items()) < 14_000, length


@pytest.mark.parametrize("tag", NAMES)
@ensureDeferred
async def test_a_usual_page_fits_without_packing(server: SiteServer, tag: str) -> None:
    """A small logo, some terms, two ways and the address of a front page."""
    await server.change_network(
        colour="#1c5fb0",
        logo=b"<svg>" + b"x" * 800,
        terms={tag: terms_in(tag)[:800]},
        methods=(SignInMethod.VOUCHER, SignInMethod.ACCOUNT),
    )
    _, body = await fetch(server, "/wifidog/login/?" + login_query(), f"Accept-Language: {tag}\r\n")
    assert len(body) < 14_000
