"""The login redirects of all gateways, and what guests make of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis.strategies import binary

from wifidogd.domain.sessions import LoginQuery
from wifidogd.web.portal.login_query import Flaw, read_login_query
from wifidogd.web.rendering.destination import host_of, wanted_page
from wifidogd.web.rendering.probe_hosts import PROBE_HOSTS

REFERENCE = (
    b"gw_address=10.11.0.1&gw_port=2060&gw_id=netlab-gw1&ip=10.11.0.101&mac=02:ab:cd:ef:01:01"
    b"&url=http%3A%2F%2Finternet.lab%2Fpage%3Fa%3D1%26b%3Dtwo%2520words"
)
QUERY = LoginQuery(
    "netlab-gw1",
    "10.11.0.1",
    2060,
    "02:ab:cd:ef:01:01",
    "10.11.0.101",
    "http://internet.lab/page?a=1&b=two%20words",
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (REFERENCE, QUERY),
        (
            b"gw_address=10.11.0.1&is_ipv6=0&gw_port=2060&device_id=netlabdev1&gw_id=netlab-gw1&gw_channel=chan1&ssid="
            b"&ip=10.11.0.101&mac=02:ab:cd:ef:01:01&protocol=https&url=https%3A%2F%2Finternet.lab%2Fx%3Fa%3D1",
            replace(QUERY, url="https://internet.lab/x?a=1", device_id="netlabdev1"),
        ),
        (
            b"gw_address=2001:DB8::1&is_ipv6=1&gw_port=2060&gw_id=a&ip=2001:db8:0:0::7&mac=02-AB-CD-EF-01-01&url=null",
            LoginQuery("a", "2001:db8::1", 2060, "02:ab:cd:ef:01:01", "2001:db8::7", None),
        ),
        (
            b"gw_address=10.11.0.1&gw_port=2060&gw_id=netlab-gw1&ssid=&ip=10.11.0.101&mac=02:AB:CD:EF:01:01",
            replace(QUERY, url=None),
        ),
        (b"gw_id=a&ip=N/A&mac=N/A&url=N/A&gw_address=N/A&gw_port=N/A", LoginQuery("a")),
        (b"gw_id=a&mac=00:00:00:00:00:00&ip=&gw_port=", LoginQuery("a")),
        (b"gw_id=%20a&mac=02ab.cdef.0101&gw_address=(null)", LoginQuery("a", mac="02:ab:cd:ef:01:01")),
        (b"gw_id=a&gw_id=b&gw_port=2060&gw_port=1", LoginQuery("a", gw_port=2060)),
        (b"gw_id=A.b_c-1:2", LoginQuery("A.b_c-1:2")),
    ],
)
def test_every_dialect_is_understood(query: bytes, expected: LoginQuery) -> None:
    """The reference gateway, apfree-wifidog on both IP versions, wifidog-ng, and those that know little."""
    assert read_login_query(query, ()) == expected


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_redirect_may_be_cut_anywhere_in_its_url(cut: int) -> None:
    """The rest of the query stays readable; what is left of the page may or may not be one."""
    found = read_login_query(REFERENCE[:-cut], ())
    assert isinstance(found, LoginQuery)
    assert replace(found, url=None) == replace(QUERY, url=None)


@pytest.mark.parametrize(
    ("tail", "url"),
    [
        (b"http%3A%2F%2Fa.example%2F%C3%A9%C3", "http://a.example/é"),
        (b"http%3A%2F%2Fa.example%2Fb%2", "http://a.example/b"),
        (b"http%3A%2F%2Fa.example%2Fb%", "http://a.example/b"),
        (b"http://a.example/1+1='2'", "http://a.example/1+1='2'"),
        (b'http://a.example/"onclick="x', 'http://a.example/"onclick="x'),
    ],
)
def test_damage_is_cut_off(tail: bytes, url: str) -> None:
    """Half an escape and half a character go, everything else stays as it is."""
    assert read_login_query(b"gw_id=a&url=" + tail, ()) == LoginQuery("a", url=url)


@pytest.mark.parametrize(
    ("query", "flaw"),
    [
        (b"", Flaw.NO_GATEWAY),
        (b"gw_id=&gw_address=10.0.0.1", Flaw.NO_GATEWAY),
        (b"gw_id=a%20b", Flaw.GATEWAY_ID),
        (b"gw_id=<script>", Flaw.GATEWAY_ID),
        (b"gw_id=" + b"a" * 65, Flaw.GATEWAY_ID),
        (b"gw_id=a%0ab", Flaw.GATEWAY_ID),
        (b"gw_id=(null)&gw_address=10.0.0.1", Flaw.NO_GATEWAY),
        (b"gw_id=a&gw_address=evil.example", Flaw.GATEWAY_ADDRESS),
        (b"gw_id=a&gw_address=10.0.0.1%0d%0aX:y", Flaw.GATEWAY_ADDRESS),
        (b"gw_id=a&gw_address=fe80::1%25eth0", Flaw.GATEWAY_ADDRESS),
    ],
)
def test_flaws_have_names(query: bytes, flaw: Flaw) -> None:
    """Without a gateway that could exist there is no guest to sign in."""
    assert read_login_query(query, ()) is flaw


@pytest.mark.parametrize("port", [b"0", b"65536", b"-1", b"2060x", b"\xd9\xa1", b"999999999999"])
def test_a_port_that_cannot_be_is_absent(port: bytes) -> None:
    """The registered one counts anyway."""
    assert read_login_query(b"gw_id=a&gw_port=" + port, ()) == LoginQuery("a")


@given(binary(max_size=200))
def test_nothing_a_guest_writes_raises(query: bytes) -> None:
    """Any bytes are a login query or a flaw."""
    assert isinstance(read_login_query(query, ()), LoginQuery | Flaw)
    assert isinstance(read_login_query(b"gw_id=a&url=" + query, ()), LoginQuery | Flaw)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "null",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://a.example/",
        "//a.example/",
        "http://",
        "http:///path",
        "http://bank.example@evil.example/",
        "http://a.example/ b",
        "http://a.example/\r\nX: y",
        "http:\\\\a.example",
        "http://[::1",
        "http://a.example/" + "a" * 1000,
        "http://portal.example/wifidog/login",
        "http://PORTAL.example:8080/",
        "http://captive.apple.com/hotspot-detect.html",
        "http://connectivitycheck.gstatic.com/generate_204",
        "http://www.google.com/generate_204",
        "http://www.gstatic.com/generate_204",
        "http://www.msftconnecttest.com/redirect",
        "http://detectportal.firefox.com/success.txt?ipv4",
        "http://nmcheck.gnome.org./check_network_status.txt",
        "http://netcts.cdn-apple.com/",
        "http://edge-http.microsoft.com/captiveportal/generate_204",
        "http://spectrum.s3.amazonaws.com/kindle-wifi/wifistub.html",
        "http://ctest.cdn.nintendo.net/",
        "http://conntest.nintendowifi.net",
        "http://conncheck.opensuse.org",
        "http://connectivity-check.ubuntu.com./",
        "http://connectivity.samsung.com.cn/anything",
        "http://connectivitycheck.cbg-app.huawei.com/",
        "http://CONNECT.ROM.MIUI.COM/",
        "http://ｃａｐｔｉｖｅ.apple.com/",
        "http://ｐｏｒｔａｌ.example/",
        "http://ex%61mple.com/",
        "http://a.example\u202e/",
        "http://-\u0301.example/",
        "http://\u202emoc.knab//",
        "http://user\u202e@a.example/",
        "http://bank.example＠evil.example/",
        "http://a.example:99999/é",
        "http://[fe80::1%25eth0]/",
    ],
)
def test_some_pages_nobody_wants(url: str) -> None:
    """Other schemes, half addresses, tricks, ours, and what operating systems probe."""
    assert wanted_page(url, {"portal.example"}) is None


@pytest.mark.parametrize("url", ["http://www.google.com/search?q=a", "https://a.example", "http://[2001:db8::1]:81/x"])
def test_real_pages_are_kept(url: str) -> None:
    """As they came."""
    assert wanted_page(url, {"portal.example"}) == url


@pytest.mark.parametrize(
    ("url", "asked", "host"),
    [
        ("http://café.example/", "http://xn--caf-dma.example/", "xn--caf-dma.example"),
        ("http://pаypal.example/", "http://xn--pypal-4ve.example/", "xn--pypal-4ve.example"),
        ("http://аррӏе.example/", "http://xn--80ak6aa92e.example/", "xn--80ak6aa92e.example"),
        ("http://例え.example:8080/a?b#c", "http://xn--r8jz45g.example:8080/a?b#c", "xn--r8jz45g.example"),
        ("http://ＢＡＮＫ。example/", "http://bank.example/", "bank.example"),
        ("http://a\u00ad\u200b.example/", "http://a.example/", "a.example"),
        ("http://a.example/ü?q=%C3%BC&ö", "http://a.example/ü?q=%C3%BC&ö", "a.example"),
    ],
)
def test_names_beyond_ascii_are_shown_as_they_are_asked_for(url: str, asked: str, host: str) -> None:
    """Two scripts can write what looks like a third; nothing is invisible, or turns the text around."""
    assert wanted_page(url, ()) == asked
    assert host_of(asked) == host
    assert wanted_page(asked, ()) == asked


@pytest.mark.parametrize("host", sorted(PROBE_HOSTS))
def test_nobody_wants_to_go_where_devices_look_whether_they_are_online(host: str) -> None:
    """Whatever they ask for there."""
    assert host == host.lower().rstrip(".")
    assert wanted_page(f"http://{host}/anything?x", ()) is None
    assert wanted_page(f"http://x{host}/anything?x", ()) is not None


def test_the_gateway_itself_is_no_wanted_page() -> None:
    """A link to its log-out address would be a trap."""
    query = b"gw_id=a&gw_address=10.0.0.1&url=http%3A%2F%2F10.0.0.1%3A2060%2Fwifidog%2Fauth%3Flogout%3D1"
    assert read_login_query(query, ()) == LoginQuery("a", "10.0.0.1")


def test_people_read_the_host() -> None:
    """And nothing else of an address."""
    assert host_of("https://a.example:8443/x?y") == "a.example"
