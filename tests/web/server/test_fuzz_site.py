"""The whole HTTP side against bytes that no well-meaning client sends; the long form is C{make chaos CHAOS=fuzz}."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.clients.bad_clients import BAD_CLIENTS
from tests.chaos.fuzz.courses import conversations, frames
from tests.chaos.fuzz.replies import Unfit, read_answers
from tests.chaos.fuzz.requests import WORDS, seeds, sign
from tests.chaos.fuzz.site import SiteInMemory

KEPT = [
    pytest.param(b"GET /wifidog/ping?gw_id=gw1 HTTP/1.1\r\nHost: a\r\n\r\n" * 300, id="a pipeline"),
    pytest.param(
        b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 900, id="many chunks"
    ),
    pytest.param(b"GET /wifidog/p/Pong HTTP/1.1\r\nHost: a\r\n\r\n", id="a word of gateways in an address"),
    pytest.param(b"GET /wifidog/forgotten?state=%00<zzz> HTTP/1.1\r\nHost: a\r\n\r\n", id="NUL in a state"),
    pytest.param(
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", id="a length of 5,000 digits"
    ),
    pytest.param(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        id="two lengths",
    ),
]
"""What has been, or might have been, too much for some server."""


ANSWERS = {
    100: "go on with the body",
    200: "a page, or a verdict for a gateway",
    303: "a form was understood",
    400: "a request, a stage or a form that cannot be read",
    403: "a gateway that is not adopted",
    404: "a path that leads nowhere",
    405: "a method that the page does not have",
    413: "a body that is too large",
    414: "an address that is too long",
    431: "a head that is too large",
    503: "the database is away",
}
"""Every status that the conversations below end in, and why."""


@pytest.fixture(scope="module")
def site() -> Iterator[SiteInMemory]:
    """A server in memory; anything that it logs as an error fails the test that is on."""
    with SiteInMemory() as site:
        yield site


@pytest.mark.parametrize("said", KEPT)
@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
def test_what_once_was_too_much(site: SiteInMemory, said: bytes, reads: bool) -> None:
    """Is answered, or the connection closed."""
    site.hear([said], reads=reads)


@pytest.mark.parametrize("name", BAD_CLIENTS)
def test_every_bad_client_comes_to_an_end(site: SiteInMemory, name: str) -> None:
    """In memory, too, where it takes no time."""
    bad_client = BAD_CLIENTS[name]
    site.hear([bad_client.says[:200_000], *[bad_client.goes_on] * 20], reads=bad_client.reads)


def test_well_meant_requests_are_answered(site: SiteInMemory) -> None:
    """What the fuzzer begins with is understood, or it would break nothing but the first line."""
    for request in seeds(sign(site.state)):
        assert not {400, 413, 500} & set(site.hear([request])), request


def test_every_word_in_every_place_of_a_head(site: SiteInMemory) -> None:
    """In method, path, query, version, name and value of a field."""
    for word in WORDS:
        for said in (b"%bGET /%b?%b=%b HTTP/1.1%b\r\nHo%bst: %b\r\n%b\r\n", b"GET /%b?%b HTTP/1.1\r\nHost: %b\r\n\r\n"):
            site.hear([said.replace(b"%b", word)])


def test_many_conversations(site: SiteInMemory) -> None:
    """The same ones each time."""
    course, statuses = conversations(700, seed=5)
    assert course.complaints == []
    assert set(statuses) == set(ANSWERS)


def test_many_conversations_in_frames() -> None:
    """The same ones each time; some are ended by a close frame, for what is no protocol or no text."""
    course, statuses = frames(1000, seed=5)
    assert course.complaints == []
    assert {101, 400, 404, 1002, 1007} <= set(statuses)


UPGRADED = b"HTTP/1.1 101 \r\nUpgrade: WebSocket\r\n\r\n"


@pytest.mark.parametrize(
    "heard",
    [
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nX-Auth: 1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: Pong\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nPing",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 7\r\n\r\n<zzz>hi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore",
        b"<html>",
        UPGRADED + b"\x81\x03{}",
        UPGRADED + b"\x81\x02[]",
        UPGRADED + b"\x81\x82\0\0\0\0{}",
        UPGRADED + b"\x82\x02{}",
        UPGRADED + b'\x81\x10{"op":"kickoff"}',
        UPGRADED + b"\x01\x02{}",
        UPGRADED + b"\x88\x02\x03\xe8\x81\x02{}",
        UPGRADED + b'\x81\x7e\x03\xe9{"a":"' + b"x" * 993 + b'"}',
    ],
)
def test_unfit_answers_are_noticed(heard: bytes) -> None:
    """Or nothing above would mean anything."""
    with pytest.raises(Unfit):
        read_answers(heard)
