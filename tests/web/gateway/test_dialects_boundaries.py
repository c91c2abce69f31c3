"""Counters that some gateways leave out."""

from __future__ import annotations

import pytest

from wifidogd.domain.sessions import Dialect, Octets
from wifidogd.web.gateway.dialects import read_report


@pytest.mark.parametrize(
    ("fields", "octets"),
    [
        ({}, Octets(500, 70)),
        ({"incoming_bytes_v6": "8", "outgoing_bytes_v6": "900"}, Octets(1400, 78)),
        ({"incoming_bytes_v6": "8"}, Octets(500, 78)),
        ({"outgoing_bytes_v6": "900"}, Octets(1400, 70)),
        ({"outgoing_bytes_v6": ""}, None),
    ],
)
def test_a_gateway_without_ipv6_counts_what_it_has(fields: dict[str, str], octets: Octets | None) -> None:
    """The fields are absent then; one that is there and says nothing is no data."""
    query = {"stage": "counters", "incoming_bytes": "70", "outgoing_bytes": "500", **fields}
    assert read_report(query, Dialect.APFREE, None).octets == octets
