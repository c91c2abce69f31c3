"""Reads one client of those that a gateway reports in one request; pure."""

from __future__ import annotations

from collections.abc import Mapping

from wifidogd.domain.addresses import read_mac
from wifidogd.domain.sessions import Counters, Dialect, Octets, Report, Stage
from wifidogd.web.gateway.json_values import text_of
from wifidogd.web.server.query import read_guest_ip

MOST_CLIENTS = 2000
"""Of a request, counted under each gateway; those after them are not read, and their gateways ask again."""


def read_client(
    client: Mapping[str, object],
    gw_id: str,
    dialect: Dialect,
    key: str | None,
    octets: Octets | None,
    packets: Octets | None = None,
    read_as: Counters = Counters.STRAIGHT,
) -> Report | None:
    """
    Return the report about a client; what cannot be read of it counts as missing, as in queries.

    @return: None for a client without a token: it cannot be told whose report that is.
    """
    token = text_of(client.get("token"))
    if token is None:
        return None
    return Report(
        stage=Stage.COUNTERS,
        dialect=dialect,
        token=token,
        gw_id=gw_id,
        mac=read_mac(text_of(client.get("mac"))),
        ip=read_guest_ip(text_of(client.get("ip"))),
        octets=octets,
        key=key,
        packets=packets,
        read_as=read_as,
    )


def octets_of(to_guest: int | None, from_guest: int | None) -> Octets | None:
    """Return the totals of both directions; None unless both are known."""
    return None if to_guest is None or from_guest is None else Octets(to_guest, from_guest)
