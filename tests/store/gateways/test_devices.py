"""The devices that gateways are on, in the store."""

from __future__ import annotations

from dataclasses import replace

from pytest_twisted import ensureDeferred

from tests.support.builders import LOBBY, NOON, SECOND, adopt_all, rows, run
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.devices import MOST_DEVICES, save_devices
from wifidogd.store.gateways.gateways import fetch_gateways, fetch_revision

ALL = "SELECT gw_id, device_id FROM gateway_devices ORDER BY gw_id, device_id"


@ensureDeferred
async def test_a_gateway_knows_its_devices_the_latest_first(database: Database) -> None:
    await adopt_all(database, LOBBY, replace(LOBBY, gw_id="bar"))
    await run(database, save_devices, [("lobby", "old"), ("bar", "old")], NOON)
    await run(database, save_devices, [("lobby", "new")], NOON + SECOND)
    bar, lobby = await run(database, fetch_gateways)
    assert (bar.device_ids, lobby.device_ids) == (("old",), ("new", "old"))


@ensureDeferred
async def test_gateways_that_are_not_adopted_are_left_out(database: Database) -> None:
    await adopt_all(database, LOBBY)
    await run(database, save_devices, [("removed", "box"), ("lobby", "box")], NOON)
    assert await rows(database, ALL) == [("lobby", "box")]


@ensureDeferred
async def test_the_latest_devices_displace_the_oldest(database: Database) -> None:
    """Whoever invents devices does not fill the disk; the device itself is learnt again when it next speaks."""
    await adopt_all(database, LOBBY)
    for number in range(2 * MOST_DEVICES):
        await run(database, save_devices, [("lobby", f"box{number}")], NOON + number * SECOND)
    assert await rows(database, ALL) == [("lobby", f"box{number}") for number in range(MOST_DEVICES, 2 * MOST_DEVICES)]
    together = [("lobby", f"new{number}") for number in range(MOST_DEVICES)]
    await run(database, save_devices, together, NOON + 100 * SECOND)
    assert await rows(database, ALL) == together


@ensureDeferred
async def test_servers_are_told_that_a_device_was_learnt(database: Database) -> None:
    """They read the directory again when its revision has grown."""
    await adopt_all(database, LOBBY)
    before = await run(database, fetch_revision)
    await run(database, save_devices, [("lobby", "box")], NOON)
    assert await run(database, fetch_revision) > before
