"""What an operator sees of a network before its guests do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.site_server import SiteServer
from wifidogd.store.driver.database import Database
from wifidogd.web.portal.form_state import FormState


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server whose default network has a look of its own."""
    server = await SiteServer(database).open()
    await server.change_network(title="Café Zoë", colour="#123456")
    yield server
    await server.close()


def address(server: SiteServer, network: str = "default") -> str:
    """Sign an address as wifidogctl does."""
    return "preview?state=" + FormState(server.registry, lambda: server.now).seal_preview(network)


@ensureDeferred
async def test_each_page_is_shown_with_the_look_of_the_network(server: SiteServer) -> None:
    """From a list of them, without anybody having signed in."""
    index = await server.get(address(server))
    found = [unescape(link) for link in re.findall(r'href="/wifidog/(preview[^"]*)"', index.body)]
    assert len(found) == 8
    pages = [await server.get(link) for link in found]
    assert {page.status for page in (index, *pages)} == {200}
    assert all("Café Zoë" in page.body and "--main: #123456" in page.body for page in (index, *pages))
    assert len({page.body for page in pages}) == 8
    [portal] = [page for page in pages if 'id="figures"' in page.body]
    assert "portal.json" not in portal.body.partition("<main>")[2]


@pytest.mark.parametrize("query", ["", "?state=", "?state=x.y", "?page=portal"])
@ensureDeferred
async def test_without_a_signature_there_is_nothing(server: SiteServer, query: str) -> None:
    """The titles of networks are nobody's business before they open."""
    assert (await server.get("preview" + query)).status == 404


@ensureDeferred
async def test_an_address_is_good_for_an_hour_and_for_networks_there_are(server: SiteServer) -> None:
    """It is likely to be passed on."""
    assert (await server.get(address(server, "gone"))).status == 404
    signed = address(server)
    server.later(minutes=59)
    assert (await server.get(signed)).status == 200
    server.later(minutes=1)
    assert (await server.get(signed)).status == 404
