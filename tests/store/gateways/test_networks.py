"""What networks offer, as it is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pytest_twisted import ensureDeferred

from tests.support.deadline import within
from wifidogd.domain.errors import StoreRefused
from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.domain.sessions import MAX_OCTETS
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import fetch_revision
from wifidogd.store.gateways.networks import fetch_networks, save_network

HOTEL = Network(
    "hotel",
    "Grand Hôtel",
    (SignInMethod.ACCOUNT,),
    time_limit=timedelta(hours=2),
    quota_octets=MAX_OCTETS,
    stale_after=timedelta(minutes=15),
    terms={"en": "Be nice.\nPercent signs: 100 %(s)s", "zh-Hans": "请友善"},
    retention=None,
)


@ensureDeferred
async def test_a_fresh_schema_has_one_network(database: Database) -> None:
    """Its values are those of the model, so that both agree on what is normal."""
    networks = await within(5, database.transaction(fetch_networks))
    assert networks == [Network("default", "Free Wi-Fi")]


@ensureDeferred
async def test_a_network_comes_back_as_it_was_saved(database: Database) -> None:
    """The first time it is new, the second time it is changed in every column."""
    plain = Network("hotel", "Hotel")
    assert await within(5, database.transaction(lambda cursor: save_network(cursor, HOTEL)))
    assert (await within(5, database.transaction(fetch_networks)))[1] == HOTEL
    assert not await within(5, database.transaction(lambda cursor: save_network(cursor, plain)))
    assert (await within(5, database.transaction(fetch_networks)))[1] == plain


@ensureDeferred
async def test_a_changed_network_is_a_new_revision(database: Database) -> None:
    """Servers read networks again when the revision has grown."""
    before = await within(5, database.transaction(fetch_revision))
    await within(5, database.transaction(lambda cursor: save_network(cursor, HOTEL)))
    assert await within(5, database.transaction(fetch_revision)) > before


@pytest.mark.parametrize(
    "impossible",
    [
        replace(HOTEL, name="Hotel Lobby"),
        replace(HOTEL, title=""),
        replace(HOTEL, time_limit=timedelta()),
        replace(HOTEL, quota_octets=0),
        replace(HOTEL, stale_after=timedelta(seconds=59)),
        replace(HOTEL, terms={"en": "x" * 4_001}),
        replace(HOTEL, retention=timedelta()),
    ],
)
@ensureDeferred
async def test_the_schema_refuses_impossible_networks(database: Database, impossible: Network) -> None:
    """Whatever a caller forgot to check is not stored."""
    with pytest.raises(StoreRefused):
        await within(5, database.transaction(lambda cursor: save_network(cursor, impossible)))
