"""How often each request waits for PostgreSQL: every BEGIN, statement and COMMIT that is sent alone counts."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import put, run
from tests.support.site_server import MAC, SiteServer, hidden, token_in
from tests.support.traffic import traffic
from wifidogd.access.voucher_batches import make_batch
from wifidogd.domain.plans import SignInMethod
from wifidogd.domain.sessions import Octets, Stage
from wifidogd.domain.voucher_codes import mint_code
from wifidogd.store.access.vouchers import Order
from wifidogd.store.driver.database import Database

EVERY_WAY = (SignInMethod.SPLASH, SignInMethod.ACCOUNT, SignInMethod.VOUCHER)

PLANS = """
    INSERT INTO plans (name, title, time_limit, devices) VALUES ('day', 'A day', '24 hours', 3);
    INSERT INTO plans (name, title, time_limit, devices, day_octets, span, span_octets)
    VALUES ('slotted', 'A slotted day', '24 hours', 3, 1000000, '7 days', 5000000)
"""


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server with an account, where guests may sign in in every way and be remembered."""
    server = await SiteServer(database).open()
    await server.ask_for_accounts(anna="correct horse")
    await put(database, PLANS)
    month = "UPDATE networks SET remember = '30 days', remember_mac = true, remember_random = '1 day'"
    await put(database, month)
    await server.refresh()
    await server.change_network(methods=EVERY_WAY)
    yield server
    await server.close()


async def a_voucher(server: SiteServer, plan: str = "day") -> str:
    """Make a voucher and return its code."""
    [code] = await run(server.database, make_batch, Order("b", plan, "default"), 1, server.now, mint_code)
    return code


async def get_online(server: SiteServer, **typed: str) -> str:
    """Sign in, let the gateway confirm it, and return the token."""
    token = token_in((await server.sign_in(**typed)).headers["location"])
    await server.report(Stage.LOGIN, token)
    return token


@ensureDeferred
async def test_the_login_page(server: SiteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One statement says whether the device is online, what ended its last session, and whether it is remembered."""
    await put(
        server.database,
        "INSERT INTO farewells (gw_id, mac, reason, ended_at) VALUES ('gw1', %(mac)s, 'time is up', %(now)s)",
        {"mac": MAC, "now": server.now},
    )
    server.cookie = "device-default=" + "a" * 32
    with traffic(monkeypatch) as seen:
        page = await server.login_page()
    assert "Your time is used up" in page.body
    assert seen.counted == (1, 2)


@ensureDeferred
async def test_the_form_of_a_splash(server: SiteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session is written on the way to COMMIT."""
    form = hidden(await server.login_page()) | {"splash": "1"}
    with traffic(monkeypatch) as seen:
        reply = await server.post("login", form)
    assert token_in(reply.headers["location"])
    assert seen.counted == (1, 2)


@pytest.mark.parametrize(("plan", "most"), [("day", 5), ("slotted", 6)])
@ensureDeferred
async def test_the_form_of_a_voucher_to_be_remembered(
    server: SiteServer, monkeypatch: pytest.MonkeyPatch, plan: str, most: int
) -> None:
    """The device that the browser was before is forgotten in the same transaction."""
    form = hidden(await server.login_page()) | {"code": await a_voucher(server, plan), "remember": "1"}
    server.cookie = "device-default=" + "a" * 32
    with traffic(monkeypatch) as seen:
        reply = await server.post("login", form)
    assert token_in(reply.headers["location"])
    assert "device-default=" in reply.headers["set-cookie"]
    assert seen.counted == (1, most)


@ensureDeferred
async def test_the_form_of_an_account_to_be_remembered(server: SiteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is checked between the two transactions, so that neither waits for it."""
    form = hidden(await server.login_page()) | {"name": "anna", "password": "correct horse", "remember": "1"}
    server.cookie = "device-default=" + "a" * 32
    with traffic(monkeypatch) as seen:
        reply = await server.post("login", form)
    assert token_in(reply.headers["location"])
    assert "device-default=" in reply.headers["set-cookie"]
    assert seen.counted == (2, 5)


@ensureDeferred
async def test_the_portal_on_a_voucher(server: SiteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is left of the voucher, and the other devices on it."""
    code = await a_voucher(server)
    token = await get_online(server, code=code, remember="1")
    with traffic(monkeypatch) as seen:
        page = await server.get(f"portal?token={token}")
    assert "This device is remembered" in page.body
    assert seen.counted == (1, 3)


@ensureDeferred
async def test_counters_on_a_voucher(server: SiteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions, allowances and their use are read; all writes travel with COMMIT."""
    token = await get_online(server, code=await a_voucher(server))
    with traffic(monkeypatch) as seen:
        await server.report(Stage.COUNTERS, token, Octets(1_000, 100))
    assert seen.counted == (1, 3)
