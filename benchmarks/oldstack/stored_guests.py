"""The hobby server's tables, filled by SQL: the same gateways and guests as wifidogd gets, and history."""

from __future__ import annotations

from benchmarks.requests.gateways import FIRST_MAC
from benchmarks.stored_guests import settle
from tests.support.postgres import execute

NETWORK = "INSERT INTO networks (id, title) VALUES (1, 'Café Zoë')"

GATEWAYS = """
    INSERT INTO gateways (id, gw_id, network_id)
    SELECT gateway + 1, 'gw-' || gateway, 1 FROM generate_series(0, {gateways} - 1) AS gateway
"""

GUESTS = """
    INSERT INTO connections (token, gateway_id, mac, started_at, last_seen_at, incoming, outgoing)
    SELECT md5('guest ' || guest), guest % {gateways} + 1, lpad(to_hex({first_mac} + guest), 12, '0')::macaddr::text,
           now(), now(), 0, 0
      FROM generate_series(0, {guests} - 1) AS guest
"""

HISTORY = """
    INSERT INTO connections (token, gateway_id, mac, started_at, last_seen_at, ended_at, incoming, outgoing)
    SELECT md5('stay ' || number), number % {gateways} + 1, '02:00:00:00:00:01', now(), now(), now(), 1000, 1000
      FROM generate_series(1, {past_sessions}) AS number
"""

EVERY_CODE = """
    INSERT INTO vouchers (code, created_at, minutes)
    SELECT lpad(code::text, 4, '0'), now(), 60 FROM generate_series(0, 9999) AS code
"""


def furnish(dsn: str, *, guests: int, gateways: int, past_sessions: int = 0) -> None:
    """
    Fill tables that a server of the old stack has just made.

    @param guests: online now.
    @param past_sessions: number of sessions that have ended.
    """
    execute(dsn, NETWORK, GATEWAYS.format(gateways=gateways))
    execute(dsn, HISTORY.format(past_sessions=past_sessions, gateways=gateways))
    execute(dsn, GUESTS.format(guests=guests, gateways=gateways, first_mac=FIRST_MAC))
    settle(dsn)


def take_every_code(dsn: str) -> None:
    """Sell all vouchers that there can be."""
    execute(dsn, EVERY_CODE)
    settle(dsn)
