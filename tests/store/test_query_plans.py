"""What a request costs must not depend on how much has been stored: no statement on its path scans a table."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

import wifidogd.store
from tests.support.postgres import ThrowawayPostgres
from wifidogd.store.migrations import SCHEMA, released

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|CREATE|ALTER|DROP|SET|LOCK|COPY|TRUNCATE)\s")

BIG = {
    "sessions",
    "past_sessions",
    "accounts",
    "attempts",
    "gateways",
    "guest_sources",
    "heartbeats",
    "allowances",
    "allowance_slots",
    "farewells",
    "ended_sessions",
    "devices",
    "probations",
    "mail_limits",
}

FILL = """
    INSERT INTO gateways (gw_id, network, address, port, adopted_at)
    SELECT 'gw' || g, 'default', '10.0.0.1', 2060, %(noon)s FROM generate_series(0, 499) AS g;

    INSERT INTO heartbeats (gw_id, seen_at, source)
    SELECT gw_id, %(noon)s, '192.0.2.1' FROM gateways;

    INSERT INTO accounts (name, password_hash, created_at)
    SELECT 'guest' || n, repeat('x', 97), %(noon)s FROM generate_series(1, 20000) AS n;

    INSERT INTO attempts (kind, account_id, tries, started_at)
    SELECT 'passwords of account', account_id, 1, %(noon)s FROM accounts;

    INSERT INTO attempts (kind, gw_id, mac, tries, started_at)
    SELECT 'device', gw_id, ('02:00:00:00:00:' || lpad(to_hex(n), 2, '0'))::macaddr, 1, %(noon)s
      FROM gateways, generate_series(1, 40) AS n;

    INSERT INTO guest_sources (gw_id, source, signed_in_at)
    SELECT gw_id, '192.0.2.' || n, %(noon)s FROM gateways, generate_series(1, 40) AS n;

    INSERT INTO plans (name, title) VALUES ('free', 'Free');

    INSERT INTO vouchers (code_hash, code, batch, plan, network, created_at)
    SELECT sha256(n::text::bytea), n, 'b' || n / 100, 'free', 'default', %(noon)s FROM generate_series(1, 20000) AS n;

    INSERT INTO allowances (voucher_id, account_id, mac, address_hash, network, plan, claimed_at)
    SELECT CASE WHEN n <= 20000 THEN n END,
           CASE WHEN n BETWEEN 20001 AND 35000 THEN n - 20000 END,
           CASE WHEN n BETWEEN 35001 AND 45000 THEN ('02' || lpad(to_hex(n), 10, '0'))::macaddr END,
           CASE WHEN n BETWEEN 45001 AND 50000 THEN sha256(n::text::bytea) END,
           'default', 'free', %(noon)s
      FROM generate_series(1, 50000) AS n;

    INSERT INTO probations (address_hash, device_hash, source_hash, began_at)
    SELECT sha256(n::text::bytea), sha256((n %% 5000)::text::bytea), sha256((n %% 100)::text::bytea), %(noon)s
      FROM generate_series(1, 20000) AS n;

    INSERT INTO mail_limits (subject_hash, spent_until)
    SELECT sha256(n::text::bytea), %(noon)s FROM generate_series(1, 20000) AS n;

    INSERT INTO mails (recipient, message, source, queued_at, next_try)
    SELECT 'guest' || n || '@example.org', '', '192.0.2.' || n %% 200, %(noon)s, %(noon)s
      FROM generate_series(1, 9000) AS n;

    INSERT INTO allowance_slots (allowance_id, starts_at, used_time, octets)
    SELECT a, %(noon)s - m * interval '1 minute', '1 minute', 1
      FROM generate_series(1, 200) AS a, generate_series(1, 1000) AS m;

    INSERT INTO farewells (gw_id, mac, reason, ended_at)
    SELECT 'gw' || n %% 500, ('02' || lpad(to_hex(n), 10, '0'))::macaddr, 'time is up', %(noon)s
      FROM generate_series(1, 20000) AS n;

    INSERT INTO devices (key_hash, network, mac, account_id, remembered_at, expires_at, seen)
    SELECT sha256(n::text::bytea), 'default', ('02' || lpad(to_hex(n), 10, '0'))::macaddr, n, %(noon)s, %(noon)s, true
      FROM generate_series(1, 20000) AS n;

    INSERT INTO sessions (token_hash, gw_id, mac, ip, opened_at, activated_at, reported_at, incoming, last_incoming,
                          allowance_id)
    SELECT sha256(n::text::bytea), 'gw' || n %% 500, ('02' || lpad(to_hex(n), 10, '0'))::macaddr, '10.0.0.2',
           %(noon)s, %(noon)s, %(noon)s, n, n, n
      FROM generate_series(1, 50000) AS n;

    UPDATE sessions SET browser_hash = token_hash, hidden_token = token_hash;

    INSERT INTO ended_sessions (browser_hash, gw_id, reason, ended_at)
    SELECT sha256(n::text::bytea), 'gw' || n %% 500, 'time is up', %(noon)s FROM generate_series(50001, 90000) AS n;

    INSERT INTO past_sessions (session_id, network, gw_id, account_id, mac, opened_at, activated_at, ended_at, reason,
                               incoming, outgoing)
    SELECT n, 'default', 'gw' || n %% 500, n %% 20000, ('02' || lpad(to_hex(n), 10, '0'))::macaddr, %(noon)s,
           %(noon)s, %(noon)s - n * interval '1 minute', 'logged out', n, n
      FROM generate_series(1, 500000) AS n;

    ANALYZE
"""
"""50,000 guests at 500 gateways, and what a year of them has left behind."""


def token(number: int) -> bytes:
    """Hash like L{FILL} does."""
    return hashlib.sha256(b"%d" % number).digest()


def batch(size: int) -> dict[str, object]:
    """Parameters of the ledger's statements for so many guests, spread over all."""
    guests = [37 * number for number in range(1, size + 1)]
    return {
        "token_hashes": [token(guest) for guest in guests],
        "gw_ids": [f"gw{guest % 500}" for guest in guests],
        "macs": [f"02{guest:010x}" for guest in guests],
        "ips": ["10.0.0.2"] * size,
        "left": ["10.0.0.3"] * size,
        "reasons": ["logged out"] * size,
        **{name: [NOON] * size for name in ("activated", "reported", "expires", "ended")},
        **{name: [7] * size for name in ("incoming", "outgoing", "last_incoming", "last_outgoing")},
        **{name: [7] * size for name in ("doubtful_incoming", "doubtful_outgoing")},
    }


LISTED = {"gw_id": "gw7", "source": "192.0.2.1", "now": NOON, "limit": 2000, "among": None}
"""What a gateway's list of clients is compared with."""


def drawn(size: int) -> dict[str, object]:
    """Parameters of what the ledger says of so many allowances."""
    guests = [37 * number for number in range(1, size + 1)]
    return {
        **batch(size),
        "now": NOON,
        "allowance_ids": guests,
        "times": [timedelta(minutes=1)] * size,
        "octets": [7] * size,
        **{name: [NOON] * size for name in ("starts", "days", "spans", "back")},
    }


SESSION: dict[str, object] = {
    "token_hash": token(50_001),
    "gw_id": "gw7",
    "mac": "02:00:00:00:00:07",
    "account_id": 7,
    "url": None,
    "time_limit": None,
    "quota_octets": None,
    "allowance_id": 7,
    "claimed_mac": None,
    "by_mac": False,
    "probation_until": None,
    "terms_version": None,
    "browser_hash": token(90_001),
    "hidden_token": token(90_001),
    "reason": "logged out",
    "now": NOON,
}
ALLOWANCE: dict[str, object] = {
    "voucher_id": None,
    "account_id": 7,
    "mac": None,
    "address_hash": None,
    "network": "default",
    "plan": "free",
    "valid_until": None,
    "allowance_id": 7,
    "now": NOON,
    "after": NOON,
    "unit": "hour",
    "most": 3000,
}
NOBODYS: dict[str, object] = ALLOWANCE | {"account_id": None}
TRY: dict[str, object] = {
    "kinds": ["passwords of account", "device", "passwords from source", "codes at gateway"],
    "gw_ids": [None, "gw7", None, "gw7"],
    "macs": [None, "02:00:00:00:00:07", None, None],
    "sources": [None, None, "192.0.2.1", None],
    "account_ids": [7, None, None, None],
    "names": [None, None, None, None],
    "most": [10, 10, 300, 2500],
    "shared": [False, False, True, True],
    "spared": [None, None, None, "192.0.2.1"],
    "window": timedelta(minutes=15),
    "gw_id": "gw7",
    "source": "192.0.2.1",
    "attempt_ids": [7, 20_007],
    "now": NOON,
    "window_start": NOON,
}
DEVICE: dict[str, object] = {
    "token_hash": token(37),
    "key_hash": token(37),
    "network": "default",
    "mac": "02:00:00:00:00:07",
    "ip": "10.0.0.2",
    "device_id": 7,
    "session_id": 7,
    "reason": "logged out",
    "now": NOON,
    "until": NOON,
    "account_id": 7,
    "voucher_id": None,
    "gw_id": "gw7",
    "remembered_mac": "02:00:00:00:00:07",
    "roaming_mac": "02:00:00:00:00:07",
    "reported_since": NOON,
    "ended_since": NOON,
}
NAME: dict[str, object] = {"names": ["guest7", "guest8"]}
VOUCHER: dict[str, object] = {"code_hash": token(7), "voucher_id": 7}
MAIL: dict[str, object] = {
    "account_id": 7,
    "email": "guest7@example.org",
    "password_hash": "$",
    "link_hash": token(7),
    "purpose": "validate",
    "purposes": ["validate"],
    "now": NOON,
    "expires_at": NOON,
    "recipient": "guest7@example.org",
    "message": "",
    "most": 5,
    "reason": "password changed",
    "source": "192.0.2.1",
    "most_of_source": 1000,
    "subject_hash": token(7),
    "pause": timedelta(hours=1),
    "at_once": 3,
    "address_hash": token(7),
    "device_hash": token(8),
    "source_hash": token(9),
    "has_device": True,
    "day_ago": NOON - timedelta(days=1),
    "kept_since": NOON - timedelta(days=7),
}

MINE: dict[str, object] = {
    "token_hash": token(7),
    "account_id": 7,
    "device_id": 7,
    "erased": "erased by the guest",
    "cut_off": "password changed",
    "most": 1000,
    "places": ["(0,1)", "(1,1)"],
}

OVER: dict[str, object] = {
    "server": "host tcp:80 1",
    "now": NOON,
    "known": "{}",
    "by_guests": ["logged out"],
    "asked_since": NOON,
    "limit": 200,
}

MAIL_ACCESS: dict[str, object] = {
    "network": "default",
    "gw_id": "gw7",
    "mac": "02:00:00:00:00:07",
    "ip": "10.0.0.2",
    "source": "192.0.2.7",
    "now": NOON,
    "since": NOON,
    "most_at_gateway": 60,
    "most_from_source": 30,
    "kind": "tmp_pass",
    "token": None,
    "seconds": 300,
    "command_id": 7,
    "outcome": "done",
}

REQUESTS: dict[str, list[dict[str, object]]] = {
    "accounting.sessions.LOCK_BY_TOKEN": [batch(1), batch(300)],
    "accounting.sessions.LOCK_BY_TOKEN_AT_ONCE": [batch(1), batch(300)],
    "accounting.sessions.LOCK_ONLINE": [batch(1), batch(300)],
    "accounting.sessions.LOCK_ONLINE_AT_ONCE": [batch(1), batch(300)],
    "gateways.heartbeats.FIND_RESTARTS": [batch(1), batch(300)],
    "access.mail_accesses.LOCK_GATEWAY": [MAIL_ACCESS],
    "access.mail_accesses.GIVE": [MAIL_ACCESS],
    "access.mail_accesses.TAKE_BACK": [MAIL_ACCESS],
    "gateways.router_commands.IS_CONNECTED": [MAIL_ACCESS],
    "gateways.router_commands.PUT": [MAIL_ACCESS],
    "gateways.router_commands.TAKE": [OVER],
    "gateways.router_commands.FETCH_OUTCOME": [MAIL_ACCESS],
    "gateways.router_commands.SAVE_OUTCOME": [MAIL_ACCESS],
    "gateways.router_commands.REMOVE": [MAIL_ACCESS],
    "accounting.kickoffs.FIND_OVER": [OVER],
    "accounting.sessions.SAVE": [batch(1), batch(300)],
    "accounting.sessions.END": [batch(1), batch(300)],
    "accounting.missed_sessions.COMPARE_LIST": [
        LISTED | batch(1),
        LISTED | batch(300),
        LISTED | batch(300) | {"among": [token(37)]},
    ],
    "accounting.missed_sessions.NOTE_LISTED": [LISTED | batch(1), LISTED | batch(300)],
    "accounting.missed_sessions.NOTE_MISSED": [LISTED | batch(1), LISTED | batch(300)],
    "access.guest_sessions.OPEN": [SESSION],
    "access.guest_sessions.FETCH_SESSION": [SESSION],
    "access.browsers.FIND_SESSION": [
        {"browser_hashes": [token(37)], "ended_since": NOON},
        {"browser_hashes": [token(37), token(50_037), token(90_037), token(90_038)], "ended_since": NOON},
    ],
    "access.browsers.HAND_OVER": [{"origin": token(37)}],
    "access.guest_sessions.ASK_TO_END": [SESSION],
    "access.arrivals.FIND_ONLINE": [DEVICE],
    "access.arrivals.FETCH_ROAMING_GUEST": [DEVICE],
    "access.arrivals.FETCH_ROAMING_ARRIVAL": [DEVICE, DEVICE | {"key_hash": None}],
    "access.roaming.FIND_ONLINE_OF_MAC": [DEVICE],
    "access.roaming.CONTINUE": [SESSION | {"origin": token(37), "most": 4, "hidden_token": token(4)}],
    "access.arrivals.FETCH_GUEST": [DEVICE, DEVICE | {"mac": None}],
    "access.arrivals.FETCH_ARRIVAL": [DEVICE, DEVICE | {"mac": None}, DEVICE | {"key_hash": None}],
    "accounting.allowances.CLAIM_OF_VOUCHER": [ALLOWANCE | {"voucher_id": 7}],
    "accounting.allowances.CLAIM_OF_ACCOUNT": [ALLOWANCE],
    "accounting.allowances.CLAIM_OF_DEVICE": [ALLOWANCE | {"mac": "02:00:00:00:00:07"}],
    "accounting.allowances.CLAIM_OF_ADDRESS": [ALLOWANCE | {"address_hash": token(7)}],
    "accounting.allowances.MAKE_NOBODYS": [ALLOWANCE],
    "accounting.allowances.HOLD_ACCOUNT": [ALLOWANCE],
    "accounting.allowances.BEGIN_USE": [drawn(1), drawn(300)],
    "accounting.allowances.HOLD": [drawn(1), drawn(300)],
    "accounting.allowances.ADD_USE": [drawn(1), drawn(300)],
    "accounting.recent_use.ADD_TO_SLOTS": [drawn(1), drawn(300)],
    "accounting.recent_use.FETCH_SLOTS": [ALLOWANCE],
    "accounting.recent_use.SUM_RECENT": [drawn(1), drawn(300)],
    "accounting.usage.READ_USAGE": [drawn(1), drawn(300)],
    "accounting.usage.READ_USAGE_OF_OWNER": [
        NOBODYS | {"voucher_id": 7},
        NOBODYS | {"account_id": 7},
        NOBODYS | {"mac": "02:00:00:00:00:07"},
        NOBODYS | {"address_hash": token(7)},
    ],
    "access.end_notices.SAVE_END_NOTICES": [drawn(1), drawn(300)],
    "access.rate_limits.COUNT_TRIES": [TRY],
    "access.rate_limits.FORGIVE_TRIES": [TRY],
    "access.guest_sources.RECORD_SOURCE": [TRY],
    "access.vouchers.LOCK_VOUCHER": [VOUCHER],
    "access.vouchers.FORGET_CODE": [VOUCHER],
    "accounts.accounts.UPGRADE_PASSWORD": [{"account_id": 7, "known_hash": "", "old_hash": "", "password_hash": ""}],
    "accounts.personal_data.FIND_OWN": [MINE],
    "accounts.personal_data.FIND_OPEN": [MINE],
    "accounts.personal_data.FIND_PAST": [MINE],
    "accounts.personal_data.FIND_DEVICES": [MINE],
    "accounts.personal_data.LOCK_ACCOUNT": [MINE],
    "accounts.personal_data.HOLD_PAST": [MINE],
    "accounts.personal_data.ERASE_PAST": [MINE],
    "accounts.personal_data.ERASE_OPEN": [MINE],
    "accounts.personal_data.ERASE_ALLOWANCES": [ALLOWANCE | drawn(1) | {"address_hash": token(7)}],
    "accounts.personal_data.FORGET_FAREWELLS": [drawn(1), drawn(9)],
    "access.rate_limits.FORGET_TRIES_OF_DEVICES": [drawn(1), drawn(9)],
    "accounts.personal_data.FORGET_DEVICE": [MINE],
    "accounts.personal_data.REMOVE_ACCOUNT": [MINE],
    "accounts.accounts.FETCH_ACCOUNT": [NAME],
    "accounts.accounts.FETCH_BY_ID": [MAIL],
    "accounts.confirmations.SIGN_UP": [MAIL],
    "accounts.confirmations.VALIDATE": [MAIL],
    "accounts.confirmations.END_PROBATION": [MAIL],
    "accounts.confirmations.SET_EMAIL": [MAIL],
    "accounts.accounts.END_SESSIONS": [MAIL],
    "accounts.email_links.ADD_LINK": [MAIL],
    "accounts.email_links.FIND_LINK": [MAIL],
    "accounts.email_links.USE_LINK": [MAIL],
    "accounts.email_links.USE_LIKE": [MAIL],
    "accounts.email_links.REMOVE_LINKS": [MAIL],
    "accounts.outbox.QUEUE": [MAIL],
    "accounts.mail_limits.COUNT_MAIL": [MAIL],
    "accounts.probations.BEGIN_PROBATION": [MAIL],
    "accounts.probations.END_PROBATIONS": [MAIL],
    "access.remembered_devices.REMEMBER": [DEVICE],
    "access.remembered_devices.ATTACH": [DEVICE],
    "access.remembered_devices.FORGET": [DEVICE],
    "access.remembered_devices.FORGET_KEY": [DEVICE],
    "access.remembered_devices.FORGET_ACCOUNT": [MAIL],
    "access.guest_sessions.DISCONNECT": [DEVICE],
}
"""The statements between a question and its answer, with parameters like those of a busy server."""

ELSEWHERE = {
    "the server's start, and wifidogctl": {
        "gateways.server_address.RECORD_ADDRESS",
        "gateways.server_address.FETCH_ADDRESS",
        "gateways.server_certificates.FETCH_CERTIFICATE",
        "gateways.server_certificates.SAVE_CERTIFICATE",
        "migrations.LIFT_LIMITS",
        "migrations.LOCK",
        "migrations.CREATE_VERSIONS",
        "migrations.SELECT_VERSION",
        "migrations.INSERT_VERSION",
        "migrations.FIND_VERSIONS",
    },
    "timers": {
        "accounts.confirmations.FORGET_UNVALIDATED",
        "accounting.allowances.FORGET_ALLOWANCES",
        "accounting.recent_use.FORGET_SLOTS",
        "access.guest_sources.FORGET_SOURCES",
        "access.rate_limits.FORGET_TRIES",
        "access.remembered_devices.FORGET_OLD",
        "access.end_notices.FORGET_END_NOTICES",
        "access.browsers.FORGET_ENDED",
        "accounts.email_links.FORGET_LINKS",
        "accounts.mail_limits.FORGET_COUNTS",
        "accounts.probations.FORGET_PROBATIONS",
        "accounts.outbox.CLAIM",
        "accounts.outbox.REMOVE",
        "accounts.outbox.PUT_OFF",
        "gateways.activity.SAVE_ACTIVITY",
        "gateways.devices.SAVE_DEVICES",
        "gateways.heartbeats.SAVE_HEARTBEATS",
        "gateways.gateway_dialects.SAVE_OBSERVATIONS",
        "gateways.router_connections.CLAIM",
        "gateways.router_commands.FORGET_COMMANDS",
        "access.mail_accesses.FORGET_ACCESSES",
        "gateways.router_connections.RELEASE",
        "gateways.router_connections.FORGET",
        "gateways.waiting_gateways.REMEMBER_WAITING",
        "gateways.waiting_gateways.FORGET_WAITING",
        "accounting.server_liveness.SAY",
        "accounting.server_liveness.ASK",
        "accounting.server_liveness.FORGET",
        "accounting.expiry.FIND_STALE",
        "accounting.expiry.FIND_LOST_IN_RESTART",
        "accounting.expiry.FORGET_UNUSED",
        "accounting.expiry.FIND_OVERDUE",
        "accounting.expiry.PURGE",
    },
    "the server's end": {"accounting.server_liveness.LEAVE"},
    "timers, when the directory has changed": {
        "gateways.gateways.FETCH_REVISION",
        "gateways.gateways.FETCH_GATEWAYS",
        "gateways.networks.FETCH_NETWORKS",
        "gateways.signing_key.SELECT_SECRET",
    },
    "the adoption of a gateway, once": {
        "gateways.gateways.ADOPT",
        "gateways.gateways.STOP_WAITING",
        "gateways.gateways.COUNT_GATEWAYS",
    },
    "guests who have their data erased, at most once": {"accounts.personal_data.REMOVE_MAILS"},
    "wifidogctl": {
        "accounts.accounts.ADD_ACCOUNT",
        "accounts.accounts.SET_PASSWORD",
        "accounts.accounts.SET_DISABLED",
        "accounts.accounts.LIST_ACCOUNTS",
        "operators.stored_sessions.FETCH_LAST_SESSION",
        "operators.stored_sessions.LIST_OPEN",
        "operators.stored_sessions.LIST_PAST",
        "gateways.activity.FETCH_ACTIVITY",
        "gateways.gateways.LOCK_GATEWAY",
        "gateways.heartbeats.FETCH_HEARTBEAT",
        "gateways.router_connections.FETCH_CONNECTED",
        "gateways.router_connections.FETCH_CONNECTED_AT",
        "operators.imports.FIND_NAMES",
        "operators.imports.FIND_EMAILS",
        "operators.imports.ADD_ACCOUNTS",
        "operators.imports.FIND_GATEWAYS",
        "gateways.gateways.SET_KEYS",
        "gateways.gateways.FIND_OPEN_SESSIONS",
        "gateways.gateways.REMOVE",
        "gateways.waiting_gateways.LIST_WAITING",
        "gateways.networks.REMOVE_TERMS",
        "gateways.networks.SAVE_NETWORK",
        "gateways.networks.SAVE_TERMS",
        "accounting.plans.FETCH_PLANS",
        "accounting.plans.FIND_USERS",
        "accounting.plans.COUNT_ONLINE",
        "gateways.networks.COUNT_ONLINE",
        "accounting.plans.REMOVE_PLAN",
        "accounting.plans.SAVE_PLAN",
        "backup.load.AWAKE",
        "backup.load.CLEAR",
        "backup.load.COPY",
        "backup.load.LIFT_LIMITS",
        "backup.load.LIST_COLUMNS",
        "backup.load.LIST_COUNTERS",
        "backup.load.LIST_REFERENCES",
        "backup.load.SET_COUNTER",
        "backup.load.STILL",
        "backup.restore_script.COUNT",
        "backup.restore_script.COUNT_SERVERS",
        "backup.restore_script.FIND_SERVER",
        "backup.restore_script.HOLD",
        "backup.restore_script.LIST_TABLES",
        "gateways.gateway_states.LIST_GATEWAYS",
        "operators.reports.LIST_SESSIONS",
        "operators.reports.FIND_SESSIONS",
        "operators.reports.ASK_TO_END",
        "operators.reports.COUNT",
        "access.vouchers.ADD_VOUCHERS",
        "access.vouchers.LIST_VOUCHERS",
        "access.vouchers.REVOKE",
        "access.vouchers.FIND_SESSIONS",
        "access.vouchers.END_SESSIONS",
        "access.vouchers.REVOKE_ALLOWANCES",
    },
}
"""Who else runs statements: nobody waits for these with a browser open, or hardly ever."""


PAST = {
    "accounting.sessions.END": {"ModifyTable"},
    "accounts.personal_data.FIND_PAST": {"Index Scan", "Bitmap Heap Scan"},
    "accounts.personal_data.HOLD_PAST": {"LockRows", "Index Scan", "Bitmap Heap Scan"},
    "accounts.personal_data.ERASE_PAST": {"ModifyTable", "Tid Scan"},
}
"""
What requests do with the history: it is added to; and who asks for their own
data reads theirs, by the index of their account, a thousand rows at a time.
"""


def statements() -> dict[str, str]:
    """Find every statement of the store, as C{room.module.NAME}."""
    found = {}
    for module in pkgutil.walk_packages(wifidogd.store.__path__, "wifidogd.store."):
        for name, text in vars(importlib.import_module(module.name)).items():
            if name.isupper() and isinstance(text, str) and STATEMENT.match(text):
                found[f"{module.name.removeprefix('wifidogd.store.')}.{name}"] = text
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """List a plan's nodes from the top."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.fixture(scope="module")
def full(postgres: ThrowawayPostgres) -> Iterator[Any]:
    """A cursor on a database that has seen a year of guests."""
    outside = psycopg2.connect(postgres.dsn)
    outside.autocommit = True
    outside.cursor().execute("CREATE DATABASE full_house")
    outside.close()
    inside = psycopg2.connect(postgres.dsn.replace("dbname=postgres", "dbname=full_house"))
    inside.autocommit = True
    cursor = inside.cursor()
    for _, name in released():
        cursor.execute((SCHEMA / name).read_text("utf-8"))
    cursor.execute(FILL, {"noon": NOON})
    yield cursor
    inside.close()


def test_every_statement_is_listed() -> None:
    """A new one belongs either on the path of requests, with an example, or to somebody who has time."""
    listed = [*REQUESTS, *(name for names in ELSEWHERE.values() for name in names)]
    assert sorted(listed) == sorted(statements())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [(name, parameters) for name, examples in REQUESTS.items() for parameters in examples],
    ids=[f"{name}-{number}" for name, examples in REQUESTS.items() for number in range(len(examples))],
)
def test_no_statement_of_a_request_scans_a_table(full: Any, name: str, parameters: dict[str, object]) -> None:
    """Half a million past guests and fifty thousand present ones are found by their keys; the past is only added to."""
    full.execute("EXPLAIN (FORMAT JSON) " + statements()[name], parameters)
    [([explained],)] = full.fetchall()
    found = list(nodes(explained["Plan"]))
    assert not [node for node in found if node["Node Type"] == "Seq Scan" and node["Relation Name"] in BIG]
    past = {node["Node Type"] for node in found if node.get("Relation Name") == "past_sessions"}
    assert past <= PAST.get(name, set())


def test_history_is_purged_by_its_index(full: Any) -> None:
    """A run that finds little must not read a year of history for it."""
    purge = {"network": "default", "before": datetime(2025, 12, 10, tzinfo=UTC), "limit": 500}
    full.execute("EXPLAIN (FORMAT JSON) " + statements()["accounting.expiry.PURGE"], purge)
    [([explained],)] = full.fetchall()
    assert not [node for node in nodes(explained["Plan"]) if node["Node Type"] == "Seq Scan"]
