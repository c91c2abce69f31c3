"""A guest's language on the way through the pages, over real connections and a real database."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.raw_http import Reply
from tests.support.site_server import SiteServer, hidden, login_query
from wifidogd.domain.plans import SignInMethod
from wifidogd.store.driver.database import Database


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server whose one gateway has been adopted, for guests with accounts."""
    server = await SiteServer(database).open()
    await server.change_network(methods=(SignInMethod.ACCOUNT,))
    await server.refresh()
    yield server
    await server.close()


def language_of(page: Reply) -> str:
    """Return the language that a page declares."""
    match = re.search(r'<html lang="([\w-]+)"', page.body)
    assert match is not None
    return match[1]


@pytest.mark.parametrize(
    ("query", "accepted", "tag"),
    [("", "", "en"), ("", "de-CH,fr;q=0.5", "de"), ("&lang=ar", "de", "ar"), ("&lang=xx", "de", "de")],
)
@ensureDeferred
async def test_the_login_page_speaks_the_language_of_the_browser_or_the_switch(
    server: SiteServer, query: str, accepted: str, tag: str
) -> None:
    """The switch wins; no cookie is set."""
    page = await server.get("login?" + login_query() + query, language=accepted)
    assert page.status == 200
    assert language_of(page) == tag
    assert "set-cookie" not in page.headers


@ensureDeferred
async def test_a_chosen_language_goes_with_the_form(server: SiteServer) -> None:
    """And the page that answers it offers the others by an address that leads back to the form."""
    page = await server.get("login?" + login_query() + "&lang=pl", language="de")
    action = re.search(r'<form method="post" action="/wifidog/([^"]+)"', page.body)
    assert action is not None
    assert action[1] == "login?lang=pl"
    refused = await server.post(action[1], hidden(page) | {"name": "anna", "password": "wrong"})
    assert refused.status == 401
    assert language_of(refused) == "pl"
    assert "Ta nazwa i to hasło do siebie nie pasują." in refused.body
    switch = refused.body.partition("<footer>")[2]
    assert '<form method="get" action="/wifidog/login">' in switch
    assert '<input type="hidden" name="gw_id" value="gw1">' in switch


@ensureDeferred
async def test_what_goes_wrong_is_said_in_the_language_too(server: SiteServer) -> None:
    """Also where no page is."""
    page = await server.get("nowhere", language="ja")
    assert page.status == 404
    assert language_of(page) == "ja"


@ensureDeferred
async def test_the_gateway_is_not_told_the_language(server: SiteServer) -> None:
    """It would drop it; at the portal the browser says again what it reads."""
    await server.change_network(methods=(SignInMethod.SPLASH,))
    await server.refresh()
    page = await server.get("login?" + login_query() + "&lang=pl")
    reply = await server.post("login?lang=pl", hidden(page))
    assert reply.status == 303
    assert "lang" not in reply.headers["location"]
    assert language_of(await server.get("portal?gw_id=gw1", language="vi")) == "vi"


@ensureDeferred
async def test_a_hostile_query_is_not_repeated(server: SiteServer) -> None:
    """What is no plain word stays out of the switch, and a path never becomes its address."""
    page = await server.get('portal?token="><script>&x=<b>', language="de")
    assert "<script>" not in page.body.partition("<footer>")[2]
    assert "&lt;b&gt;" not in page.body
    page = await server.get("/evil.example/?gw_id=gw1")
    assert "evil" not in page.body
