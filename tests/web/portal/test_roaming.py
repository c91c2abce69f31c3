"""At a router that does not ask, the login page lets a known device through: with one tap, or with none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import put, rows
from tests.support.raw_http import Reply
from tests.support.site_server import MAC, SiteServer, hidden, login_query, token_in
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.driver.database import Database

KEYED = (hash_secret("right"),)
LOBBY = Gateway("gw1", "default", "10.0.0.1", key_hashes=KEYED)
GARDEN = Gateway("garden", "default", "10.1.0.1", key_hashes=KEYED)
TRUSTED = Gateway("trusted", "default", "10.2.0.1", trust_macs=True)
UNPROVEN = Gateway("unproven", "default", "10.3.0.1")

OPEN = "SELECT gw_id, activated_at IS NOT NULL, ending FROM sessions ORDER BY session_id"


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server with four gateways in one network, and a guest who is online at the first."""
    server = await SiteServer(database).open(LOBBY)
    for gateway in (GARDEN, TRUSTED, UNPROVEN):
        await server.adopt(gateway)
    await server.refresh()
    await report(server, "gw1", "login", token_in((await server.sign_in()).headers["location"]))
    yield server
    await server.close()


async def report(server: SiteServer, gw_id: str, stage: str, token: str) -> str:
    """Report the guest with the key, and read the verdict."""
    query = f"stage={stage}&gw_id={gw_id}&ip=10.1.0.5&mac={MAC}&token={token}&incoming=0&outgoing=0"
    return (await server.get(f"auth/?k=right&{query}")).body.strip()


async def arrive(server: SiteServer, gateway: Gateway = GARDEN, **changes: str) -> Reply:
    """Open the login page at another gateway."""
    where = {"gw_id": gateway.gw_id, "gw_address": gateway.address, "ip": "10.1.0.5"}
    return await server.get("login/?" + login_query(**(where | changes)))


@ensureDeferred
async def test_one_tap_is_enough(server: SiteServer) -> None:
    """The session goes on at the new router, which confirms the device; the form is a link away."""
    page = await arrive(server)
    assert "You are online at another router of this network." in page.body
    assert "Forget this device" not in page.body
    answer = await server.post("login", hidden(page) | {"back": "1"})
    assert answer.headers["location"].startswith("http://10.1.0.1:2060/wifidog/auth?")
    assert await rows(server.database, OPEN) == [("gw1", True, None), ("garden", False, None)]
    assert await report(server, "garden", "login", token_in(answer.headers["location"])) == "Auth: 1"
    assert await rows(server.database, OPEN) == [("gw1", True, "went to another gateway"), ("garden", True, None)]
    assert "You are online at another router" not in (await arrive(server, form="1")).body


@pytest.mark.parametrize("gateway", [UNPROVEN, TRUSTED, GARDEN], ids=lambda gateway: gateway.gw_id)
@ensureDeferred
async def test_no_tap_is_needed_where_the_network_says_so_and_the_router_has_a_key(
    server: SiteServer, gateway: Gateway
) -> None:
    """Elsewhere a tap is, or the form."""
    await server.change_network(lets_known_through=True)
    answer = await arrive(server, gateway)
    if gateway is GARDEN:
        assert answer.status == 303
        assert await report(server, "garden", "login", token_in(answer.headers["location"])) == "Auth: 1"
    else:
        assert answer.status == 200
        assert ("online at another router" in answer.body) is (gateway is TRUSTED)
        assert len(await rows(server.database, OPEN)) == 1


@ensureDeferred
async def test_a_device_with_another_mac_gets_the_form(server: SiteServer) -> None:
    """So does one that names none, and one in a network without roaming."""
    await server.change_network(lets_known_through=True)
    for changes in ({"mac": "02:00:00:00:00:77"}, {"mac": ""}):
        assert "online at another router" not in (await arrive(server, **changes)).body
    await server.change_network(roaming=False)
    page = await arrive(server)
    assert (page.status, "online at another router" in page.body) == (200, False)


@ensureDeferred
async def test_the_token_is_of_no_use_to_another_device(server: SiteServer) -> None:
    """Whoever names a guest's MAC in the address of the page gets nothing by it."""
    page = await arrive(server)
    answer = await server.post("login", hidden(page) | {"back": "1"})
    token = token_in(answer.headers["location"])
    query = f"stage=login&gw_id=garden&ip=10.1.0.9&mac=02:00:00:00:00:66&token={token}&incoming=0&outgoing=0"
    assert (await server.get(f"auth/?k=right&{query}")).body == "Auth: 0\n"
    assert (await rows(server.database, OPEN))[0] == ("gw1", True, None)


@ensureDeferred
async def test_pages_leave_tokens_to_each_other(server: SiteServer) -> None:
    """Eight wait at most; then the form is shown again."""
    page = await arrive(server)
    for _ in range(8):
        assert (await server.post("login", hidden(page) | {"back": "1"})).status == 303
    assert (await server.post("login", hidden(page) | {"back": "1"})).status != 303


@ensureDeferred
async def test_who_has_logged_out_is_not_online_again_at_once(server: SiteServer) -> None:
    """The browser knows whose session it was: a tap is asked for then."""
    await server.change_network(
        lets_known_through=True,
        remember=timedelta(days=30),
        remember_random=timedelta(days=30),
        remember_mac=True,
    )
    await put(server.database, "DELETE FROM sessions")
    await server.ask_for_accounts(zoe="correct horse")
    signed_in = await server.sign_in(name="zoe", password="correct horse", remember="1")
    token = token_in(signed_in.headers["location"])
    assert await report(server, "gw1", "login", token) == "Auth: 1"
    assert await report(server, "gw1", "logout", token) == "Auth: 0"
    let_through = await arrive(server)
    assert let_through.status == 303
    token = token_in(let_through.headers["location"])
    assert await report(server, "garden", "login", token) == "Auth: 1"
    assert await report(server, "garden", "logout", token) == "Auth: 0"
    server.cookie = let_through.headers["set-cookie"].partition(";")[0]
    page = await arrive(server)
    assert (page.status, "Welcome back" in page.body) == (200, True)


async def walk(server: SiteServer, family: str, gw_id: str) -> str:
    """Let the router that the device has come to ask for it, and report it; return the new token."""
    if family == "wifidog-ng":
        answer = (await server.get(f"auth/right?gw_id={gw_id}&stage=roam&ip=10.1.0.5&mac={MAC}")).body
        return answer.removeprefix("token=")
    client = json.loads((await server.get(f"roam?gw_id={gw_id}&mac={MAC}&gw_channel=wifi")).body)["client"]
    assert await report(server, gw_id, "counters", client["token"]) == "Auth: 1"
    return str(client["token"])


async def sign_in_anew(server: SiteServer) -> str:
    """Let the guest sign in with a browser that keeps cookies; return the token."""
    await put(server.database, "DELETE FROM sessions")
    signed_in = await server.sign_in()
    server.cookie = signed_in.headers["set-cookie"].partition(";")[0]
    token = token_in(signed_in.headers["location"])
    assert await report(server, "gw1", "login", token) == "Auth: 1"
    return token


@pytest.mark.parametrize("family", ["apfree-wifidog", "wifidog-ng"])
@ensureDeferred
async def test_the_browser_still_finds_the_session_after_its_device_has_walked(server: SiteServer, family: str) -> None:
    """Twice, before and after the old router's last report; time and data are those at the new router."""
    await server.change_network(time_limit=timedelta(hours=2))
    old = await sign_in_anew(server)
    new = await walk(server, family, "garden")
    server.later(minutes=30)
    for last in ("gw1", "garden"):
        page = await server.get(f"portal?gw_id={last}&mac={MAC}")
        for shown in ("You are online", "1 hour 30 minutes", "Log out"):
            assert shown in page.body
        assert new not in page.body
        assert await report(server, "gw1", "counters", old) == "Auth: 0"
    newest = await walk(server, family, "gw1")
    assert await report(server, "garden", "counters", new) == "Auth: 0"
    assert "1 hour 30 minutes" in (await server.get("portal?gw_id=gw1")).body
    assert await report(server, "gw1", "logout", newest) == "Auth: 0"
    assert "You are online" not in (await server.get("portal?gw_id=gw1")).body


@ensureDeferred
async def test_a_guest_who_has_walked_logs_out(server: SiteServer) -> None:
    """By the session itself: nobody but the new router knows its token, so that its next report ends it."""
    await sign_in_anew(server)
    new = await walk(server, "apfree-wifidog", "garden")
    page = await server.get("portal?gw_id=garden")
    for needs_token in ("My data", "Forget this device"):
        assert needs_token not in page.body
    goodbye = await server.post("logout", hidden(page))
    assert "You are logged out" in goodbye.body
    assert "<img" not in goodbye.body
    assert await report(server, "garden", "counters", new) == "Auth: 0"
    assert "You are online" not in (await server.get("portal?gw_id=garden")).body
    assert "had already ended" in (await server.post("logout", hidden(page))).body


@ensureDeferred
async def test_only_the_browser_that_signed_in_finds_the_session(server: SiteServer) -> None:
    """A question that no report follows leaves the cookie where it was, and other browsers learn nothing."""
    await sign_in_anew(server)
    await server.get(f"roam?gw_id=garden&mac={MAC}&gw_channel=wifi")
    assert "My data" in (await server.get("portal?gw_id=gw1")).body
    await walk(server, "wifidog-ng", "garden")
    server.cookie = f"session-default={'a' * 32}"
    for target in ("portal?gw_id=garden", f"portal?gw_id=gw1&mac={MAC}"):
        assert "You are online" not in (await server.get(target)).body


@ensureDeferred
async def test_a_tap_at_the_new_router_brings_a_cookie_of_its_own(server: SiteServer) -> None:
    """It takes the place of the old one, and the page there has all that it had."""
    await sign_in_anew(server)
    answer = await server.post("login", hidden(await arrive(server)) | {"back": "1"})
    server.cookie = answer.headers["set-cookie"].partition(";")[0]
    assert await report(server, "garden", "login", token_in(answer.headers["location"])) == "Auth: 1"
    page = await server.get("portal?gw_id=garden")
    assert "You are online" in page.body
    assert "My data" in page.body
