"""A device is learnt from what it says itself, and as a hint from what a guest's address bar says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_twisted import async_fixture, ensureDeferred

from tests.support.builders import LOBBY, NOON, adopt_all, rows, run
from tests.support.deadline import within
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.devices import Devices
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.gateways.registry import MOST_GATEWAYS_OF_DEVICE, Registry
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.devices import MOST_DEVICES
from wifidogd.store.gateways.waiting_gateways import list_waiting

KEYED = replace(LOBBY, gw_id="keyed", key_hashes=(hash_secret("right"),))

STORED = "SELECT gw_id, device_id FROM gateway_devices ORDER BY gw_id, device_id"


@async_fixture
async def registry(database: Database) -> Registry:
    """Who is adopted: the lobby and the bar without a key, and one with a key."""
    await adopt_all(database, LOBBY, replace(LOBBY, gw_id="bar"), KEYED)
    registry = Registry(database, utc_now=lambda: NOON)
    await within(10, registry.refresh())
    return registry


@pytest.fixture
def heartbeats(database: Database, registry: Registry) -> Heartbeats:
    """Where gateways wait that are not adopted."""
    return Heartbeats(database, registry)


@pytest.fixture
def devices(database: Database, registry: Registry, heartbeats: Heartbeats) -> Devices:
    """The devices under test."""
    return Devices(database, registry, heartbeats, utc_now=lambda: NOON)


@ensureDeferred
async def test_what_was_learnt_is_known_at_once_and_to_all_servers_later(
    database: Database, registry: Registry, devices: Devices
) -> None:
    devices.learn("box", ["lobby", "bar"], "192.0.2.1")
    assert sorted(devices.gw_ids("box")) == ["bar", "lobby"]
    await within(10, devices.flush())
    await within(10, registry.refresh())
    assert registry.gateways_on("box") == ("bar", "lobby")
    assert devices.gw_ids("box") == ("bar", "lobby")


@ensureDeferred
async def test_what_is_known_is_not_written_again(database: Database, registry: Registry, devices: Devices) -> None:
    """It is said with every request."""
    devices.learn("box", ["lobby"], "192.0.2.1")
    await within(10, devices.flush())
    await within(10, registry.refresh())
    devices.learn("box", ["lobby"], "192.0.2.1")
    await within(10, database.stop())
    await within(10, devices.flush())


@ensureDeferred
async def test_gateways_that_are_not_adopted_wait_with_the_name_of_their_device(
    database: Database, devices: Devices, heartbeats: Heartbeats
) -> None:
    devices.learn("box", ["floor1", "floor2", "lobby"], "192.0.2.1")
    await within(10, heartbeats.flush())
    waiting = await run(database, list_waiting)
    assert [(one.gw_id, one.source, one.device_id) for one in waiting] == [
        ("floor1", "192.0.2.1", "box"),
        ("floor2", "192.0.2.1", "box"),
    ]


@pytest.mark.parametrize(("key", "known"), [(None, ()), ("wrong", ()), ("right", ("keyed",))])
@ensureDeferred
async def test_a_gateway_with_a_key_belongs_to_a_device_that_shows_it(
    devices: Devices, key: str | None, known: tuple[str, ...]
) -> None:
    devices.learn("box", ["keyed"], "192.0.2.1", key)
    assert devices.gw_ids("box") == known


@ensureDeferred
async def test_a_guest_s_hint_is_taken_only_while_nothing_better_is_known(registry: Registry, devices: Devices) -> None:
    devices.learn_from_guest("box", "lobby")
    devices.learn_from_guest("other", "lobby")
    devices.learn_from_guest("box", "unknown")
    assert (devices.gw_ids("box"), devices.gw_ids("other")) == (("lobby",), ())
    await within(10, devices.flush())
    await within(10, registry.refresh())
    devices.learn_from_guest("other", "lobby")
    assert (devices.gw_ids("box"), devices.gw_ids("other")) == (("lobby",), ())
    devices.learn("other", ["lobby"], "192.0.2.1")
    assert devices.gw_ids("other") == ("lobby",)


@ensureDeferred
async def test_inventing_devices_and_gateways_is_bounded(database: Database, devices: Devices) -> None:
    for number in range(100):
        devices.learn(f"box{number}", ["lobby"], "192.0.2.1")
    await within(10, devices.flush())
    assert len(await rows(database, STORED)) == MOST_DEVICES


@ensureDeferred
async def test_a_device_has_no_more_gateways_than_it_can_have(
    database: Database, registry: Registry, devices: Devices
) -> None:
    """One ping is taken for each of them."""
    names = [f"gw{number}" for number in range(MOST_GATEWAYS_OF_DEVICE + 5)]
    await adopt_all(database, *(replace(LOBBY, gw_id=name) for name in names))
    await within(10, registry.refresh())
    for name in names:
        devices.learn("box", [name], "192.0.2.1")
    assert len(devices.gw_ids("box")) == MOST_GATEWAYS_OF_DEVICE
    await within(10, devices.flush())
    await within(10, registry.refresh())
    assert len(devices.gw_ids("box")) == MOST_GATEWAYS_OF_DEVICE
