"""How long a device may come back without a form, and who may not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wifidogd.access.arrivals import good_until, is_random
from wifidogd.domain.guests import RememberedDevice
from wifidogd.domain.plans import Network, SignInMethod

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
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
    ],
)
def test_a_made_up_mac_shows_in_its_second_lowest_bit(mac: str, random: bool) -> None:
    """As phones do it, one for each network."""
    assert is_random(mac) is random
