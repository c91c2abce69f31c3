"""Devices that come back without a form, over real connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import put, rows
from tests.support.raw_http import Reply
from tests.support.site_server import MAC, GuestHouse, hidden, token_in
from wifidogd.domain.plans import SignInMethod
from wifidogd.domain.sessions import AuthCode, Stage
from wifidogd.domain.voucher_codes import mint_code
from wifidogd.store.driver.database import Database

CODE = mint_code()
MONTH, DAY = timedelta(days=30), timedelta(days=1)
OTHER_MAC = "00:1b:63:00:00:09"
ASKS = 'id="password"'


@pytest_twisted.async_yield_fixture
async def house(database: Database) -> AsyncIterator[GuestHouse]:
    """A server that remembers, with an account."""
    house = await GuestHouse(database).open()
    await house.ask_for_accounts(anna="correct horse")
    await house.change_network(remember=MONTH)
    yield house
    await house.close()


async def sign_in(house: GuestHouse, **more: str) -> Reply:
    """Sign in by account."""
    form = hidden(await house.get("login?form=1&gw_id=gw1&mac=" + MAC)) | {"name": "anna", "password": "correct horse"}
    return await house.post("login", form | more)


async def be_remembered(house: GuestHouse) -> str:
    """Sign in, be remembered, get online; return the token."""
    reply = await sign_in(house, remember="1")
    house.cookie = reply.headers["set-cookie"].partition(";")[0]
    token = token_in(reply.headers["location"])
    assert await house.report(Stage.LOGIN, token) is AuthCode.ALLOWED
    return token


async def leave(house: GuestHouse, token: str) -> None:
    """Go offline."""
    await house.report(Stage.LOGOUT, token)


@ensureDeferred
async def test_a_device_comes_back_with_one_tap(house: GuestHouse) -> None:
    """By the cookie; as the same account, and again and again until the time is over."""
    await leave(house, await be_remembered(house))
    for _ in range(2):
        page = await house.login_page()
        assert "Welcome back" in page.body
        assert "remembered until Tue, Dec 22" in page.body
        assert ASKS not in page.body
        reply = await house.post("login", hidden(page) | {"back": "1"})
        assert reply.status == 303
        token = token_in(reply.headers["location"])
        assert await house.report(Stage.LOGIN, token) is AuthCode.ALLOWED
        assert await rows(house.database, "SELECT name FROM sessions JOIN accounts USING (account_id)") == [("anna",)]
        await leave(house, token)
        house.later(days=14)
    house.later(days=2)
    assert ASKS in (await house.login_page()).body
    assert (await house.post("login", hidden(await house.login_page()) | {"back": "1"})).status == 200


@ensureDeferred
async def test_the_cookie_is_for_nothing_else(house: GuestHouse) -> None:
    """Scripts cannot read it, other sites cannot send it, and it is set only for who asks for it."""
    reply = await sign_in(house, remember="1")
    assert reply.headers["set-cookie"].endswith("; Max-Age=2592000; Path=/wifidog/; HttpOnly; SameSite=Lax")
    assert "set-cookie" not in (await sign_in(house)).headers
    await house.change_network(remember=None)
    assert "set-cookie" not in (await sign_in(house, remember="1")).headers


@ensureDeferred
async def test_another_cookie_opens_nothing(house: GuestHouse) -> None:
    """Nor does that of another network."""
    await leave(house, await be_remembered(house))
    good = house.cookie
    for cookie in ("device-default=" + "a" * 32, good.replace("default", "rooms"), ""):
        house.cookie = cookie
        page = await house.login_page()
        assert ASKS in page.body
        form = await house.post("login", hidden(page) | {"back": "1"})
        assert "location" not in form.headers


@ensureDeferred
async def test_a_form_can_be_had_nevertheless(house: GuestHouse) -> None:
    """For who wants to sign in as somebody else."""
    await leave(house, await be_remembered(house))
    page = await house.login_page()
    link = page.body.partition('class="plain" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert ASKS in (await house.get(link.removeprefix("/wifidog/"))).body


@ensureDeferred
async def test_by_mac_only_where_the_operator_allows_it(house: GuestHouse) -> None:
    """And for a made-up one only as long as the operator has set."""
    await leave(house, await be_remembered(house))
    house.cookie = ""
    assert ASKS in (await house.login_page()).body
    await house.change_network(remember_mac=True)
    assert ASKS in (await house.login_page()).body
    await house.change_network(remember_random=DAY)
    page = await house.login_page()
    assert "Welcome back" in page.body
    assert "forget" not in page.body.partition("<main>")[2]
    assert ASKS in (await house.login_page(mac=OTHER_MAC)).body
    house.later(days=1)
    assert ASKS in (await house.login_page()).body


@ensureDeferred
async def test_a_mac_that_only_the_url_claims_lets_nobody_in(house: GuestHouse) -> None:
    """The gateway must report the same one; the guest whose it is may come in nevertheless."""
    await house.change_network(remember_mac=True, remember_random=DAY)
    await leave(house, await be_remembered(house))
    house.cookie = ""
    reply = await house.post("login", hidden(await house.login_page()) | {"back": "1"})
    token = token_in(reply.headers["location"])
    assert await house.report(Stage.LOGIN, token, mac=OTHER_MAC) is AuthCode.DENIED
    reply = await house.post("login", hidden(await house.login_page()) | {"back": "1"})
    assert await house.report(Stage.LOGIN, token_in(reply.headers["location"])) is AuthCode.ALLOWED


@ensureDeferred
async def test_who_is_locked_out_must_not_come_back(house: GuestHouse) -> None:
    """At once."""
    await leave(house, await be_remembered(house))
    page = await house.login_page()
    await put(house.database, "UPDATE accounts SET disabled = true")
    assert (await house.post("login", hidden(page) | {"back": "1"})).status == 200
    assert ASKS in (await house.login_page()).body


@ensureDeferred
async def test_a_voucher_is_remembered_with_what_is_left_of_it(house: GuestHouse) -> None:
    """The device draws on the same allowance; once that is used up it is told so."""
    await put(
        house.database,
        """
        INSERT INTO plans (name, title, time_limit) VALUES ('hour', 'An hour', interval '1 hour');
        INSERT INTO vouchers (code_hash, batch, plan, network, created_at)
        VALUES (sha256(%(code)s::bytea), 'b', 'hour', 'default', now())
        """,
        {"code": CODE},
    )
    await house.change_network(methods=(SignInMethod.SPLASH, SignInMethod.VOUCHER))
    form = hidden(await house.login_page()) | {"code": CODE, "remember": "1"}
    reply = await house.post("login", form)
    token = token_in(reply.headers["location"])
    house.cookie = reply.headers["set-cookie"].partition(";")[0]
    await house.report(Stage.LOGIN, token)
    await leave(house, token)
    reply = await house.post("login", hidden(await house.login_page()) | {"back": "1"})
    token = token_in(reply.headers["location"])
    drawn_on = "SELECT voucher_id IS NOT NULL FROM sessions JOIN allowances USING (allowance_id)"
    assert await rows(house.database, drawn_on) == [(True,)]
    await house.report(Stage.LOGIN, token)
    await leave(house, token)
    house.later(hours=1)
    spent = await house.post("login", hidden(await house.login_page()) | {"back": "1"})
    assert spent.status == 403
    assert 'role="alert"' in spent.body


@ensureDeferred
async def test_a_guest_has_the_device_forgotten_on_the_portal(house: GuestHouse) -> None:
    """It says so until when it is remembered; the stay goes on, the cookie is taken back."""
    token = await be_remembered(house)
    page = await house.get(f"portal?gw_id=gw1&token={token}")
    assert "This device is remembered" in page.body
    form = page.body.partition('action="/wifidog/forget">')[2].partition("</form>")[0]
    state = form.partition('name="state" value="')[2].partition('"')[0]
    reply = await house.post("forget", {"state": state})
    assert reply.status == 303
    assert reply.headers["set-cookie"].startswith("device-default=; Max-Age=0; Path=/wifidog/")
    portal = await house.get(reply.headers["location"].removeprefix("/wifidog/"))
    assert "You are online" in portal.body
    assert "remembered" not in portal.body
    await leave(house, token)
    assert ASKS in (await house.login_page()).body


@ensureDeferred
async def test_a_guest_has_the_device_forgotten_instead_of_coming_back(house: GuestHouse) -> None:
    """By the key it has: a signed form of the same device without it forgets nothing."""
    await leave(house, await be_remembered(house))
    form, cookie = hidden(await house.login_page()), house.cookie
    house.cookie = ""
    assert (await house.post("forget", form)).status == 303
    house.cookie = cookie
    assert "Welcome back" in (await house.login_page()).body
    reply = await house.post("forget", form)
    assert reply.headers["location"].startswith("/wifidog/login?")
    assert ASKS in (await house.login_page()).body
    assert await rows(house.database, "SELECT * FROM devices") == []


@ensureDeferred
async def test_signing_in_again_replaces_what_was_remembered(house: GuestHouse) -> None:
    """One device, one key."""
    await leave(house, await be_remembered(house))
    old = house.cookie
    await leave(house, await be_remembered(house))
    assert house.cookie != old
    assert await rows(house.database, "SELECT count(*) FROM devices") == [(1,)]
