"""My data as a browser meets it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import put, rows
from tests.support.site_server import MAC, SiteServer, hidden, token_in
from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.store.driver.database import Database


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server with one adopted gateway."""
    server = await SiteServer(database).open()
    yield server
    await server.close()


async def state_of(server: SiteServer, token: str) -> dict[str, str]:
    """Read what the buttons of the portal carry."""
    return hidden(await server.get(f"portal?gw_id=gw1&token={token}"))


async def come_online_as_anna(server: SiteServer) -> str:
    """Sign in with an account; return the token."""
    await server.ask_for_accounts(anna="correct horse")
    token = token_in((await server.sign_in(name="anna", password="correct horse")).headers["location"])
    await server.report(Stage.LOGIN, token)
    return token


@ensureDeferred
async def test_the_portal_leads_to_the_data_and_back_to_erasing(server: SiteServer) -> None:
    """Two taps: the first asks, the second does it, and the gateway is told at once."""
    token = await server.get_online()
    state = await state_of(server, token)
    page = await server.post("my-data", state)
    assert page.status == 200
    assert f"{MAC} 10.0.0.5" in page.body
    assert (await server.post("my-data", hidden(page) | {"erase": "1"})).status == 200
    assert await rows(server.database, "SELECT ending FROM sessions") == [(None,)]
    done = await server.post("my-data", state | {"erase": "sure"})
    assert "Your data is erased" in done.body
    assert f"logout=1&amp;token={token}" in done.body
    assert "img-src http://10.0.0.1:2060" in done.headers["content-security-policy"]
    assert await server.report(Stage.COUNTERS, token, Octets(5, 5)) is AuthCode.DENIED
    assert await rows(server.database, "SELECT mac, ip, incoming FROM past_sessions") == [(None, None, 5)]


@ensureDeferred
async def test_an_account_is_asked_for_its_password(server: SiteServer) -> None:
    """And keeps all if it is wrong."""
    state = await state_of(server, await come_online_as_anna(server))
    assert "anna" in (await server.post("my-data", state)).body
    asked = await server.post("my-data", state | {"erase": "1"})
    assert 'type="password"' in asked.body
    wrong = await server.post("my-data", state | {"erase": "sure", "password": "wrong"})
    assert wrong.status == 403
    assert "not the password" in wrong.body
    assert await rows(server.database, "SELECT name FROM accounts") == [("anna",)]
    right = await server.post("my-data", state | {"erase": "sure", "password": "correct horse"})
    assert right.status == 200
    assert await rows(server.database, "SELECT name FROM accounts") == []


@ensureDeferred
async def test_too_many_tries_are_told_to_wait(server: SiteServer) -> None:
    """With the time in words and in the head."""
    state = await state_of(server, await come_online_as_anna(server))
    for _ in range(10):
        await server.post("my-data", state | {"erase": "sure", "password": "wrong"})
    reply = await server.post("my-data", state | {"erase": "sure", "password": "wrong"})
    assert reply.status == 429
    assert int(reply.headers["retry-after"]) > 0


@ensureDeferred
async def test_the_download_is_all_of_it_and_no_secret(server: SiteServer) -> None:
    """JSON that a browser saves under a name."""
    token = await come_online_as_anna(server)
    await put(server.database, "UPDATE accounts SET email = 'anna@example.org'")
    reply = await server.post("my-data", await state_of(server, token) | {"download": "1"})
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert reply.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    told = json.loads(reply.body)
    assert told["account"]["name"] == "anna"
    assert told["account"]["email"] == "anna@example.org"
    assert [session["ip"] for session in told["stays"]] == ["10.0.0.5"]
    assert told["stays"][0]["end"] is None
    assert told["devices"] == []
    assert token not in reply.body
    assert "argon2" not in reply.body


@ensureDeferred
async def test_a_state_that_was_not_signed_shows_nothing(server: SiteServer) -> None:
    """Nor does a token by itself, or the state of another form."""
    token = await server.get_online()
    login = hidden(await server.login_page())
    for form in ({}, {"state": token}, {"token": token}, {"state": login.get("state", "")}):
        assert (await server.post("my-data", form)).status == 400
    assert (await server.get("my-data")).status == 405


@ensureDeferred
async def test_a_session_that_has_ended_has_nothing_to_show(server: SiteServer) -> None:
    """The page says so."""
    token = await server.get_online()
    state = await state_of(server, token)
    await server.report(Stage.LOGOUT, token)
    reply = await server.post("my-data", state | {"erase": "sure"})
    assert reply.status == 200
    assert "already ended" in reply.body
