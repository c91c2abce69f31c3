"""What a guest sees of an open session: its own limits, those of its allowance, and the other devices on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred

from tests.support.builders import LOBBY, MINUTE, NOON, SECOND, adopt_all, mac, open_online, put, rows, run, token_hash
from tests.support.deadline import within
from wifidogd.access.session_view import SessionView, SessionViews
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.domain.guests import OtherDevice
from wifidogd.domain.plans import AllowanceOwner, Network, Plan, SignInMethod
from wifidogd.domain.quotas import Limit, Use
from wifidogd.domain.sessions import Octets
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.guest_sessions import open_session
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.accounts.accounts import add_account
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.networks import save_network

TOKEN = "t" * 32
HOUR = timedelta(hours=1)
CAFE = Network("default", "Café", (SignInMethod.ACCOUNT,), remember=HOUR)
OWNER = AllowanceOwner(mac=mac(1))

ONLINE = """
    UPDATE sessions
       SET mac = %(mac)s, ip = '10.0.0.9', activated_at = %(noon)s, reported_at = %(noon)s,
           incoming = 300, outgoing = 100
     WHERE token_hash = %(token_hash)s
"""
REMEMBER = """
    WITH device AS (
        INSERT INTO devices (network, account_id, remembered_at, expires_at)
        SELECT 'default', account_id, %(noon)s, %(noon)s FROM accounts
     RETURNING device_id)
    UPDATE sessions SET device_id = device.device_id FROM device WHERE token_hash = %(token_hash)s
"""
MINE = {"noon": NOON, "token_hash": hash_secret(TOKEN), "mac": mac(1)}


class Scene:
    """
    A gateway and a pending session without limits.

    @ivar now: what the wall clock says.
    """

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.database = database
        self.registry = Registry(database, utc_now=lambda: self.now)
        self.views = SessionViews(database, self.registry, utc_now=lambda: self.now)

    async def open(self) -> None:
        """Open the session."""
        await run(self.database, save_network, CAFE)
        await adopt_all(self.database, LOBBY)
        await run(self.database, open_session, hash_secret(TOKEN), gw_id="lobby", account_id=None,
                  url="http://a.example/", now=NOON, time_limit=None, quota_octets=None)  # fmt: skip
        await within(5, self.registry.refresh())

    async def change(self, change: str) -> None:
        """Change the session."""
        await put(self.database, f"UPDATE sessions SET {change} WHERE token_hash = %(token_hash)s", MINE)

    async def show(self) -> SessionView:
        """Show the session."""
        view = await within(5, self.views.show(TOKEN))
        assert view is not None
        return view

    async def limit(self, **limits: Any) -> None:
        """Let the session draw on an allowance with such limits."""
        await run(self.database, save_plan, replace(Plan("p", "P"), **limits))

        async def claim(cursor: Cursor) -> None:
            usage = await claim_allowance(cursor, OWNER, "default", "p", NOON)
            await cursor.execute("UPDATE sessions SET allowance_id = %(id)s", {"id": usage.allowance.allowance_id})

        await run(self.database, claim)


@async_yield_fixture
async def scene(database: Database) -> object:
    """An open session."""
    scene = Scene(database)
    await within(10, scene.open())
    yield scene


@ensureDeferred
async def test_a_pending_session_without_limits_shows_none(scene: Scene) -> None:
    """Nor a device, nor an account; once a gateway has reported it, it shows that."""
    pending = SessionView(
        gateway=LOBBY,
        network=scene.registry.network("default"),
        online=False,
        mac=None,
        ip=None,
        since=None,
        used=Octets(),
        octets_left=None,
        time_left=None,
        url="http://a.example/",
    )
    assert await scene.show() == pending
    await put(scene.database, ONLINE, MINE)
    online = replace(pending, online=True, mac=mac(1), ip="10.0.0.9", since=NOON, used=Octets(300, 100))
    assert await scene.show() == online
    await scene.change("ending = 'logged out'")
    assert await scene.show() == replace(online, online=False)


@ensureDeferred
async def test_what_is_left_of_a_session_is_never_less_than_nothing(scene: Scene) -> None:
    """Time from its start on, by its end once there is one; octets of both directions."""
    await put(scene.database, ONLINE, MINE)
    for change, later, octets_left, time_left in (
        ("quota_octets = 1000", MINUTE, 600, None),
        ("quota_octets = 401", MINUTE, 1, None),
        ("quota_octets = 399", MINUTE, 0, None),
        ("quota_octets = NULL, time_limit = '1 hour'", MINUTE, None, HOUR),
        ("expires_at = opened_at + interval '10 minutes'", 4 * MINUTE, None, 6 * MINUTE),
        ("expires_at = opened_at + interval '10 minutes'", 10 * MINUTE - SECOND, None, SECOND),
        ("expires_at = opened_at + interval '10 minutes'", 11 * MINUTE, None, timedelta()),
    ):
        scene.now = NOON + later
        await scene.change(change)
        view = await scene.show()
        assert (view.octets_left, view.time_left) == (octets_left, time_left), change
        assert (view.octets_limit, view.time_limit) == (None, None)


@pytest.mark.parametrize(
    ("allowed", "shown"),
    [
        ({"time_limit": HOUR - SECOND}, (HOUR - SECOND, Limit.TIME, 1000, None)),
        ({"time_limit": HOUR}, (HOUR, Limit.TIME, 1000, None)),
        ({"time_limit": HOUR + SECOND}, (HOUR, None, 1000, None)),
        ({"total_octets": 999}, (HOUR, None, 999, Limit.OCTETS)),
        ({"total_octets": 1000}, (HOUR, None, 1000, Limit.OCTETS)),
        ({"total_octets": 1001}, (HOUR, None, 1000, None)),
        ({}, (HOUR, None, 1000, None)),
    ],
)
@ensureDeferred
async def test_the_tighter_limit_is_shown_and_named(scene: Scene, allowed: dict[str, Any], shown: object) -> None:
    """That of the allowance, where both leave as much; the session's own has no name."""
    await scene.limit(**allowed)
    await scene.change("time_limit = '1 hour', quota_octets = 1000")
    view = await scene.show()
    assert (view.time_left, view.time_limit, view.octets_left, view.octets_limit) == shown


@ensureDeferred
async def test_a_session_without_limits_shows_those_of_its_allowance(scene: Scene) -> None:
    """With what all its sessions have used, and the other devices; one of them is disconnected by the guest."""
    await scene.limit(time_limit=2 * HOUR, total_octets=1000)
    await put(scene.database, ONLINE, MINE)
    await open_online(scene.database, 2, at=NOON + SECOND, octets=Octets(50, 25))
    await open_online(scene.database, 3)
    [(mine,)] = await rows(scene.database, "SELECT allowance_id FROM sessions WHERE allowance_id IS NOT NULL")
    await put(
        scene.database,
        "UPDATE sessions SET allowance_id = %(mine)s WHERE token_hash = %(other)s",
        {"mine": mine, "other": token_hash(2)},
    )
    numbers = dict(await rows(scene.database, "SELECT mac, session_id FROM sessions"))
    view = await scene.show()
    assert (view.time_left, view.time_limit) == (2 * HOUR, Limit.TIME)
    assert (view.octets_left, view.octets_limit) == (1000 - 475, Limit.OCTETS)
    assert view.allowance is not None
    assert (view.allowance.allowance_id, view.allowance.plan.name) == (mine, "p")
    assert view.used_of_allowance == Use(octets=Octets(350, 125))
    other = OtherDevice(numbers[mac(2)], mac(2), NOON + SECOND, Octets(50, 25), is_ending=False)
    assert view.other_devices == (other,)
    assert not await within(5, scene.views.disconnect(TOKEN, numbers[mac(3)]))
    assert await within(5, scene.views.disconnect(TOKEN, numbers[mac(2)]))
    assert (await scene.show()).other_devices == (replace(other, is_ending=True),)
    ending = "SELECT mac, ending FROM sessions WHERE ending IS NOT NULL"
    assert await rows(scene.database, ending) == [(mac(2), "logged out")]
    await scene.views.log_out(TOKEN)
    assert not await within(5, scene.views.disconnect(TOKEN, numbers[mac(2)])), (
        "nobody who is to end disconnects others"
    )


@ensureDeferred
async def test_a_device_is_shown_as_remembered_until_it_is_not(scene: Scene) -> None:
    """For as long as its network says, to the second."""
    await run(scene.database, add_account, "zoe", "hash", NOON)
    await put(scene.database, REMEMBER, MINE)
    await scene.change("account_id = (SELECT account_id FROM accounts)")
    for later, until in ((HOUR - SECOND, NOON + HOUR), (HOUR, None)):
        scene.now = NOON + later
        view = await scene.show()
        assert (view.has_account, view.remembered_until) == (True, until)


@ensureDeferred
async def test_logging_out_returns_what_the_session_was(scene: Scene) -> None:
    """It is ending then; a token that names none has nothing to show."""
    await put(scene.database, ONLINE, MINE)
    view = await within(5, scene.views.log_out(TOKEN))
    assert view is not None
    assert (view.online, view.since, view.used) == (False, NOON, Octets(300, 100))
    assert await rows(scene.database, "SELECT ending FROM sessions") == [("logged out",)]
    assert await within(5, scene.views.log_out("0" * 32)) is None


@ensureDeferred
async def test_a_session_at_a_gateway_that_is_not_known_is_not_shown(scene: Scene) -> None:
    """Before the gateways have been loaded nobody can tell, and the guest is to ask again."""
    registry = Registry(scene.database, utc_now=lambda: NOON)
    views = SessionViews(scene.database, registry, utc_now=lambda: NOON)
    with pytest.raises(StoreUnavailable, match="not known yet"):
        await within(5, views.show(TOKEN))
    await adopt_all(scene.database, replace(LOBBY, gw_id="garden"))
    await scene.change("gw_id = 'garden'")
    assert await within(5, scene.views.show(TOKEN)) is None
    await within(5, scene.registry.refresh())
    assert (await scene.show()).gateway.gw_id == "garden"
