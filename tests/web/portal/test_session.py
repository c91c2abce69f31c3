"""The portal over real connections: live metrics, the guest's other devices, and what follows the end of a session."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from json import loads

import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import put, rows
from tests.support.raw_http import Reply
from tests.support.site_server import MAC, SiteServer, hidden, token_in
from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.store.driver.database import Database

TABLET, STRANGER = "02:00:00:00:07:07", "02:00:00:00:09:09"

SHARE = """
    INSERT INTO plans (name, title, time_limit, time_counts) VALUES ('hours', 'Hours', interval '5 hours', 'used')
        ON CONFLICT DO NOTHING;
    INSERT INTO allowances (mac, network, plan, claimed_at) VALUES (%(owner)s, 'default', 'hours', now())
        ON CONFLICT DO NOTHING;
    UPDATE sessions
       SET allowance_id = (SELECT allowance_id FROM allowances WHERE mac = %(owner)s)
     WHERE mac = ANY(%(macs)s::macaddr[])
"""


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server with an adopted gateway."""
    server = await SiteServer(database).open()
    yield server
    await server.close()


async def come_online(server: SiteServer, mac: str) -> str:
    """Sign a device in by splash; return its token."""
    form = hidden(await server.login_page(mac=mac))
    token = token_in((await server.post("login", form)).headers["location"])
    assert await server.report(Stage.LOGIN, token, mac=mac) is AuthCode.ALLOWED
    return token


def disconnecting(page: Reply) -> list[str]:
    """Read the states of the disconnect buttons."""
    forms = re.findall(r'action="/wifidog/disconnect">\s*<input type="hidden" name="state" value="([^"]*)"', page.body)
    return [unescape(state) for state in forms]


@ensureDeferred
async def test_the_figures_come_as_json_in_the_words_of_the_page(server: SiteServer) -> None:
    """For the script; in the language of the guest."""
    await server.change_network(time_limit=timedelta(hours=2))
    token = await come_online(server, MAC)
    server.later(minutes=50)
    await server.report(Stage.COUNTERS, token, Octets(12_000_000, 345_678))
    reply = await server.get(f"portal.json?token={token}")
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"
    figures = {"online_for": "50 minutes", "time_left": "1 hour 10 minutes", "used": "12.3 MB", "data_left": "no limit"}
    assert loads(reply.body) == {"online": True, "figures": figures}
    assert loads((await server.get(f"portal.json?token={token}&lang=de")).body)["figures"]["used"] == "12,3 MB"
    for unknown in ("", "?token=", "?token=" + "a" * 32):
        assert loads((await server.get(f"portal.json{unknown}")).body) == {"online": False}


@ensureDeferred
async def test_a_portal_that_refreshes_after_the_end_leads_to_the_way_in(server: SiteServer) -> None:
    """Of this very device, so that its guest learns why; a portal that opens for the first time welcomes."""
    token = await come_online(server, MAC)
    page = await server.get(f"portal?gw_id=gw1&token={token}")
    again = unescape(page.body.partition("60; url=/wifidog/")[2].partition('"')[0])
    assert "You are online" in (await server.get(again)).body
    await server.report(Stage.LOGOUT, token)
    reply = await server.get(again)
    assert reply.status == 303
    assert reply.headers["location"].startswith("/wifidog/login?gw_address=10.0.0.1&gw_port=2060&gw_id=gw1&ip=10.0.0.5")
    assert "Welcome" in (await server.get(f"portal?gw_id=gw1&token={token}")).body


@ensureDeferred
async def test_a_guest_disconnects_another_device_of_theirs(server: SiteServer) -> None:
    """Its gateway hears it at the next report; nobody else's device is to be seen."""
    token, other, strange = [await come_online(server, mac) for mac in (MAC, TABLET, STRANGER)]
    assert disconnecting(await server.get(f"portal?token={token}")) == []
    await put(server.database, SHARE, {"owner": MAC, "macs": [MAC, TABLET]})
    await put(server.database, SHARE, {"owner": STRANGER, "macs": [STRANGER]})
    page = await server.get(f"portal?token={token}")
    [state] = disconnecting(page)
    assert "Device 07:07" in page.body
    assert "Pause" in page.body
    reply = await server.post("disconnect", {"state": state})
    assert reply.status == 303
    page = await server.get(reply.headers["location"].removeprefix("/wifidog/"))
    assert "disconnecting" in page.body
    assert disconnecting(page) == []
    assert await server.report(Stage.COUNTERS, other, Octets(7, 7), mac=TABLET) is AuthCode.DENIED
    assert await server.report(Stage.COUNTERS, strange, mac=STRANGER) is AuthCode.ALLOWED
    assert await server.report(Stage.COUNTERS, token) is AuthCode.ALLOWED
    assert "Your other devices" not in (await server.get(f"portal?token={token}")).body


@ensureDeferred
async def test_nobody_disconnects_the_device_of_another_guest(server: SiteServer) -> None:
    """A button outlives neither the allowance nor the session that it was made for, and none can be forged."""
    token, other = [await come_online(server, mac) for mac in (MAC, TABLET)]
    await put(server.database, SHARE, {"owner": MAC, "macs": [MAC, TABLET]})
    portal = await server.get(f"portal?token={token}")
    [state] = disconnecting(portal)
    await put(server.database, SHARE, {"owner": STRANGER, "macs": [TABLET]})
    assert (await server.post("disconnect", {"state": state})).status == 303
    await put(server.database, SHARE, {"owner": MAC, "macs": [TABLET]})
    await server.report(Stage.LOGOUT, token)
    assert (await server.post("disconnect", {"state": state})).status == 303
    assert await rows(server.database, "SELECT ending FROM sessions") == [(None,)]
    for forged in ("", "x.y", hidden(portal)["state"][:-1]):
        assert (await server.post("disconnect", {"state": forged})).status == 400
    assert await server.report(Stage.COUNTERS, other, mac=TABLET) is AuthCode.ALLOWED


@ensureDeferred
async def test_what_a_sign_in_window_cannot_do_can_be_done_elsewhere(server: SiteServer) -> None:
    """By a short address to copy, as the browser reached us."""
    token = await come_online(server, MAC)
    page = await server.post("my-data", {"state": hidden(await server.get(f"portal?token={token}"))["state"]})
    assert f"<code>http://portal.example/wifidog/p/{token}</code>" in page.body
    reply = await server.get(f"p/{token}")
    assert reply.headers["location"] == f"/wifidog/portal?token={token}"
    assert "You are online" in (await server.get(reply.headers["location"].removeprefix("/wifidog/"))).body


@ensureDeferred
async def test_a_server_that_has_just_begun_denies_no_session(server: SiteServer, database: Database) -> None:
    """It does not know yet which gateways are adopted; a worker that replaces another is asked at once."""
    token = await come_online(server, MAC)
    beginner = SiteServer(database, now=server.now).listen()
    for target in ("portal", "portal.json"):
        assert (await beginner.get(f"{target}?token={token}&gw_id=gw1&live=1")).status == 503
    await beginner.refresh()
    assert loads((await beginner.get(f"portal.json?token={token}")).body)["online"]
    await beginner.close()
