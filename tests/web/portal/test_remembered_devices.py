"""Devices that come back without a form, over real connections."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import put, rows
from tests.support.raw_http import Reply
from tests.support.site_server import GATEWAY, MAC, SiteServer, hidden, token_in
from wifidogd.domain.plans import SignInMethod
from wifidogd.domain.sessions import AuthCode, Stage
from wifidogd.domain.voucher_codes import mint_code
from wifidogd.store.driver.database import Database

CODE = mint_code()
MONTH, DAY = timedelta(days=30), timedelta(days=1)
OTHER_MAC = "00:1b:63:00:00:09"
SECRETS = {"name": "anna", "password": "correct horse"}
ASKS = 'id="password"'


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server that remembers, with an account."""
    server = await SiteServer(database).open(replace(GATEWAY, trust_macs=True))
    await server.ask_for_accounts(anna="correct horse")
    await server.change_network(remember=MONTH)
    yield server
    await server.close()


async def sign_in(server: SiteServer, **more: str) -> Reply:
    """Sign in by account."""
    form = hidden(await server.get("login?form=1&gw_id=gw1&mac=" + MAC)) | SECRETS
    return await server.post("login", form | more)


async def be_remembered(server: SiteServer) -> str:
    """Sign in, be remembered, get online; return the token."""
    reply = await sign_in(server, remember="1")
    server.cookie = reply.headers["set-cookie"].partition(";")[0]
    token = token_in(reply.headers["location"])
    assert await server.report(Stage.LOGIN, token) is AuthCode.ALLOWED
    return token


async def leave(server: SiteServer, token: str) -> None:
    """Go offline."""
    await server.report(Stage.LOGOUT, token)


@ensureDeferred
async def test_a_device_comes_back_with_one_tap(server: SiteServer) -> None:
    """By the cookie; as the same account, and again and again until the time is over."""
    await leave(server, await be_remembered(server))
    for _ in range(2):
        page = await server.login_page()
        assert "Welcome back" in page.body
        assert "remembered until Tue, Dec 22" in page.body
        assert ASKS not in page.body
        reply = await server.post("login", hidden(page) | {"back": "1"})
        assert reply.status == 303
        token = token_in(reply.headers["location"])
        assert await server.report(Stage.LOGIN, token) is AuthCode.ALLOWED
        assert await rows(server.database, "SELECT name FROM sessions JOIN accounts USING (account_id)") == [("anna",)]
        await leave(server, token)
        server.later(days=14)
    server.later(days=2)
    assert ASKS in (await server.login_page()).body
    assert (await server.post("login", hidden(await server.login_page()) | {"back": "1"})).status == 200


@ensureDeferred
async def test_the_cookie_is_for_nothing_else(server: SiteServer) -> None:
    """Scripts cannot read it, other sites cannot send it, and it is set only for who asks for it."""
    reply = await sign_in(server, remember="1")
    assert reply.headers["set-cookie"].endswith("; Max-Age=2592000; Path=/wifidog/; HttpOnly; SameSite=Lax")
    assert "device-" not in (await sign_in(server)).headers["set-cookie"]
    await server.change_network(remember=None)
    assert "device-" not in (await sign_in(server, remember="1")).headers["set-cookie"]


@ensureDeferred
async def test_another_cookie_opens_nothing(server: SiteServer) -> None:
    """Nor does that of another network."""
    await leave(server, await be_remembered(server))
    good = server.cookie
    for cookie in ("device-default=" + "a" * 32, good.replace("default", "rooms"), ""):
        server.cookie = cookie
        page = await server.login_page()
        assert ASKS in page.body
        form = await server.post("login", hidden(page) | {"back": "1"})
        assert "location" not in form.headers


@ensureDeferred
async def test_a_form_can_be_had_nevertheless(server: SiteServer) -> None:
    """For who wants to sign in as somebody else."""
    await leave(server, await be_remembered(server))
    page = await server.login_page()
    link = page.body.partition('class="plain" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert ASKS in (await server.get(link.removeprefix("/wifidog/"))).body


@ensureDeferred
async def test_by_mac_only_where_the_operator_allows_it(server: SiteServer) -> None:
    """And for a made-up one only as long as the operator has set."""
    await leave(server, await be_remembered(server))
    server.cookie = ""
    assert ASKS in (await server.login_page()).body
    await server.change_network(remember_mac=True)
    assert ASKS in (await server.login_page()).body
    await server.change_network(remember_random=DAY)
    page = await server.login_page()
    assert "Welcome back" in page.body
    assert "forget" not in page.body.partition("<main>")[2]
    assert ASKS in (await server.login_page(mac=OTHER_MAC)).body
    server.later(days=1)
    assert ASKS in (await server.login_page()).body


@ensureDeferred
async def test_a_mac_that_only_the_url_claims_lets_nobody_in(server: SiteServer) -> None:
    """The gateway must report the same one; the guest whose it is may come in nevertheless."""
    await server.change_network(remember_mac=True, remember_random=DAY)
    await leave(server, await be_remembered(server))
    server.cookie = ""
    reply = await server.post("login", hidden(await server.login_page()) | {"back": "1"})
    token = token_in(reply.headers["location"])
    assert await server.report(Stage.LOGIN, token, mac=OTHER_MAC) is AuthCode.DENIED
    reply = await server.post("login", hidden(await server.login_page()) | {"back": "1"})
    assert await server.report(Stage.LOGIN, token_in(reply.headers["location"])) is AuthCode.ALLOWED


@ensureDeferred
async def test_no_mac_is_enough_where_anybody_can_report_it(server: SiteServer) -> None:
    """A gateway without a key that the operator has not said to trust: the guest is asked as ever."""
    await server.change_network(remember_mac=True, remember_random=DAY)
    await leave(server, await be_remembered(server))
    form = hidden(await server.login_page()) | {"back": "1"}
    server.cookie = ""
    await put(server.database, "UPDATE gateways SET trust_macs = false")
    await server.refresh()
    assert ASKS in (await server.login_page()).body
    assert "location" not in (await server.post("login", form)).headers
    assert await rows(server.database, "SELECT count(*) FROM sessions") == [(0,)]


@ensureDeferred
async def test_who_comes_in_by_a_mac_sees_nothing_of_the_account(server: SiteServer) -> None:
    """A device may imitate another: no name, address, other devices or stays, and nobody else is disconnected."""
    await put(server.database, "INSERT INTO plans (name, title) VALUES ('day', 'Day')")
    await server.change_network(remember_mac=True, remember_random=DAY, plan="day")
    await put(server.database, "UPDATE accounts SET email = 'anna@example.org'")
    await leave(server, await be_remembered(server))
    server.cookie = ""
    other = token_in(
        (await server.post("login", hidden(await server.login_page(mac=OTHER_MAC)) | SECRETS)).headers["location"]
    )
    assert await server.report(Stage.LOGIN, other, mac=OTHER_MAC) is AuthCode.ALLOWED
    reply = await server.post("login", hidden(await server.login_page()) | {"back": "1"})
    token = token_in(reply.headers["location"])
    assert await server.report(Stage.LOGIN, token) is AuthCode.ALLOWED

    own = await server.get(f"portal?gw_id=gw1&token={other}")
    assert "Your other devices" in own.body
    portal = await server.get(f"portal?gw_id=gw1&token={token}")
    assert "This device is remembered" in portal.body
    page = await server.post("my-data", hidden(portal))
    assert "only this stay is shown" in page.body
    download = await server.post("my-data", hidden(portal) | {"download": "1"})
    figures = await server.get(f"portal.json?token={token}")
    for reply in (portal, page, download, figures, await server.post("my-data", hidden(portal) | {"erase": "1"})):
        for secret in ("anna", "Your other devices", OTHER_MAC, "00:09", "/account"):
            assert secret not in reply.body
    stored = json.loads(download.body)
    assert (stored["account"], stored["devices"], len(stored["stays"])) == (None, [], 1)

    assert "Your data is erased" in (await server.post("my-data", hidden(portal) | {"erase": "sure"})).body
    assert await rows(server.database, "SELECT name, email FROM accounts") == [("anna", "anna@example.org")]
    assert await server.report(Stage.COUNTERS, token) is AuthCode.DENIED
    assert await server.report(Stage.COUNTERS, other, mac=OTHER_MAC) is AuthCode.ALLOWED
    assert json.loads((await server.post("my-data", hidden(own) | {"download": "1"})).body)["account"]["name"] == "anna"


@ensureDeferred
async def test_who_is_locked_out_must_not_come_back(server: SiteServer) -> None:
    """At once."""
    await leave(server, await be_remembered(server))
    page = await server.login_page()
    await put(server.database, "UPDATE accounts SET disabled = true")
    assert (await server.post("login", hidden(page) | {"back": "1"})).status == 200
    assert ASKS in (await server.login_page()).body


@ensureDeferred
async def test_a_voucher_is_remembered_with_what_is_left_of_it(server: SiteServer) -> None:
    """The device draws on the same allowance; once that is used up it is told so."""
    await put(
        server.database,
        """
        INSERT INTO plans (name, title, time_limit) VALUES ('hour', 'An hour', interval '1 hour');
        INSERT INTO vouchers (code_hash, batch, plan, network, created_at)
        VALUES (sha256(%(code)s::bytea), 'b', 'hour', 'default', now())
        """,
        {"code": CODE},
    )
    await server.change_network(methods=(SignInMethod.SPLASH, SignInMethod.VOUCHER))
    form = hidden(await server.login_page()) | {"code": CODE, "remember": "1"}
    reply = await server.post("login", form)
    token = token_in(reply.headers["location"])
    server.cookie = reply.headers["set-cookie"].partition(";")[0]
    await server.report(Stage.LOGIN, token)
    await leave(server, token)
    reply = await server.post("login", hidden(await server.login_page()) | {"back": "1"})
    token = token_in(reply.headers["location"])
    drawn_on = "SELECT voucher_id IS NOT NULL FROM sessions JOIN allowances USING (allowance_id)"
    assert await rows(server.database, drawn_on) == [(True,)]
    await server.report(Stage.LOGIN, token)
    await leave(server, token)
    server.later(hours=1)
    spent = await server.post("login", hidden(await server.login_page()) | {"back": "1"})
    assert spent.status == 403
    assert 'role="alert"' in spent.body


@ensureDeferred
async def test_a_guest_has_the_device_forgotten_on_the_portal(server: SiteServer) -> None:
    """It says so until when it is remembered; the session continues, the cookie is taken back."""
    token = await be_remembered(server)
    page = await server.get(f"portal?gw_id=gw1&token={token}")
    assert "This device is remembered" in page.body
    form = page.body.partition('action="/wifidog/forget">')[2].partition("</form>")[0]
    state = form.partition('name="state" value="')[2].partition('"')[0]
    reply = await server.post("forget", {"state": state})
    assert reply.status == 303
    assert reply.headers["set-cookie"].startswith("device-default=; Max-Age=0; Path=/wifidog/")
    portal = await server.get(reply.headers["location"].removeprefix("/wifidog/"))
    assert "You are online" in portal.body
    assert "remembered" not in portal.body
    await leave(server, token)
    assert ASKS in (await server.login_page()).body


@ensureDeferred
async def test_a_guest_has_the_device_forgotten_instead_of_coming_back(server: SiteServer) -> None:
    """By the key it has: a signed form of the same device without it forgets nothing."""
    await leave(server, await be_remembered(server))
    form, cookie = hidden(await server.login_page()), server.cookie
    server.cookie = ""
    assert (await server.post("forget", form)).status == 303
    server.cookie = cookie
    assert "Welcome back" in (await server.login_page()).body
    reply = await server.post("forget", form)
    assert reply.headers["location"].startswith("/wifidog/login?")
    assert ASKS in (await server.login_page()).body
    assert await rows(server.database, "SELECT * FROM devices") == []


@ensureDeferred
async def test_signing_in_again_replaces_what_was_remembered(server: SiteServer) -> None:
    """One device, one key."""
    await leave(server, await be_remembered(server))
    old = server.cookie
    await leave(server, await be_remembered(server))
    assert server.cookie != old
    assert await rows(server.database, "SELECT count(*) FROM devices") == [(1,)]
