"""What the login page asks of the database about a guest who comes to it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from pytest_twisted import ensureDeferred

from tests.support.builders import LOBBY, MINUTE, NOON, SECOND, adopt_all, mac, open_online, put, rows, run
from wifidogd.domain.guests import EndNotice
from wifidogd.domain.sessions import Reason
from wifidogd.store.access.arrivals import Arrival, fetch_arrival, is_online
from wifidogd.store.access.end_notices import save_end_notices
from wifidogd.store.driver.database import Database

HOUR = timedelta(hours=1)

DEVICES = """
    INSERT INTO accounts (name, password_hash, created_at, validated_at) VALUES ('anna', '', %(noon)s, %(noon)s);
    INSERT INTO devices (key_hash, network, mac, account_id, remembered_at, expires_at)
    VALUES (sha256('key'), 'default', NULL, 1, %(noon)s, %(noon)s),
           (sha256('old'), 'default', '00:00:00:00:00:01', 1, %(noon)s - interval '1 day', %(noon)s),
           (sha256('new'), 'default', '00:00:00:00:00:01', 1, %(noon)s, %(noon)s)
"""


async def arrive(
    database: Database, number: int | None = 1, *, key: bytes | None = None, by_mac: bool = False, at: datetime = NOON
) -> Arrival:
    """Load the arrival of a numbered device at the login page of the lobby."""
    device = None if number is None else mac(number)
    return await run(
        database,
        fetch_arrival,
        "lobby",
        "default",
        mac=device,
        key_hash=key,
        remembered_mac=device if by_mac else None,
        now=at,
        reported_since=at - 3 * MINUTE,
        ended_since=at - HOUR,
    )


@ensureDeferred
async def test_nothing_is_known_of_a_stranger(database: Database) -> None:
    """With or without a device and a cookie."""
    await adopt_all(database, LOBBY)
    assert await arrive(database, key=b"k" * 32, by_mac=True) == Arrival(is_online=False)
    assert await arrive(database, None) == Arrival(is_online=False)


@ensureDeferred
async def test_all_that_is_known_comes_together(database: Database) -> None:
    """Online, the last end, the device of the cookie, and the one that was last remembered with the MAC."""
    await adopt_all(database, LOBBY)
    await put(database, DEVICES, {"noon": NOON})
    await open_online(database, 1)
    notice = EndNotice("lobby", mac(1), Reason.DAY_IS_SPENT, NOON, NOON + HOUR)
    await run(database, save_end_notices, [notice])
    [(key,)] = await rows(database, "SELECT key_hash FROM devices WHERE mac IS NULL")
    arrival = await arrive(database, key=key, by_mac=True)
    assert (arrival.is_online, arrival.end_notice) == (True, notice)
    assert arrival.by_key is not None
    assert arrival.by_mac is not None
    assert (arrival.by_key.device_id, arrival.by_mac.device_id) == (1, 3)
    only_key = await arrive(database, 2, key=key, by_mac=True)
    assert (only_key.is_online, only_key.end_notice, only_key.by_key, only_key.by_mac) == (
        False,
        None,
        arrival.by_key,
        None,
    )


@pytest.mark.parametrize(
    ("change", "seconds", "expected"),
    [
        ("reported_at = reported_at", 0, True),
        ("reported_at = reported_at", 180, True),
        ("reported_at = reported_at", 181, False),
        ("expires_at = '2026-11-22 12:01Z'", 59, True),
        ("expires_at = '2026-11-22 12:01Z'", 60, False),
        ("ending = 'logged out'", 0, False),
        ("activated_at = NULL, reported_at = NULL", 0, False),
        ("mac = '02:00:00:00:00:02'", 0, False),
    ],
)
@ensureDeferred
async def test_online_is_what_is_reported_and_within_its_time(
    database: Database, change: str, seconds: int, expected: bool
) -> None:
    """Reported in the last three intervals, not out of time, not asked to end."""
    await adopt_all(database, LOBBY)
    await open_online(database, 1)
    await put(database, f"UPDATE sessions SET {change}")
    now = NOON + seconds * SECOND
    assert await run(database, is_online, "lobby", mac(1), now, now - 3 * MINUTE) is expected


@pytest.mark.parametrize(
    ("restarted", "expected"), [(None, True), (NOON - SECOND, True), (NOON, True), (NOON + SECOND, False)]
)
@ensureDeferred
async def test_a_restarted_gateway_has_forgotten_its_guests(
    database: Database, restarted: datetime | None, expected: bool
) -> None:
    """A guest whom it has not reported since would not get through it."""
    await adopt_all(database, LOBBY)
    await open_online(database, 1)
    await put(
        database,
        "INSERT INTO heartbeats (gw_id, seen_at, source, restarted_at) VALUES ('lobby', %(now)s, '::1', %(restarted)s)",
        {"now": NOON, "restarted": restarted},
    )
    assert await run(database, is_online, "lobby", mac(1), NOON, NOON) is expected


@ensureDeferred
async def test_nobody_is_online_elsewhere(database: Database) -> None:
    """Gateways are told apart."""
    await adopt_all(database, LOBBY)
    await open_online(database, 1)
    assert not await run(database, is_online, "bar", mac(1), NOON, NOON)
