"""How long a device may come back without a form, and who may not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.support.builders import SECOND, adopt_all, open_online, put, run
from tests.support.deadline import within
from wifidogd.access.arrivals import Arrival, Arrivals, RecognizedDevice, good_until, is_random, recognize
from wifidogd.access.open_session import Refusal, Refused
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.guests import EndNotice, GuestRequest, RememberedDevice
from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.domain.sessions import LoginQuery, Reason
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.access.end_notices import save_end_notices
from wifidogd.store.accounts.accounts import add_account
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.networks import save_network

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LASTING, RANDOM = "00:1b:63:00:00:01", "02:1b:63:00:00:01"

NETWORK = Network(
    "default", "Café", (SignInMethod.ACCOUNT,), remember=30 * DAY, remember_random=2 * DAY, remember_mac=True
)
DEVICE = RememberedDevice(1, LASTING, 7, None, NOON, NOON + 30 * DAY)
VOUCHER = replace(DEVICE, account_id=None, voucher_id=7)


@pytest.mark.parametrize(
    ("device", "network", "by_mac", "until"),
    [
        (DEVICE, NETWORK, None, NOON + 30 * DAY),
        (DEVICE, NETWORK, LASTING, NOON + 30 * DAY),
        (DEVICE, NETWORK, RANDOM, NOON + 2 * DAY),
        (DEVICE, replace(NETWORK, remember_random=None), RANDOM, None),
        (DEVICE, replace(NETWORK, remember_random=None), None, NOON + 30 * DAY),
        (DEVICE, replace(NETWORK, remember_random=60 * DAY), RANDOM, NOON + 30 * DAY),
        (DEVICE, replace(NETWORK, remember=None), None, None),
        (DEVICE, replace(NETWORK, remember=None), RANDOM, None),
        (DEVICE, replace(NETWORK, remember=DAY), None, NOON + DAY),
        (DEVICE, replace(NETWORK, methods=(SignInMethod.SPLASH, SignInMethod.VOUCHER)), None, None),
        (replace(DEVICE, is_welcome=False), NETWORK, None, None),
        (VOUCHER, NETWORK, None, None),
        (VOUCHER, replace(NETWORK, methods=(SignInMethod.VOUCHER,)), None, NOON + 30 * DAY),
    ],
)
def test_a_device_is_remembered_as_long_as_its_network_says_now(
    device: RememberedDevice, network: Network, by_mac: str | None, until: datetime | None
) -> None:
    """A made-up MAC for the shorter time, and nobody by a way that is not offered any more."""
    assert good_until(device, network, by_mac) == until


@pytest.mark.parametrize(
    ("mac", "random"),
    [
        (LASTING, False),
        (RANDOM, True),
        ("da:a1:19:00:00:01", True),
        ("5e:00:00:00:00:01", True),
        ("f0:00:00:00:00:02", False),
        ("01:00:5e:00:00:01", False),
    ],
)
def test_a_made_up_mac_shows_in_its_second_lowest_bit(mac: str, random: bool) -> None:
    """As phones do it, one for each network."""
    assert is_random(mac) is random


GATEWAY = Gateway("gw1", "default", "10.0.0.1", key_hashes=(hash_secret("key"),))
REQUEST = GuestRequest(GATEWAY, NETWORK, LoginQuery("gw1", mac=RANDOM), NOON)
OTHER = replace(DEVICE, device_id=2, mac=RANDOM)


@pytest.mark.parametrize(
    ("by_key", "by_mac", "later", "recognized"),
    [
        (None, None, 0 * DAY, None),
        (DEVICE, None, 0 * DAY, RecognizedDevice(DEVICE, NOON + 30 * DAY)),
        (DEVICE, OTHER, 0 * DAY, RecognizedDevice(DEVICE, NOON + 30 * DAY)),
        (DEVICE, None, 30 * DAY - SECOND, RecognizedDevice(DEVICE, NOON + 30 * DAY)),
        (DEVICE, None, 30 * DAY, None),
        (None, OTHER, 2 * DAY - SECOND, RecognizedDevice(OTHER, NOON + 2 * DAY, by_mac=True)),
        (None, OTHER, 2 * DAY, None),
        (replace(DEVICE, is_welcome=False), OTHER, 0 * DAY, RecognizedDevice(OTHER, NOON + 2 * DAY, by_mac=True)),
        (VOUCHER, OTHER, 0 * DAY, RecognizedDevice(OTHER, NOON + 2 * DAY, by_mac=True)),
        (replace(DEVICE, is_welcome=False), None, 0 * DAY, None),
        (None, replace(OTHER, is_welcome=False), 0 * DAY, None),
    ],
)
def test_the_key_tells_before_the_mac(
    by_key: RememberedDevice | None,
    by_mac: RememberedDevice | None,
    later: timedelta,
    recognized: RecognizedDevice | None,
) -> None:
    """As long as the device behind it may come back; what is found by MAC the gateway must report."""
    assert recognize(by_key, by_mac, replace(REQUEST, now=NOON + later)) == recognized


@pytest.mark.parametrize("changes", [{}, {"device_key": "k" * 32, "network": replace(NETWORK, remember=None)}])
@ensureDeferred
async def test_nothing_is_asked_about_a_guest_without_device_and_cookie(changes: dict[str, Any]) -> None:
    """A database that is not there does not keep them from the form."""
    arrivals = Arrivals(Database(clock=reactor))  # type: ignore[arg-type]
    nameless = replace(REQUEST, query=LoginQuery("gw1"), **changes)
    assert await within(5, arrivals.look_up(nameless)) == Arrival()
    assert await within(5, arrivals.refuse_if_online(nameless)) is None
    assert await within(5, arrivals.refuse_if_online(replace(REQUEST, even_if_online=True))) is None
    with pytest.raises(StoreUnavailable):
        await within(5, arrivals.look_up(REQUEST))


@ensureDeferred
async def test_an_end_is_shown_for_an_hour(database: Database) -> None:
    """To a guest who comes back to the same gateway."""
    await adopt_all(database, REQUEST.gateway)
    notice = EndNotice("gw1", RANDOM, Reason.TIME_IS_UP, NOON, None)
    await run(database, save_end_notices, [notice])
    arrivals = Arrivals(database)
    for later, shown in ((HOUR - SECOND, notice), (HOUR, None)):
        arrival = await within(5, arrivals.look_up(replace(REQUEST, now=NOON + later)))
        assert arrival == Arrival(end_notice=shown)


REMEMBER = """
    INSERT INTO devices (key_hash, network, mac, account_id, remembered_at, expires_at)
    SELECT %(key_hash)s, 'default', %(mac)s, account_id, %(noon)s, %(noon)s + interval '30 days' FROM accounts
"""
NAMELESS = LoginQuery("gw1")


@pytest.mark.parametrize(
    ("changes", "by_mac"),
    [
        ({"query": NAMELESS, "device_key": "k" * 32}, False),
        ({"query": NAMELESS}, None),
        ({"query": NAMELESS, "device_key": "0" * 32}, None),
        ({"device_key": "k" * 32}, False),
        ({"device_key": "0" * 32}, True),
        ({}, True),
        ({"gateway": replace(GATEWAY, key_hashes=())}, None),
        ({"gateway": replace(GATEWAY, key_hashes=()), "device_key": "k" * 32}, False),
        ({"gateway": replace(GATEWAY, key_hashes=(), trust_macs=True)}, True),
        ({"query": LoginQuery("gw1", mac=LASTING)}, None),
        ({"network": replace(NETWORK, remember_mac=False)}, None),
        ({"network": replace(NETWORK, remember_mac=False), "device_key": "k" * 32}, False),
        ({"network": replace(NETWORK, remember=None), "device_key": "k" * 32}, None),
    ],
)
@ensureDeferred
async def test_a_remembered_device_is_found_by_its_key_or_where_that_is_enough_by_its_mac(
    database: Database, changes: dict[str, Any], by_mac: bool | None
) -> None:
    """Neither key nor MAC of another; not where the network does not remember, nor by a MAC that anybody can report."""
    await run(database, save_network, NETWORK)
    await run(database, add_account, "zoe", "hash", NOON)
    await put(database, REMEMBER, {"key_hash": hash_secret("k" * 32), "mac": RANDOM, "noon": NOON})
    arrival = await within(5, Arrivals(database).look_up(replace(REQUEST, **changes)))
    assert (arrival.is_online, arrival.end_notice) == (False, None)
    recognized = arrival.recognized
    assert (None if recognized is None else recognized.by_mac) is by_mac


@ensureDeferred
async def test_a_device_is_online_for_three_intervals_after_a_report(database: Database) -> None:
    """Its guest is refused until then, unless they insist or the redirect does not say which device it is."""
    gateway = replace(REQUEST.gateway, interval=timedelta(seconds=40))
    await adopt_all(database, gateway)
    await open_online(database, int(RANDOM.replace(":", ""), 16), gw_id="gw1", at=NOON)
    arrivals = Arrivals(database)
    for later, is_online in ((120 * SECOND, True), (121 * SECOND, False)):
        request = replace(REQUEST, gateway=gateway, now=NOON + later)
        assert (await within(5, arrivals.look_up(request))).is_online is is_online
        refused = Refused(Refusal.ALREADY_ONLINE) if is_online else None
        assert await within(5, arrivals.refuse_if_online(request)) == refused
        assert await within(5, arrivals.refuse_if_online(replace(request, even_if_online=True))) is None
        assert await within(5, arrivals.refuse_if_online(replace(request, query=NAMELESS))) is None
