"""The journey of a router's first guest leaves what the check-list of its installation shows."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import NOON
from tests.support.deadline import within
from tests.support.site_server import MAC, SiteServer, token_in
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.reports.activity import ActivityKind
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.activity import fetch_activity


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server whose gateway has a key."""
    server = await SiteServer(database).open(Gateway("gw1", "default", "10.0.0.1", key_hashes=(hash_secret("right"),)))
    yield server
    await server.close()


async def seen(server: SiteServer) -> set[ActivityKind]:
    """Read what has been stored of the gateway."""
    await within(5, server.activity.flush())
    return set(await within(5, server.database.transaction(lambda cursor: fetch_activity(cursor, "gw1"))))


@ensureDeferred
async def test_each_step_of_a_journey_is_kept(server: SiteServer) -> None:
    """What is refused shows nothing."""
    assert await seen(server) == set()
    token = token_in((await server.sign_in()).headers["location"])
    assert await seen(server) == {ActivityKind.GUEST}
    query = f"gw_id=gw1&ip=10.0.0.5&mac={MAC}&token={token}&incoming=0&outgoing=0"
    await server.get(f"auth/?k=wrong&stage=login&{query}")
    await server.get("ping/?k=wrong&gw_id=gw1")
    assert await seen(server) == {ActivityKind.GUEST}
    await server.get(f"auth/?k=right&stage=login&{query.replace(token, 'z' * 32)}")
    assert await seen(server) == {ActivityKind.GUEST}
    await server.get(f"auth/?k=right&stage=login&{query}")
    assert await seen(server) == {ActivityKind.GUEST, ActivityKind.LOGIN, ActivityKind.KEY}
    await server.get(f"auth/?k=right&stage=counters&{query}")
    await server.get("portal/?gw_id=gw1")
    assert await seen(server) == {
        ActivityKind.GUEST, ActivityKind.LOGIN, ActivityKind.KEY, ActivityKind.COUNTERS, ActivityKind.PORTAL,
    }  # fmt: skip


@ensureDeferred
async def test_a_ping_with_the_key_shows_it(server: SiteServer) -> None:
    """Before any guest has come."""
    await server.get("ping/?k=right&gw_id=gw1")
    assert await seen(server) == {ActivityKind.KEY}


@pytest.mark.parametrize(("error", "kind"), [(0, ActivityKind.CLOCK_RIGHT), (-86_400, ActivityKind.CLOCK_WRONG)])
@ensureDeferred
async def test_a_router_that_tells_the_time_shows_its_clock(server: SiteServer, error: int, kind: ActivityKind) -> None:
    """As apfree-wifidog does when a guest signs in."""
    token = token_in((await server.sign_in()).headers["location"])
    query = f"gw_id=gw1&ip=10.0.0.5&mac={MAC}&token={token}&first_login={int(NOON.timestamp()) + error}"
    await server.get(f"auth/?k=right&stage=login&{query}")
    assert kind in await seen(server)
