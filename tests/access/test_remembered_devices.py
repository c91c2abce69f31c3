"""Devices that come back without a form, and how they are forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred

from tests.support.builders import LOBBY, MINUTE, NOON, adopt_all, mac, open_online, put, rows, run
from tests.support.deadline import within
from wifidogd.access.open_session import Admitted, Refusal, Refused
from wifidogd.access.remembered_devices import RememberedDevices
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import Network, Plan, SignInMethod
from wifidogd.domain.quotas import Limit
from wifidogd.domain.sessions import LoginQuery
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.accounts.accounts import add_account
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.networks import save_network

DAY = timedelta(days=1)
TOKEN, PHONE_KEY, LAPTOP_KEY = "t" * 32, "p" * 32, "l" * 32
CAFE = Network(
    "default",
    "Café",
    (SignInMethod.ACCOUNT, SignInMethod.VOUCHER),
    remember=DAY,
    remember_random=DAY,
    remember_mac=True,
)
KEYED = replace(LOBBY, key_hashes=(hash_secret("key"),))
REQUEST = GuestRequest(KEYED, CAFE, LoginQuery("lobby", mac=mac(9)), NOON + MINUTE)

DEVICE = """
    INSERT INTO devices (key_hash, network, mac, account_id, voucher_id, remembered_at, expires_at)
    VALUES (%(key_hash)s, 'default', %(mac)s, (SELECT account_id FROM accounts WHERE %(is_of_account)s),
            (SELECT voucher_id FROM vouchers WHERE NOT %(is_of_account)s), %(noon)s, %(noon)s + interval '1 day')
"""
VOUCHER = """
    INSERT INTO vouchers (code_hash, batch, plan, network, valid_until, created_at)
    VALUES (sha256('code'), 'b', 'voucher', 'default', %(noon)s + interval '2 minutes', %(noon)s)
"""
OPENED = """
    SELECT sessions.account_id IS NOT NULL, key_hash, claimed_mac, by_mac, plan, allowances.account_id IS NOT NULL,
           allowances.voucher_id IS NOT NULL, allowances.valid_until
      FROM sessions
      LEFT JOIN devices USING (device_id)
      LEFT JOIN allowances USING (allowance_id)
"""


async def remember(database: Database, key: str, device: int, *, is_of_account: bool) -> None:
    """Remember a device."""
    values = {"key_hash": hash_secret(key), "mac": mac(device), "is_of_account": is_of_account, "noon": NOON}
    await put(database, DEVICE, values)


@async_yield_fixture
async def shop(database: Database) -> object:
    """A phone of an account, with device 1, and a laptop of a voucher, with device 2."""
    await adopt_all(database, KEYED)
    await run(database, save_network, CAFE)
    for name in ("account", "voucher", "network"):
        await run(database, save_plan, Plan(name, name))
    await run(database, add_account, "zoe", "hash", NOON)
    await put(database, VOUCHER, {"noon": NOON})
    await remember(database, PHONE_KEY, 1, is_of_account=True)
    await remember(database, LAPTOP_KEY, 2, is_of_account=False)
    yield database


async def come_back(database: Database, **changes: Any) -> Admitted | Refused | None:
    """Come back a minute after noon."""
    devices = RememberedDevices(database, mint=lambda: TOKEN)
    return await within(5, devices.come_back(replace(REQUEST, **changes)))


async def opened(database: Database) -> list[tuple[Any, ...]]:
    """Return what has been opened."""
    return [(rest[0], bytes(rest[1]), *rest[2:]) for rest in await rows(database, OPENED)]


PHONE, LAPTOP = hash_secret(PHONE_KEY), hash_secret(LAPTOP_KEY)
UNTIL = NOON + 2 * MINUTE


@pytest.mark.parametrize(
    ("changes", "session"),
    [
        ({"device_key": PHONE_KEY}, (True, PHONE, mac(9), False, None, False, False, None)),
        (
            {"device_key": PHONE_KEY, "network": replace(CAFE, plan="network")},
            (True, PHONE, mac(9), False, "network", True, False, None),
        ),
        (
            {"device_key": LAPTOP_KEY, "network": replace(CAFE, plan="network")},
            (False, LAPTOP, mac(9), False, "voucher", False, True, UNTIL),
        ),
        ({"query": LoginQuery("lobby", mac=mac(1))}, (True, PHONE, mac(1), True, None, False, False, None)),
        (
            {"query": LoginQuery("lobby", mac=mac(2))},
            (False, LAPTOP, mac(2), True, "voucher", False, True, UNTIL),
        ),
    ],
)
@ensureDeferred
async def test_a_device_comes_back_on_the_allowance_of_its_guest(
    shop: Database, changes: dict[str, Any], session: tuple[Any, ...]
) -> None:
    """By its key or its MAC, which the gateway must report then; on the plan of its guest before the network's."""
    assert await come_back(shop, **changes) == Admitted(TOKEN)
    assert await opened(shop) == [session]


@ensureDeferred
async def test_the_plan_of_an_account_comes_before_that_of_the_network(shop: Database) -> None:
    """And the network's way to sign in must still be offered: without it the guest gets the form."""
    await put(shop, "UPDATE accounts SET plan = 'account'")
    network = replace(CAFE, plan="network")
    vouchers_only = replace(network, methods=(SignInMethod.VOUCHER,))
    assert await come_back(shop, device_key=PHONE_KEY, network=vouchers_only) is None
    assert await rows(shop, OPENED) == []
    assert await come_back(shop, device_key=PHONE_KEY, network=network) == Admitted(TOKEN)
    assert await opened(shop) == [(True, PHONE, mac(9), False, "account", True, False, None)]


@ensureDeferred
async def test_a_voucher_that_is_over_brings_nobody_back(shop: Database) -> None:
    """At the very second."""
    assert await come_back(shop, device_key=LAPTOP_KEY, now=UNTIL) == Refused(Refusal.SPENT, limit=Limit.NOT_VALID)


@ensureDeferred
async def test_a_mac_that_anybody_can_report_brings_nobody_back(shop: Database) -> None:
    """Unless the operator trusts it; the key in the cookie is enough everywhere."""
    query = LoginQuery("lobby", mac=mac(1))
    assert await come_back(shop, query=query, gateway=LOBBY) is None
    assert await rows(shop, OPENED) == []
    assert await come_back(shop, query=query, gateway=LOBBY, device_key=PHONE_KEY) == Admitted(TOKEN)
    await put(shop, "DELETE FROM sessions")
    assert await come_back(shop, query=query, gateway=replace(LOBBY, trust_macs=True)) == Admitted(TOKEN)


@ensureDeferred
async def test_who_is_not_remembered_gets_the_form(shop: Database) -> None:
    """Nothing is opened for them."""
    assert await come_back(shop, device_key="0" * 32) is None
    assert await rows(shop, OPENED) == []


@ensureDeferred
async def test_who_is_online_is_told_so_unless_they_insist(shop: Database) -> None:
    """As at every other way to sign in."""
    await open_online(shop, 9, at=NOON)
    assert await come_back(shop, device_key=PHONE_KEY) == Refused(Refusal.ALREADY_ONLINE)
    assert await come_back(shop, device_key=PHONE_KEY, even_if_online=True) == Admitted(TOKEN)


@pytest.mark.parametrize(
    ("how", "left"),
    [
        ({}, [mac(1), mac(2)]),
        ({"key": PHONE_KEY}, [mac(2)]),
        ({"token": TOKEN}, [mac(1)]),
        ({"token": TOKEN, "key": PHONE_KEY}, []),
        ({"key": "0" * 32, "token": "0" * 32}, [mac(1), mac(2)]),
    ],
)
@ensureDeferred
async def test_a_device_is_forgotten_by_token_or_key(shop: Database, how: dict[str, str], left: list[str]) -> None:
    """The token is that of the laptop's open session; others stay as they are."""
    assert await come_back(shop, device_key=LAPTOP_KEY) == Admitted(TOKEN)
    await within(5, RememberedDevices(shop).forget(**how))
    assert [found for (found,) in await rows(shop, "SELECT mac FROM devices ORDER BY mac")] == left
