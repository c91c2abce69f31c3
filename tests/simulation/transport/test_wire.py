"""The simulated browsers say what real ones say, and read what real ones read."""

from __future__ import annotations

import pytest

from wifidogd.simulation.actors.html import Form, Html
from wifidogd.simulation.transport import wire

SERVER = wire.Server("198.51.100.10", 8080, "/wifidog/")


@pytest.mark.parametrize(
    ("answer", "page"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", wire.Page(200, None, "hi")),
        (b"HTTP/1.0 303 See\r\nlocation: http://a/\r\ncontent-length: 0\r\n\r\n", wire.Page(303, "http://a/", "")),
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


def test_cookies_are_kept_and_sent_back() -> None:
    page = wire.read_page(
        b"HTTP/1.0 303 See\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\nContent-Length: 0\r\n\r\n"
    )
    assert page is not None
    assert page.cookies == {"a": "1", "b": "2"}
    assert b"\r\nCookie: a=1; b=2\r\n" in wire.get(SERVER, "/wifidog/portal/", page.cookies)


def test_a_form_is_sent_as_browsers_do() -> None:
    """With its length, encoded."""
    sent = wire.post(SERVER, "/wifidog/login", {"state": "a&b=c d"})
    head, _, body = sent.partition(b"\r\n\r\n")
    assert body == b"state=a%26b%3Dc+d"
    assert head.startswith(b"POST /wifidog/login HTTP/1.0\r\nHost: 198.51.100.10:8080\r\n")
    assert head.endswith(b"Content-Length: 17")
