"""Gateways, guests and years of history in a database, put there by SQL because guests would take too long."""

from __future__ import annotations

from benchmarks.requests.gateways import FIRST_MAC
from tests.support.postgres import execute

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

HISTORY = """
    INSERT INTO past_sessions (session_id, network, gw_id, account_id, mac, ip, opened_at, activated_at, ended_at,
                               reason, incoming, outgoing)
    SELECT -number, 'default', 'gw-' || number % 2000, CASE WHEN number % 3 = 0 THEN number % 100000 + 1 END,
           lpad(to_hex({first_mac} + number % 300000), 12, '0')::macaddr, '10.0.0.0'::inet + number % 65536,
           ended_at - interval '47 minutes', ended_at - interval '46 minutes', ended_at, 'logged out',
           number % 997 * 1000003, number % 991 * 50021
      FROM generate_series(1, {past_sessions}) AS number,
           LATERAL (SELECT now() - (1 - number::float / {past_sessions}) * interval '300 days' AS ended_at) AS instant
"""

SETTLE = ("VACUUM (ANALYZE)", "CHECKPOINT")
"""So that neither autovacuum nor a checkpoint comes while something is measured."""


def adopt(dsn: str, gateways: int) -> None:
    """Adopt gateways, named as in L{benchmarks.requests.gateways}."""
    execute(dsn, GATEWAYS.format(gateways=gateways))


def admit(dsn: str, guests: int, gateways: int, *, first: int = 0, online: bool = True) -> None:
    """
    Open a session for each guest, known to L{benchmarks.requests.gateways}.

    @param first: number of the first guest.
    @param online: whether they are online, or only signed in.
    """
    statement = GUESTS.format(guests=guests, gateways=gateways, first=first, online=online, first_mac=FIRST_MAC)
    execute(dsn, statement)


def settle(dsn: str) -> None:
    """Have PostgreSQL vacuum and checkpoint now."""
    execute(dsn, *SETTLE)


def remember(dsn: str, past_sessions: int) -> None:
    """
    Fill the history with sessions of the last 300 days, so that none is old enough to be purged.

    A third of the guests had an account, as all indexes are to be as deep as in real life.
    """
    execute(dsn, HISTORY.format(past_sessions=past_sessions, first_mac=FIRST_MAC))


def octets(dsn: str, table: str) -> int:
    """Return the octets that a table takes on the disk, its indexes included."""
    return int(str(execute(dsn, f"SELECT pg_total_relation_size('{table}')")[0][0]))
