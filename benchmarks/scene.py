"""Gateways, guests and years of history in a database, put there by SQL because guests would take too long."""

from __future__ import annotations

from benchmarks.gateways import FIRST_MAC
from benchmarks.postgres import execute

GATEWAYS = """
    INSERT INTO gateways (gw_id, network, address, port, adopted_at)
    SELECT 'gw-' || gateway, 'default', '10.0.0.1', 2060, now() FROM generate_series(0, {gateways} - 1) AS gateway
"""

GUESTS = """
    INSERT INTO sessions (token_hash, gw_id, mac, ip, opened_at, activated_at, reported_at)
    SELECT sha256(convert_to(md5('guest ' || guest), 'UTF8')),
           'gw-' || guest % {gateways},
           CASE WHEN {online} THEN lpad(to_hex({first_mac} + guest), 12, '0')::macaddr END,
           CASE WHEN {online} THEN '10.0.0.0'::inet + guest % 16777216 END,
           now(),
           CASE WHEN {online} THEN now() END,
           CASE WHEN {online} THEN now() END
      FROM generate_series({first}, {first} + {guests} - 1) AS guest
"""

SETTLE = ("VACUUM (ANALYZE)", "CHECKPOINT")
"""So that neither autovacuum nor a checkpoint comes while something is measured."""


def adopt(dsn: str, gateways: int) -> None:
    """Adopt gateways, named as in L{benchmarks.gateways}."""
    execute(dsn, GATEWAYS.format(gateways=gateways))


def admit(dsn: str, guests: int, gateways: int, *, first: int = 0, online: bool = True) -> None:
    """
    Open a session for each guest, known to L{benchmarks.gateways}.

    @param first: number of the first guest.
    @param online: whether they are online, or only signed in.
    """
    statement = GUESTS.format(guests=guests, gateways=gateways, first=first, online=online, first_mac=FIRST_MAC)
    execute(dsn, statement)


def settle(dsn: str) -> None:
    """Let PostgreSQL tidy up now."""
    execute(dsn, *SETTLE)
