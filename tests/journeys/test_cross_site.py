"""Forms of our own and of other sites, as a real browser sends them over plain HTTP, where it says least."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from tests.support.browser import StandInGateway, browsing
from tests.support.deadline import within
from tests.support.site_server import GATEWAY, MAC, SiteServer
from wifidogd.store.driver.database import Database

SITE = "http://192.0.2.1/wifidog/"
"""Leads to the server, as a name that browsers do not trust like C{localhost}."""

FORM = f'<form method="post" action="{SITE}login"><input name="name" value="anna"><button>Win a prize</button></form>'


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server whose guests sign in with one button."""
    server = await SiteServer(database).open(gateway=None)
    yield server
    await server.close()


@ensureDeferred
async def test_a_browser_sends_our_forms_and_not_those_of_others(server: SiteServer, tmp_path: Path) -> None:
    """Its Origin is ours although other sites are not told where it was; a file and a C{data:} page have none."""
    gateway = StandInGateway(server.port, MAC)
    gateway.portal = f"{SITE}portal/"
    gateway.listen()
    await server.adopt(replace(GATEWAY, address="127.0.0.1", port=gateway.port))
    await server.refresh()
    page = tmp_path / "page.html"
    page.write_text(FORM, "utf-8")

    def visit() -> None:
        with browsing(360, caught_by=server.port) as browser:
            for address in (page.as_uri(), f"data:text/html,{quote(FORM)}"):
                browser.open(address)
                browser.touch("button", then="/wifidog/login")
                assert browser.heading() == "This form came from another website"
            browser.open(f"{SITE}login/?{urlsplit(gateway.redirect()).query}")
            browser.press("Connect", then="You are online")

    await within(90, deferToThread(visit))
    assert len(gateway.online) == 1
    await gateway.close()
