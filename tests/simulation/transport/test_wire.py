"""The simulated gateways and browsers say what real ones say, and hear what real ones hear."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support.checkout import DATA
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import Octets, Stage
from wifidogd.simulation.actors.html import Form, Html
from wifidogd.simulation.transport import wire

SERVER = wire.Server("198.51.100.10", 8080, "/wifidog/")
RECORDED = [json.loads(line) for line in (DATA / "wifidog-gateway-1.3.0.jsonl").read_text("utf-8").splitlines()]


def fields(request: str) -> dict[str, str]:
    """Read the query of a request."""
    return dict(parse_qsl(urlsplit(request.split(" ")[1]).query))


@pytest.mark.parametrize("request_", [said["request"] for said in RECORDED if said["stage"] in ("login", "counters")])
def test_reports_are_those_of_the_real_gateway(request_: str) -> None:
    """Byte for byte."""
    said = fields(request_)
    octets = Octets(int(said["incoming"]), int(said["outgoing"]))
    who = (said["gw_id"], said["ip"], said["mac"], said["token"])
    assert wire.report(SERVER, Stage(said["stage"]), *who, octets) == request_.encode()


def test_pings_are_those_of_the_real_gateway() -> None:
    """Byte for byte, but for the figures of the machine."""
    [recorded, *_] = (said["request"] for said in RECORDED if said["stage"] == "ping")
    said = wire.ping(SERVER, "netlab-gw1", 1).decode()
    assert list(fields(said)) == list(fields(recorded))
    assert said.partition("?")[0] == recorded.partition("?")[0]
    assert said.partition(" HTTP")[2] == recorded.partition(" HTTP")[2]


def test_guests_are_sent_where_the_real_gateway_sends_them() -> None:
    """With the same parameters in the same order and encoding."""
    [login, *_] = (said["request"] for said in RECORDED if said["stage"] == "loginpage")
    gateway = Gateway("netlab-gw1", "default", "10.11.0.1")
    wanted = "http://internet.lab/page?a=1&b=two%20words"
    target = wire.login_target(SERVER, gateway, "10.11.0.101", "02:ab:cd:ef:01:01", wanted)
    assert login.split(" ")[1] == target
    [portal] = (said["request"] for said in RECORDED if said["stage"] == "portal")
    recorded = portal.split(" ")[1].removesuffix(f"&token={fields(portal)['token']}")  # only of builds since 2016
    assert recorded == wire.portal_target(SERVER, "netlab-gw1")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nAuth: 1\n", 1),
        (b"HTTP/1.0 500 No\r\n\r\nAuth: 0\n", 0),
        (b"HTTP/1.0 503 No\r\n\r\nAuth: -1\n", -1),
        (b"Auth: 6", 6),
        (b"HTTP/1.0 200 OK\r\nX-Auth: 0\r\n\r\nAuth: 1\n", 0),
        (b"HTTP/1.0 200 OK\r\nX-Auth: abc\r\n\r\nAuth: 1\n", None),
        (b"HTTP/1.0 200 OK\r\n\r\nAuth:1\n", None),
        (b"HTTP/1.0 200 OK\r\n\r\nauth: 1\n", None),
        (b"HTTP/1.0 200 OK\r\n\r\n", None),
        (b"", None),
    ],
)
def test_verdicts_are_found_as_the_real_gateway_finds_them(answer: bytes, verdict: int | None) -> None:
    """The first mark anywhere counts, whatever the status (docs/protocol.md 6.1)."""
    assert wire.read_verdict(answer) == verdict


@pytest.mark.parametrize(
    ("answer", "page"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", wire.Page(200, None, "hi")),
        (b"HTTP/1.0 303 See\r\nlocation: http://a/\r\ncontent-length: 0\r\n\r\n", wire.Page(303, "http://a/", "")),
        (
            b"HTTP/1.0 200 OK\r\nset-cookie: a=1; Path=/\r\nSet-Cookie: b=; Max-Age=0\r\n\r\nhi",
            wire.Page(200, None, "hi", {"a": "1", "b": ""}),
        ),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nhi", None),
        (b"HTTP/1.0 200 OK\r\nContent-Le", None),
        (b"", None),
    ],
)
def test_a_page_that_was_cut_off_is_none(answer: bytes, page: wire.Page | None) -> None:
    """A browser would show half of it; a guest could not use that."""
    assert wire.read_page(answer) == page


PAGE = """
<form><input name="lang" value="de"></form>
<main>
<form method="get" action="/wifidog/login"><input name="a" value="1"></form>
<form method="POST" action="/wifidog/login?lang=de">
<input type="hidden" name="state" value="a&amp;b"><input name="splash" value=1><button>Connect</button>
</form>
<img src="http://10.0.0.1:2060/x?a=1&amp;b=2">
</main>
"""


def test_forms_are_read_from_the_main_part_of_a_page() -> None:
    """By address and method, with all that would be sent."""
    page = Html(PAGE)
    assert page.form_to("/wifidog/login") == Form("/wifidog/login?lang=de", "post", {"state": "a&b", "splash": "1"})
    assert page.form_to("/wifidog/logout") is None
    assert page.images == ["http://10.0.0.1:2060/x?a=1&b=2"]


def test_a_form_is_sent_as_browsers_do() -> None:
    """With its length, encoded."""
    sent = wire.post(SERVER, "/wifidog/login", {"state": "a&b=c d"})
    head, _, body = sent.partition(b"\r\n\r\n")
    assert body == b"state=a%26b%3Dc+d"
    assert head.startswith(b"POST /wifidog/login HTTP/1.0\r\nHost: 198.51.100.10:8080\r\n")
    assert head.endswith(b"Content-Length: 17")
