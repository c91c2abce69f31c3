"""Whose form it is, by what browsers say of it."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.web.http_headers import Headers
from twisted.web.test.requesthelper import DummyRequest

from wifidogd.web.server.cross_site import foreign_origin


def request_with(*, is_secure: bool = False, **fields: str | list[str]) -> DummyRequest:
    """Return a request with fields in its head."""
    request = DummyRequest([b""])
    request.client = IPv4Address("TCP", "10.0.0.5", 1)
    request.requestHeaders = Headers(
        {name.replace("_", "-"): [value] if isinstance(value, str) else value for name, value in fields.items()}
    )
    request.isSecure = lambda: is_secure
    return request


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("wifi.example", "http://wifi.example"),
        ("wifi.example", "http://wifi.example:80"),
        ("wifi.example:80", "http://wifi.example"),
        ("wifi.example:8080", "http://wifi.example:8080"),
        ("WiFi.Example:8080", "http://wifi.example:8080"),
        ("wifi.example", "https://wifi.example"),
        ("wifi.example:443", "https://wifi.example"),
        ("wifi.example:8443", "https://wifi.example:8443"),
        ("wifi.example.", "http://wifi.example."),
        ("10.0.0.1:8080", "http://10.0.0.1:8080"),
        ("localhost:8080", "http://localhost:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[2001:db8:0:0::1]", "http://[2001:DB8::1]"),
        ("[fd00::1]", "https://[fd00::1]"),
        ("xn--caf-dma.example", "http://xn--caf-dma.example"),
    ],
)
def test_a_page_may_send_a_form_to_the_host_that_it_came_from(host: str, origin: str) -> None:
    """Whichever of the server's names and ports that is; a proxy in between may have ended TLS."""
    assert foreign_origin(request_with(host=host, origin=origin)) is None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("wifi.example", "http://evil.example"),
        ("wifi.example", "http://wifi.example.evil.example"),
        ("wifi.example", "http://www.wifi.example"),
        ("wifi.example", "http://wifi.example:8080"),
        ("wifi.example:8080", "http://wifi.example"),
        ("wifi.example:80", "https://wifi.example"),
        ("wifi.example", "http://wifi.example@evil.example"),
        ("wifi.example", "http://evil.example http://wifi.example"),
        ("wifi.example", "http://wifi.example/"),
        ("wifi.example", "null"),
        ("wifi.example", "file://"),
        ("wifi.example", "moz-extension://5f7c"),
        ("wifi.example", "ftp://wifi.example"),
        ("null", "null"),
        ("[::1]:8080", "http://[::2]:8080"),
        ("[::1", "http://[::1"),
        ("", "http://"),
        ("", "http://evil.example"),
        ("http://evil.example", "http://http://evil.example"),
    ],
)
@pytest.mark.parametrize("is_secure", [False, True])
def test_the_page_of_another_site_may_not(host: str, origin: str, is_secure: bool) -> None:
    """Nor may one without an origin, as in a sandbox or from a file, which any site can make."""
    assert foreign_origin(request_with(host=host, origin=origin, is_secure=is_secure)) == origin


def test_where_tls_is_ours_a_page_without_it_is_another_site() -> None:
    """Anybody on the way can write one."""
    request = request_with(host="wifi.example", origin="http://wifi.example", is_secure=True)
    assert foreign_origin(request) == "http://wifi.example"
    assert foreign_origin(request_with(host="wifi.example", origin="https://wifi.example", is_secure=True)) is None


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "backend", "", "wifi.example:8080"])
@pytest.mark.parametrize(
    ("public_url", "origin", "is_own"),
    [
        ("https://wifi.example", "https://wifi.example", True),
        ("https://WiFi.example:443", "https://wifi.example", True),
        ("https://wifi.example", "http://wifi.example", False),
        ("https://wifi.example:8443", "https://wifi.example:8443", True),
        ("http://[2001:db8:0::1]", "http://[2001:db8::1]", True),
        ("https://wifi.example", "https://evil.example", False),
        ("https://wifi.example", "null", False),
    ],
)
def test_behind_a_proxy_the_public_url_counts(host: str, public_url: str, origin: str, is_own: bool) -> None:
    """For a proxy may ask for another host than the browser did."""
    assert foreign_origin(request_with(host=host, origin=origin), public_url) == (None if is_own else origin)


@pytest.mark.parametrize(
    ("site", "is_own"),
    [("same-origin", True), ("none", True), ("same-site", False), ("cross-site", False), ("tomorrow", False)],
)
@pytest.mark.parametrize("origin", ["http://wifi.example", "https://other.example", "null", ""])
def test_what_the_browser_concludes_itself_decides(site: str, is_own: bool, origin: str) -> None:
    """Behind a proxy without a public URL, too; a neighbouring name may be somebody else's."""
    request = request_with(host="wifi.example", origin=origin, sec_fetch_site=site)
    assert (foreign_origin(request) is None) is is_own


def test_who_says_nothing_is_taken_for_ours() -> None:
    """Captive browsers, old ones, and programs."""
    assert foreign_origin(request_with(host="wifi.example")) is None
    assert foreign_origin(request_with()) is None


def test_one_foreign_word_is_enough() -> None:
    """Where a header comes twice."""
    twice = ["http://wifi.example", "http://evil.example"]
    assert foreign_origin(request_with(host="wifi.example", origin=twice)) == ", ".join(twice)
    assert foreign_origin(request_with(host="wifi.example", sec_fetch_site=["none", "cross-site"])) is not None
