"""Guests who must read a mail before they can sign in have the internet for some minutes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.support.deadline import within
from tests.support.site_server import GATEWAY, MAC, SiteServer, hidden
from tests.support.testbed.fake_router import FakeRouter, connect_router
from wifidogd.store.driver.database import Database

BUTTON = "Open the internet for 5 minutes to read my mail"
FIVE = timedelta(minutes=5)


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    server = await SiteServer(database).open(replace(GATEWAY, key_hashes=()))
    await server.change_network(mail_access=FIVE)
    yield server
    await server.close()


@pytest_twisted.async_yield_fixture
async def router(server: SiteServer) -> AsyncIterator[FakeRouter]:
    router = await connect_router(server.port)
    await within(5, server.routers.claims.decide())
    yield router
    router.leave()


async def ask(server: SiteServer, **changes: str) -> str:
    """Press the button."""
    page = await server.login_page(**changes)
    return (await server.post("login", hidden(page) | {"mail": "1"})).body


@ensureDeferred
async def test_the_router_is_told_to_open_for_the_device(server: SiteServer, router: FakeRouter) -> None:
    assert BUTTON in (await server.login_page()).body
    body = await ask(server)
    [command] = router.commands
    del command["req_id"]
    assert command == {"op": "tmp_pass", "client_mac": MAC, "timeout": 300}
    assert "open on this device for 5 minutes" in body
    assert 'href="/wifidog/login' in body


@ensureDeferred
async def test_it_is_not_offered_where_it_cannot_be_had(server: SiteServer) -> None:
    """Without the router's connection, without a MAC, or without the network's word."""
    assert BUTTON not in (await server.login_page()).body
    router = await connect_router(server.port)
    await within(5, server.routers.claims.decide())
    assert BUTTON in (await server.login_page()).body
    assert BUTTON not in (await server.login_page(mac="")).body
    await server.change_network(mail_access=None)
    page = await server.login_page()
    assert BUTTON not in page.body
    body = (await server.post("login", hidden(page) | {"mail": "1"})).body
    assert "The internet stays closed" in body
    assert router.commands == []
    router.leave()


@ensureDeferred
async def test_once_an_hour_and_device(server: SiteServer, router: FakeRouter) -> None:
    """It is no internet for free."""
    await ask(server)
    server.later(minutes=59)
    assert "once an hour" in await ask(server)
    assert len(router.commands) == 1
    server.later(minutes=1)
    assert "open on this device" in await ask(server)


@pytest.mark.parametrize("limit", ["MOST_FROM_SOURCE", "MOST_AT_GATEWAY"])
@ensureDeferred
async def test_whoever_invents_macs_gets_no_more(
    server: SiteServer, router: FakeRouter, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"wifidogd.access.mail_access.{limit}", 2)
    for number in range(4):
        body = await ask(server, mac=f"02:00:00:00:01:0{number}")
        assert ("once an hour" in body) is (number >= 2)
    assert len(router.commands) == 2


@ensureDeferred
async def test_what_the_router_does_not_do_is_said_and_not_counted(server: SiteServer, router: FakeRouter) -> None:
    router.replies = False
    asking = Deferred.fromCoroutine(within(10, ask(server)))
    await router.has(1)
    req_id = router.commands[0]["req_id"]
    router.say({"req_id": req_id, "response": "200", "data": {"status": "error", "code": 3000}})
    assert "did not open the internet" in await asking
    router.replies = True
    assert "open on this device" in await ask(server)


@ensureDeferred
async def test_an_older_router_is_believed(server: SiteServer) -> None:
    """It does not reply to this command."""
    router = await connect_router(server.port, form="type")
    await within(5, server.routers.claims.decide())
    assert "open on this device" in await ask(server)
    assert router.commands[0]["type"] == "tmp_pass"
    router.leave()


@ensureDeferred
async def test_the_router_may_be_connected_to_another_server(server: SiteServer, dsn: str) -> None:
    """What is asked here reaches it there, through the database."""
    other = Database(clock=reactor)
    other.start(dsn)
    while other.available_since is None:
        await within(5, deferLater(reactor, 0.02))
    second = SiteServer(other, server="test 2")
    await second.open(gateway=None)
    router = await connect_router(second.port)
    await within(5, second.routers.claims.decide())
    page = await server.login_page()
    assert BUTTON in page.body
    asking = Deferred.fromCoroutine(within(10, server.post("login", hidden(page) | {"mail": "1"})))

    async def take() -> None:
        while not router.commands:
            await second.routers.relay.take()
            await deferLater(reactor, 0.05)

    await within(5, take())
    assert "open on this device" in (await asking).body
    router.leave()
    await second.close()
    await within(10, other.stop())
