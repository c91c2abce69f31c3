"""Databases as each released schema left them, with a row or more in every table."""

from __future__ import annotations

from typing import Any

import psycopg2

from wifidogd.store.migrations import CREATE_VERSIONS, INSERT_VERSION, SCHEMA, released

ONLINE, PENDING = "a guest who is online", "a guest who has just signed in"
"""Tokens of two guests of the gateway C{lobby}."""

DEVICE = "02:51:4d:00:00:01"
INCOMING, OUTGOING = 5_000, 700
"""Octets that the guest who is online has used, as the gateway last reported."""

FIRST = f"""
    UPDATE networks SET title = 'Café "Zoë"', time_limit = '30 days', stale_after = '1 day';
    INSERT INTO networks (name, title, retention) VALUES ('rooms', E'Zimmer\\t& Büro\\\\', NULL);
    INSERT INTO gateways (gw_id, network, address, port, key_hashes, adopted_at)
    VALUES ('lobby', 'default', '192.168.1.1', 2060, '{{}}', now()),
           ('attic', 'rooms', 'fd00::1', 80, ARRAY[sha256('key')], '2026-01-02 03:04:05.678901Z');
    INSERT INTO waiting_gateways (gw_id, first_seen, last_seen, source) VALUES ('new', now(), now(), '203.0.113.7');
    INSERT INTO heartbeats (gw_id, seen_at, source, load) VALUES ('lobby', now(), '203.0.113.7', 0.1);
    INSERT INTO accounts (name, password_hash, created_at) VALUES ('zoë', '$argon2id$...', '2026-03-01Z');
    INSERT INTO attempts (subject, tries, started_at)
    VALUES ('account 1', 3, now()), ('account zoë', 4, now()), ('device lobby {DEVICE}', 5, now());
    INSERT INTO sessions (token_hash, gw_id, account_id, mac, ip, url, opened_at, activated_at, reported_at,
                          incoming, outgoing, last_incoming, last_outgoing, expires_at)
    VALUES (sha256('{ONLINE}'), 'lobby', 1, '{DEVICE}', '10.0.0.2', 'http://example.com/?a=%20', now(), now(), now(),
            {INCOMING}, {OUTGOING}, {INCOMING}, {OUTGOING}, now() + interval '30 days'),
           (sha256('{PENDING}'), 'lobby', NULL, NULL, NULL, NULL, now(), NULL, NULL, 0, 0, 0, 0, NULL);
    INSERT INTO past_sessions (session_id, network, gw_id, opened_at, ended_at, reason, incoming, outgoing)
    SELECT 1000 + number, 'default', 'gone', now(), now(), 'logged out', number, 9223372036854775807
      FROM generate_series(1, 200) AS number
"""

SECOND = """
    INSERT INTO plans (name, title, time_limit, devices) VALUES ('day-pass', 'Day pass', '24h', 2);
    UPDATE networks SET methods = '{splash,voucher}', plan = 'day-pass', colour = '#1c5fb0', logo = '\\x00ff0a5c'
     WHERE name = 'rooms';
    INSERT INTO terms (network, language, text) VALUES ('rooms', 'zh-Hans', E'第一\\n\\\\.\\n第二');
    INSERT INTO allowances (owner, network, plan, used_time, claimed_at)
    VALUES ('voucher 1', 'rooms', 'day-pass', '90s', now()),
           ('account 1 rooms', 'rooms', 'day-pass', '1s', now()),
           ('account 1 default', 'default', 'day-pass', '2s', now()),
           ('account 99 default', 'default', 'day-pass', '3s', now()),
           ('device rooms 02:51:4d:00:00:09', 'rooms', 'day-pass', '4s', now()),
           ('device erased 6', 'rooms', 'day-pass', '5s', now()),
           ('address ' || encode(sha256('new@example.org'), 'hex') || ' rooms', 'rooms', 'day-pass', '6s', now());
    INSERT INTO allowance_slots (allowance_id, starts_at, used_time, octets) VALUES (1, now(), '90s', 10);
    INSERT INTO vouchers (code_hash, code, batch, plan, network, created_at)
    VALUES (sha256('code'), '7QKM2X4V9RTD', 'spring', 'day-pass', 'rooms', now());
    INSERT INTO accounts (name, email, old_hash, plan, created_at)
    VALUES ('old', 'old@example.org', 'md5', 'day-pass', now());
    INSERT INTO email_links (link_hash, account_id, purpose, email, expires_at)
    VALUES (sha256('link'), 2, 'validate', 'old@example.org', now());
    INSERT INTO mails (recipient, message, queued_at, next_try) VALUES ('old@example.org', 'Dear', now(), now());
    INSERT INTO devices (key_hash, network, mac, account_id, remembered_at, expires_at)
    VALUES (sha256('device'), 'rooms', '02:00:00:00:00:09', 2, now(), now() + interval '30 days');
    UPDATE sessions SET allowance_id = 1, device_id = 1 WHERE mac IS NOT NULL;
    INSERT INTO farewells (gw_id, mac, reason, ended_at) VALUES ('lobby', '02:00:00:00:00:07', 'time is up', now());
    INSERT INTO attempts (subject, tries, started_at)
    VALUES ('passwords from 2001:db8::', 6, now()), ('gateway lobby', 7, now()),
           ('codes at lobby from 192.0.2.1', 8, now()), ('sign-up device lobby 02:51:4d:00:00:01', 9, now()),
           ('sign-up gateway attic', 10, now()), ('sign-up source 192.0.2.1', 11, now()),
           ('mail zoe@example.org', 12, now()), ('source 192.0.2.1', 13, now())
"""

THIRD = "INSERT INTO servers (name, heard_since, said_at) VALUES ('old tcp:8080 1', '2026-01-01Z', '2026-01-02Z')"

FOURTH = """
    INSERT INTO allowances (account_id, network, plan, claimed_at)
    SELECT account_id, 'default', 'day-pass', now() FROM accounts WHERE name = 'old'
"""

FIFTH = """
    INSERT INTO server_address (url, path, is_guess, recorded_at)
    VALUES ('http://wifi.example:8080', '/wifidog/', false, now())
"""

SIXTH = "INSERT INTO attempts (kind, name, tries, started_at) VALUES ('mails to address', 'eve@example.org', 14, now())"

SEVENTH = f"""
    INSERT INTO sessions (token_hash, gw_id, claimed_mac, opened_at)
    VALUES (sha256('claimed'), 'lobby', '{DEVICE}', now())
"""

EIGHTH = """
    UPDATE email_links SET used_at = now();
    INSERT INTO mails (recipient, message, source, queued_at, next_try)
    VALUES ('eve@example.org', 'Dear', '192.0.2.1', now(), now());
    INSERT INTO mail_limits (subject_hash, spent_until) VALUES (sha256('mails to eve@example.org'), now());
    INSERT INTO probations (address_hash, device_hash, began_at)
    VALUES (sha256('eve@example.org'), sha256('02:51:4d:00:00:01'), now())
"""

NINTH = "UPDATE sessions SET left_ip = '10.0.0.7', doubtful_incoming = 5, doubtful_outgoing = 6 WHERE mac IS NOT NULL"
TENTH = "INSERT INTO guest_sources (gw_id, source, signed_in_at) VALUES ('lobby', '2001:db8::/64', now())"
ELEVENTH = "INSERT INTO gateway_devices (gw_id, device_id, heard_at) VALUES ('lobby', 'AABBCC', now())"
TWELFTH = """
    INSERT INTO sessions (token_hash, gw_id, opened_at, browser_hash, hidden_token)
    VALUES (sha256('hidden'), 'lobby', now(), sha256('browser'), sha256('pad'));
    INSERT INTO ended_sessions (browser_hash, gw_id, reason, ended_at)
    VALUES (sha256('other'), 'lobby', 'time is up', now())
"""
THIRTEENTH = """
    INSERT INTO gateway_activity (gw_id, kind, seen_at) VALUES ('lobby', 'portal', now());
    UPDATE sessions SET roamed_from = sha256('elsewhere') WHERE token_hash = sha256('hidden');
    UPDATE networks SET roaming = false, lets_known_through = true WHERE name = 'rooms'
"""
FOURTEENTH = """
    INSERT INTO router_connections (gw_id, device_id, server, source, connected_at)
    VALUES ('lobby', 'AABBCC', 'host tcp:80 1', '203.0.113.7', now());
    INSERT INTO router_commands (gw_id, kind, mac, seconds, asked_at)
    VALUES ('lobby', 'tmp_pass', '02:51:4d:00:00:01', 300, now());
    INSERT INTO mail_accesses (network, mac, gw_id, source, given_at)
    VALUES ('default', '02:51:4d:00:00:01', 'lobby', '203.0.113.7', now());
    UPDATE networks SET mail_access = '5 minutes'
"""

FIFTEENTH = """
    INSERT INTO server_certificates (host, certificate, private_key, expires_at)
    VALUES ('wifi.example', 'certificate', 'key', now())
"""

SIXTEENTH = """
    UPDATE gateways SET counters = 'swapped', counters_seen = 'straight', dialect = 'apfree' WHERE gw_id = 'attic';
    UPDATE sessions SET missed_at = now(), listed_from = '203.0.113.7' WHERE mac IS NOT NULL
"""

SEVENTEENTH = """
    UPDATE sessions SET expires_at = now() + interval '1 hour' WHERE mac IS NOT NULL
"""

FIRST_SEVEN = (FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH)

NEXT_SEVEN = (EIGHTH, NINTH, TENTH, ELEVENTH, TWELFTH, THIRTEENTH, FOURTEENTH)

ROWS = (*FIRST_SEVEN, *NEXT_SEVEN, FIFTEENTH, SIXTEENTH, SEVENTEENTH)
"""What was put in as each schema came: nothing that existed before is changed, apart from what it is new for."""

FIND_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"


def make_old_database(dsn: str, schema: int) -> None:
    """Fill an empty database as the wifidogd of that schema would have left it; blocks."""
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(CREATE_VERSIONS)
        for (number, name), filling in zip(released()[:schema], ROWS, strict=False):
            cursor.execute((SCHEMA / name).read_text("utf-8"))
            cursor.execute(INSERT_VERSION, {"number": number, "name": name})
            cursor.execute(filling)
    connection.close()


def all_rows(dsn: str) -> dict[str, list[dict[str, Any]]]:
    """Read every row of every table, in text as PostgreSQL writes it, by table; blocks."""
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'")
        cursor.execute(FIND_TABLES)
        found = {}
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT to_json({table}) FROM {table} ORDER BY {table}")
            found[table] = [row for (row,) in cursor.fetchall()]
    connection.close()
    return found
