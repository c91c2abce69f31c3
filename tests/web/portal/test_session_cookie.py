"""Guests whose gateway does not say who comes to the portal: their browser does, by a cookie of the sign-in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from json import loads

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import put, rows
from tests.support.raw_http import Reply
from tests.support.site_server import MAC, SiteServer, hidden, token_in
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.store.driver.database import Database
from wifidogd.web.portal.session_cookie import drop_session_cookie, secrets_in, set_session_cookie

SECRET = "s" * 32

PORTALS = {
    "wifidog-gateway 1.3.0": "portal/?gw_id=gw1",
    "apfree-wifidog": f"portal/?gw_id=gw1&gw_channel=chan1&mac={MAC}&name=null",
    "wifidog-ng 2": f"portal?gw_id=gw1&mac={MAC}",
}
"""Where released gateways send a guest whom they have let in; none of them says by which token."""

MESSAGES = {
    "wifidog-gateway 1.3.0": "gw_message.php?message=denied",
    "apfree-wifidog": "gw_message?message=denied",
    "wifidog-ng 2": f"gw_message.php?gw_id=gw1&mac={MAC}",
}


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server whose guests may be online for two hours."""
    server = await SiteServer(database).open()
    await server.change_network(time_limit=timedelta(hours=2))
    yield server
    await server.close()


def kept(reply: Reply) -> str:
    """Return what a browser sends back of the cookie that an answer sets."""
    return reply.headers["set-cookie"].partition(";")[0]


async def come_online(server: SiteServer, **typed: str) -> str:
    """Sign in with a browser that keeps cookies, and let the gateway confirm it; return the token."""
    reply = await server.sign_in(**typed)
    server.cookie = kept(reply)
    token = token_in(reply.headers["location"])
    assert await server.report(Stage.LOGIN, token) is AuthCode.ALLOWED
    return token


@pytest.mark.parametrize("target", PORTALS.values(), ids=PORTALS)
@ensureDeferred
async def test_the_portal_of_every_gateway_shows_the_session(server: SiteServer, target: str) -> None:
    """Time, data, log out and the guest's own data; the address of the page has no token."""
    token = await come_online(server)
    server.later(minutes=30)
    await server.report(Stage.COUNTERS, token, Octets(12_000_000, 345_678))
    page = await server.get(target)
    for shown in ("You are online", "1 hour 30 minutes", "12.3 MB", "Log out", "My data"):
        assert shown in page.body
    assert token not in page.body
    assert page.headers["cache-control"] == "no-store"
    assert "Cookie" in page.headers["vary"]
    source = unescape(page.body.partition('data-source="/wifidog/')[2].partition('"')[0])
    assert loads((await server.get(source)).body)["figures"]["used"] == "12.3 MB"
    again = unescape(page.body.partition("60; url=/wifidog/")[2].partition('"')[0])
    assert "1 hour 30 minutes" in (await server.get(again)).body


@pytest.mark.parametrize("target", [*PORTALS.values(), *MESSAGES.values(), "portal", "portal.json?gw_id=gw1"])
@ensureDeferred
async def test_a_browser_without_the_cookie_learns_nothing(server: SiteServer, target: str) -> None:
    """Whatever the address names; nor does one with a cookie of its own making, or with the token as cookie."""
    token = await come_online(server)
    own, server.cookie = server.cookie, ""
    plain = await server.get(target)
    guesses = (f"session-default={'a' * 32}", f"session-default={token}", own.replace("default", "rooms"), own.upper())
    for guess in guesses if "gw_id" in target else guesses[:2]:
        server.cookie = guess
        assert (await server.get(target)).body == plain.body
    assert "Log out" not in plain.body
    assert "You are online" not in plain.body


@ensureDeferred
async def test_the_cookie_is_no_token(server: SiteServer) -> None:
    """It lets nobody in, the token does not give it away, and the database has the hash of either."""
    reply = await server.sign_in()
    token, secret = token_in(reply.headers["location"]), kept(reply).partition("=")[2]
    assert secret != token
    assert await server.report(Stage.LOGIN, secret) is AuthCode.DENIED
    assert await server.report(Stage.LOGIN, token) is AuthCode.ALLOWED
    assert "Log out" not in (await server.get(f"portal?token={secret}")).body
    stored = str(await rows(server.database, "SELECT to_jsonb(sessions) FROM sessions"))
    assert secret not in stored
    assert token not in stored


@ensureDeferred
async def test_the_cookie_survives_the_way_through_the_gateway(server: SiteServer) -> None:
    """From another site, from TLS to plain HTTP or back; scripts and other paths do not get it."""
    server.public_url = "https://portal.example"
    header = (await server.sign_in()).headers["set-cookie"]
    assert re.fullmatch(
        r"session-default=[0-9a-z]{32}; Max-Age=10800; Path=/wifidog/; HttpOnly; SameSite=Lax", header
    ), header


@ensureDeferred
async def test_a_guest_logs_out(server: SiteServer) -> None:
    """The page calls the gateway with the token; what is asked for afterwards says that the guest is out."""
    token = await come_online(server)
    page = await server.get("portal/?gw_id=gw1")
    reply = await server.post("logout", hidden(page))
    assert f"/wifidog/auth?logout=1&amp;token={token}&amp;gw_id=gw1" in reply.body
    assert "You are logged out" in (await server.get("portal/?gw_id=gw1")).body
    assert await server.report(Stage.LOGOUT, token) is AuthCode.DENIED
    for target in ("portal/?gw_id=gw1", *MESSAGES.values()):
        page = await server.get(target)
        assert "You are logged out" in page.body
        assert "/wifidog/logout" not in page.body


@pytest.mark.parametrize("target", [*PORTALS.values(), *MESSAGES.values()])
@ensureDeferred
async def test_a_guest_learns_that_the_time_is_used_up(server: SiteServer, target: str) -> None:
    """For an hour; then the browser is a stranger's."""
    token = await come_online(server)
    plain = await SiteServer.get(server, target)
    server.later(hours=2)
    assert await server.report(Stage.COUNTERS, token) is AuthCode.DENIED
    page = await server.get(target)
    assert "Your last stay has ended." in page.body
    assert "Your time is used up." in page.body
    assert "/wifidog/login?" in page.body
    assert "Log out" not in page.body
    assert page.body != plain.body
    server.later(minutes=61)
    assert "used up" not in (await server.get(target)).body.replace("may be used up", "")


@ensureDeferred
async def test_why_a_session_ended_is_told_before_the_gateway_knows(server: SiteServer) -> None:
    """An operator has ended it; the next report closes the gateway."""
    await come_online(server)
    await put(server.database, "UPDATE sessions SET ending = 'ended by the operator'")
    page = await server.get("portal/?gw_id=gw1")
    assert "Your last stay has ended." in page.body
    assert "You are signed in" not in page.body
    assert loads((await server.get("portal.json?gw_id=gw1")).body) == {"online": False}


@ensureDeferred
async def test_a_new_sign_in_takes_the_place_of_the_last(server: SiteServer) -> None:
    """One browser, several sessions in turn."""
    first = await come_online(server)
    before = server.cookie
    second = await come_online(server, again="1")
    await server.report(Stage.COUNTERS, second, Octets(5_000_000, 0))
    assert "5.00 MB" in (await server.get("portal/?gw_id=gw1")).body
    server.cookie = before
    page = await server.get("portal/?gw_id=gw1")
    assert "Your last stay has ended." in page.body
    assert "Another device" not in page.body
    assert first != second


@ensureDeferred
async def test_a_browser_is_known_in_two_networks(server: SiteServer) -> None:
    """Each portal shows its own session; a message that names no gateway is about the latest."""
    await put(server.database, "INSERT INTO networks (name, title) VALUES ('rooms', 'Rooms')")
    await server.adopt(Gateway("gw2", "rooms", "10.0.2.1"))
    await server.refresh()
    await come_online(server)
    first = server.cookie
    server.later(minutes=1)
    form = hidden(await server.login_page(gw_id="gw2", gw_address="10.0.2.1"))
    reply = await server.post("login", form)
    assert kept(reply).startswith("session-rooms=")
    server.cookie = f"{first}; other=1; {kept(reply)}; session-default=x"
    assert "1 hour 59 minutes" in (await server.get("portal/?gw_id=gw1")).body
    assert "You are signed in." in (await server.get("portal/?gw_id=gw2")).body
    assert "Rooms" in (await server.get("gw_message.php?message=denied")).body
    assert "Log out" not in (await server.get("portal/?gw_id=gw3")).body


@ensureDeferred
async def test_a_login_page_leads_a_guest_who_is_online_to_the_session(server: SiteServer) -> None:
    """Only the browser that has signed in; also where the gateway names no device."""
    await come_online(server)
    own = server.cookie
    for changes in ({}, {"mac": ""}):
        page = await server.login_page(**changes)
        assert "already signed in" in page.body
        link = unescape(re.search(r'href="/wifidog/(portal[^"]*)">See your time', page.body)[1])  # type: ignore[index]
        assert "Log out" in (await server.get(link)).body
    server.cookie = ""
    assert "See your time" not in (await server.login_page()).body
    assert "already signed in" not in (await server.login_page(mac="")).body
    server.cookie = own
    form = hidden(await server.login_page(mac="02:00:00:00:00:99"))
    assert "again" not in form


@ensureDeferred
async def test_a_guest_on_probation_finds_the_session(server: SiteServer) -> None:
    """The gateway sends them to a message, not to the portal."""
    await come_online(server)
    page = await server.get("gw_message?message=activate")
    assert "Please confirm your e-mail address" in page.body
    assert "See your time and data" in page.body


@ensureDeferred
async def test_messages_do_without_the_database(server: SiteServer) -> None:
    """They say what the gateway said."""
    plain = await server.get("gw_message?message=denied")
    await come_online(server)
    started = SiteServer(server.database, cookie=server.cookie).listen()
    page, portal = await started.get("gw_message?message=denied"), await started.get("portal")
    await started.close()
    assert (page.status, page.body) == (200, plain.body)
    assert (portal.status, portal.headers["retry-after"]) == (503, "10")


@pytest.mark.parametrize("target", PORTALS.values(), ids=PORTALS)
@ensureDeferred
async def test_right_after_a_start_a_guest_who_is_online_is_asked_for_patience(server: SiteServer, target: str) -> None:
    """Which network a gateway is in is not known yet, and so not which cookie is meant."""
    await come_online(server)
    started = SiteServer(server.database, cookie=server.cookie).listen()
    early, figures = await started.get(target), await started.get(f"portal.json?{target.partition('?')[2]}")
    await started.refresh()
    late = await started.get(target)
    await started.close()
    assert [(page.status, page.headers["retry-after"]) for page in (early, figures)] == [(503, "10")] * 2
    assert "You are online" in late.body


@ensureDeferred
async def test_a_page_that_a_cookie_opens_is_not_compressed(server: SiteServer) -> None:
    """Its length would give it away to who can have it asked for with words of theirs (BREACH)."""
    await come_online(server)
    for target in ("portal/?gw_id=gw1&x=abc", "gw_message?message=activate"):
        assert "content-encoding" not in (await server.get(target, Accept_Encoding="gzip")).headers


@ensureDeferred
async def test_erasing_ones_data_takes_the_cookie_along(server: SiteServer) -> None:
    """And the portal is a stranger's."""
    await come_online(server)
    state = hidden(await server.get("portal/?gw_id=gw1"))
    reply = await server.post("my-data", state | {"erase": "sure"})
    assert reply.headers["set-cookie"] == drop_session_cookie("default", "/wifidog/")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", {}),
        (f"session-default={SECRET}", {"default": SECRET}),
        (f"a=b;session-default={SECRET} ;session-x={'a' * 32}", {"default": SECRET, "x": "a" * 32}),
        (f"session-default={SECRET}; session-default={'a' * 32}", {"default": "a" * 32}),
        (f'session-default="{SECRET}"', {}),
        (f"session-default={SECRET}x; session-default={SECRET[1:]}; Session-default={SECRET}; session-={SECRET}", {}),
        (f"session-Default={SECRET}; session-{'n' * 33}={SECRET}; device-default={SECRET}", {}),
        (f"{'x' * 4096};session-default={SECRET}", {}),
        (";".join(f"session-n{number}={SECRET}" for number in range(9)), {f"n{n}": SECRET for n in (5, 6, 7, 8)}),
    ],
)
def test_secrets_are_read_with_care(header: str, found: dict[str, str]) -> None:
    """What is not ours is left out, and a browser with many cookies costs no more than one with four."""
    assert secrets_in(header) == found


def test_the_cookie_is_kept_as_long_as_the_session_may_last() -> None:
    """And an hour longer, for the reason of its end; a week at most."""
    for limit, seconds in ((timedelta(minutes=30), 5400), (None, 608_400), (timedelta(days=30), 608_400)):
        header = set_session_cookie(Network("default", "Wi-Fi", time_limit=limit), SECRET, "/")
        assert f"; Max-Age={seconds}; " in header
