"""What an operator sees of a network before its guests do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.site_server import GuestHouse
from wifidogd.store.driver.database import Database
from wifidogd.web.portal.form_state import FormState


@pytest_twisted.async_yield_fixture
async def house(database: Database) -> AsyncIterator[GuestHouse]:
    """A server whose default network has a look of its own."""
    house = await GuestHouse(database).open()
    await house.change_network(title="Café Zoë", colour="#123456")
    yield house
    await house.close()


def address(house: GuestHouse, network: str = "default") -> str:
    """Sign an address as wifidogctl does."""
    return "preview?state=" + FormState(house.directory, lambda: house.now).seal_preview(network)


@ensureDeferred
async def test_each_page_is_shown_with_the_look_of_the_network(house: GuestHouse) -> None:
    """From a list of them, without anybody having signed in."""
    index = await house.get(address(house))
    found = [unescape(link) for link in re.findall(r'href="/wifidog/(preview[^"]*)"', index.body)]
    assert len(found) == 8
    pages = [await house.get(link) for link in found]
    assert {page.status for page in (index, *pages)} == {200}
    assert all("Café Zoë" in page.body and "--main: #123456" in page.body for page in (index, *pages))
    assert len({page.body for page in pages}) == 8
    [portal] = [page for page in pages if 'id="figures"' in page.body]
    assert "portal.json" not in portal.body.partition("<main>")[2]


@pytest.mark.parametrize("query", ["", "?state=", "?state=x.y", "?page=portal"])
@ensureDeferred
async def test_without_a_signature_there_is_nothing(house: GuestHouse, query: str) -> None:
    """The titles of networks are nobody's business before they open."""
    assert (await house.get("preview" + query)).status == 404


@ensureDeferred
async def test_an_address_is_good_for_an_hour_and_for_networks_there_are(house: GuestHouse) -> None:
    """It is likely to be passed on."""
    assert (await house.get(address(house, "gone"))).status == 404
    signed = address(house)
    house.later(minutes=59)
    assert (await house.get(signed)).status == 200
    house.later(minutes=1)
    assert (await house.get(signed)).status == 404
