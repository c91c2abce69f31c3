"""Devices that are remembered, on a real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_twisted import ensureDeferred

from tests.support.builders import LOBBY, NOON, adopt_all, mac, open_pending, put, rows, run, save, token_hash
from wifidogd.domain.guests import RememberedDevice
from wifidogd.domain.sessions import Session
from wifidogd.store.access.arrivals import Arrival, fetch_arrival
from wifidogd.store.access.remembered_devices import (
    attach_device,
    forget_device,
    forget_key,
    forget_old_devices,
    remember_device,
)
from wifidogd.store.accounts.accounts import add_account
from wifidogd.store.driver.database import Database

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
UNTIL = NOON + timedelta(days=30)

PREPARE = """
    INSERT INTO plans (name, title) VALUES ('day', 'A day');
    INSERT INTO vouchers (code_hash, batch, plan, network, valid_until, created_at)
    VALUES (sha256('code'), 'b', 'day', 'default', %(until)s, %(noon)s);
    INSERT INTO allowances (voucher_id, network, plan, claimed_at)
    SELECT voucher_id, 'default', 'day', %(noon)s FROM vouchers;
    UPDATE accounts SET validated_at = created_at
"""
BY_ACCOUNT, BY_VOUCHER = {"account_id": 1}, {"voucher_id": 1}


async def prepare(database: Database) -> None:
    """A gateway, an account and a voucher."""
    await adopt_all(database, LOBBY)
    await run(database, add_account, "anna", "hash", NOON)
    await put(database, PREPARE, {"noon": NOON, "until": UNTIL})


async def remember(
    database: Database, number: int, key: bytes = KEY, how: dict[str, int] = BY_ACCOUNT
) -> RememberedDevice:
    """Sign in and be remembered."""
    await open_pending(database, number)
    await run(database, remember_device, token_hash(number), key, "default", now=NOON, until=UNTIL, **how)
    device = await find_by_key(database, "default", key)
    assert device is not None
    return device


async def arrive(database: Database, network: str, key: bytes | None, reported: str | None) -> Arrival:
    """Load the arrival of a guest at the login page."""
    return await run(
        database,
        fetch_arrival,
        "lobby",
        network,
        mac=None,
        key_hash=key,
        remembered_mac=reported,
        now=NOON,
        reported_since=NOON,
        ended_since=NOON,
    )


async def find_by_key(database: Database, network: str, key: bytes) -> RememberedDevice | None:
    """Load the arrival of a guest with a cookie."""
    return (await arrive(database, network, key, None)).by_key


async def find_by_mac(database: Database, network: str, reported: str) -> RememberedDevice | None:
    """Load the arrival of a guest with a MAC."""
    return (await arrive(database, network, None, reported)).by_mac


async def let_in(database: Database, number: int, reported: str | None) -> None:
    """Record the first report on a session."""
    session = Session(token_hash(number), "lobby", NOON, mac=reported, activated_at=NOON, reported_at=NOON)
    await run(database, save, [session])


@ensureDeferred
async def test_a_device_is_remembered_for_who_signed_in(database: Database) -> None:
    """By account or by voucher, whose own plan counts."""
    await prepare(database)
    [(account_id, voucher_id)] = await rows(database, "SELECT account_id, voucher_id FROM accounts, vouchers")
    by_account = await remember(database, 1)
    assert by_account == RememberedDevice(by_account.device_id, None, account_id, None, NOON, UNTIL)
    by_voucher = await remember(database, 2, OTHER_KEY, BY_VOUCHER)
    assert by_voucher == RememberedDevice(by_voucher.device_id, None, None, voucher_id, NOON, UNTIL, "day", UNTIL)
    assert await find_by_key(database, "elsewhere", KEY) is None
    await run(database, remember_device, token_hash(9), b"n" * 32, "default", account_id=1, now=NOON, until=UNTIL)
    assert await find_by_key(database, "default", b"n" * 32) is None


@ensureDeferred
async def test_the_mac_is_what_a_gateway_reports(database: Database) -> None:
    """Nothing is known by MAC before; a device that comes back with another is known by that one."""
    await prepare(database)
    device = await remember(database, 1)
    assert await find_by_mac(database, "default", mac(1)) is None
    await let_in(database, 1, mac(1))
    found = await find_by_mac(database, "default", mac(1))
    assert found is not None
    assert found.device_id == device.device_id
    await open_pending(database, 2)
    await run(database, attach_device, token_hash(2), device.device_id)
    await let_in(database, 2, mac(2))
    assert await find_by_mac(database, "default", mac(1)) is None
    assert await find_by_mac(database, "default", mac(2)) is not None


@ensureDeferred
async def test_who_signs_in_last_is_remembered_under_a_mac(database: Database) -> None:
    """The one before is forgotten, so that there are no more devices than MACs."""
    await prepare(database)
    await remember(database, 1)
    await let_in(database, 1, mac(1))
    await put(database, "UPDATE sessions SET activated_at = NULL, mac = NULL")
    later = await remember(database, 2, OTHER_KEY)
    await let_in(database, 2, mac(1))
    found = await find_by_mac(database, "default", mac(1))
    assert found is not None
    assert found.device_id == later.device_id
    assert await find_by_key(database, "default", KEY) is None


@ensureDeferred
async def test_a_gateway_that_cannot_tell_the_mac_forgets_nobody(database: Database) -> None:
    """The cookie still works."""
    await prepare(database)
    await remember(database, 1)
    await remember(database, 2, OTHER_KEY)
    await let_in(database, 1, None)
    await let_in(database, 2, None)
    assert await rows(database, "SELECT mac, seen FROM devices") == [(None, True), (None, True)]


@ensureDeferred
async def test_a_gateway_that_cannot_tell_the_mac_overwrites_none(database: Database) -> None:
    """The device that comes back with its cookie is still found by the MAC that was reported before."""
    await prepare(database)
    device = await remember(database, 1)
    await let_in(database, 1, mac(1))
    await open_pending(database, 2)
    await run(database, attach_device, token_hash(2), device.device_id)
    await let_in(database, 2, None)
    assert await find_by_mac(database, "default", mac(1)) is not None


@pytest.mark.parametrize(
    ("change", "how"),
    [
        ("UPDATE accounts SET disabled = true", BY_ACCOUNT),
        ("UPDATE accounts SET validated_at = NULL", BY_ACCOUNT),
        ("UPDATE vouchers SET revoked = true", BY_VOUCHER),
    ],
)
@ensureDeferred
async def test_whom_the_operator_has_locked_out_is_not_welcome(
    database: Database, change: str, how: dict[str, int]
) -> None:
    """However well the device is remembered."""
    await prepare(database)
    assert (await remember(database, 1, how=how)).is_welcome
    await put(database, change)
    device = await find_by_key(database, "default", KEY)
    assert device is not None
    assert not device.is_welcome


@ensureDeferred
async def test_a_device_is_forgotten_from_its_session_or_by_its_key(database: Database) -> None:
    """And only once; the session goes on."""
    await prepare(database)
    await remember(database, 1)
    assert await run(database, forget_device, token_hash(1))
    assert not await run(database, forget_device, token_hash(1))
    await remember(database, 2, OTHER_KEY)
    await run(database, forget_key, OTHER_KEY)
    assert await rows(database, "SELECT * FROM devices") == []
    assert await rows(database, "SELECT count(*) FROM sessions") == [(2,)]


@ensureDeferred
async def test_what_is_over_or_was_never_let_in_is_forgotten(database: Database) -> None:
    """The latter after a while, or anybody could fill the table."""
    await prepare(database)
    await remember(database, 1)
    await remember(database, 2, OTHER_KEY)
    await let_in(database, 1, mac(1))
    long_ago = NOON - timedelta(hours=1)
    assert await run(database, forget_old_devices, now=NOON, unseen_since=long_ago, limit=10) == 0
    assert await run(database, forget_old_devices, now=NOON, unseen_since=NOON + timedelta(hours=1), limit=10) == 1
    assert await find_by_key(database, "default", OTHER_KEY) is None
    assert await run(database, forget_old_devices, now=UNTIL, unseen_since=long_ago, limit=10) == 1
