"""wifidogctl network preview, as operators run it."""

from __future__ import annotations

import pytest
from pytest_twisted import ensureDeferred

from tests.ctl.test_ctl import Operator
from tests.support.site_server import SiteServer
from wifidogd.store.driver.database import Database


@pytest.fixture
def operator(dsn: str, database: Database) -> Operator:
    """An operator of a migrated database."""
    return Operator(dsn)


@ensureDeferred
async def test_the_address_that_is_printed_shows_the_pages(operator: Operator, database: Database) -> None:
    """On any server of this database."""
    server = await SiteServer(database).open()
    printed = await operator.does("network", "preview", "default", "--server", "http://wifi.example.org")
    assert printed.startswith("http://wifi.example.org/wifidog/preview?state=")
    page = await server.get(printed.strip().removeprefix("http://wifi.example.org/wifidog/"))
    assert page.status == 200
    assert "Preview" in page.body
    await server.close()


@ensureDeferred
async def test_a_network_that_is_not_there_has_no_pages(operator: Operator) -> None:
    """And the operator is told where to look."""
    assert "wifidogctl network list" in await operator.fails("network", "preview", "nowhere", code=1)
