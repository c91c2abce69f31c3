"""Two servers on one database: what one gives out the other takes, and what one limits the other limits."""

from __future__ import annotations

import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.support.deadline import within
from tests.support.site_server import SiteServer, hidden, token_in
from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.store.driver.database import Database


@pytest_twisted.async_yield_fixture
async def houses(database, dsn):
    """Two, with a pool and a port each."""
    other = Database(clock=reactor)
    other.start(dsn)
    first = await SiteServer(database).open()
    second = await SiteServer(other).open(gateway=None)
    yield first, second
    await first.close()
    await second.close()
    await within(10, other.stop())


@ensureDeferred
async def test_each_step_of_a_guest_may_be_at_another_server(houses):
    """The form is signed by a secret that both have, the session is in the database."""
    first, second = houses
    page = await first.login_page()
    token = token_in((await second.post("login", hidden(page))).headers["location"])
    assert await first.report(Stage.LOGIN, token) is AuthCode.ALLOWED
    assert await second.report(Stage.COUNTERS, token, Octets(500, 50)) is AuthCode.ALLOWED
    assert 'action="/wifidog/logout"' in (await first.get(f"portal?token={token}")).body
    assert await second.report(Stage.LOGOUT, token, Octets(600, 60)) is AuthCode.DENIED
    assert await first.report(Stage.COUNTERS, token, Octets(700, 70)) is AuthCode.DENIED


@ensureDeferred
async def test_tries_to_sign_in_are_limited_over_both(houses):
    """Who is sent to the one and the other in turn has no more of them."""
    first, second = houses
    await first.ask_for_accounts(anna="correct horse")
    await second.refresh()
    for number in range(10):
        reply = await houses[number % 2].sign_in(name="anna", password="wrong")
        assert "Too many tries" not in reply.body
    for site in houses:
        assert "Too many tries" in (await site.sign_in(name="anna", password="correct horse")).body
