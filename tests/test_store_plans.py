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
from tests.postgres import ThrowawayPostgres
from wifidogd.store.migrations import SCHEMA, released

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|CREATE|ALTER|DROP|SET|LOCK|COPY|TRUNCATE)\s")

BIG = {
    "sessions",
    "past_sessions",
    "accounts",
    "attempts",
    "gateways",
    "heartbeats",
    "allowances",
    "allowance_slots",
    "farewells",
    "devices",
}

FILL = """
    INSERT INTO gateways (gw_id, network, address, port, adopted_at)
    SELECT 'gw' || g, 'default', '10.0.0.1', 2060, %(noon)s FROM generate_series(0, 499) AS g;

    INSERT INTO heartbeats (gw_id, seen_at, source)
    SELECT gw_id, %(noon)s, '192.0.2.1' FROM gateways;

    INSERT INTO accounts (name, password_hash, created_at)
    SELECT 'guest' || n, repeat('x', 97), %(noon)s FROM generate_series(1, 20000) AS n;

    INSERT INTO attempts (subject, tries, started_at)
    SELECT 'account guest' || n, 1, %(noon)s FROM generate_series(1, 20000) AS n;

    INSERT INTO plans (name, title) VALUES ('free', 'Free');

    INSERT INTO vouchers (code_hash, code, batch, plan, network, created_at)
    SELECT sha256(n::text::bytea), n, 'b' || n / 100, 'free', 'default', %(noon)s FROM generate_series(1, 20000) AS n;

    INSERT INTO allowances (owner, network, plan, claimed_at)
    SELECT 'voucher ' || n, 'default', 'free', %(noon)s FROM generate_series(1, 50000) AS n;

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
        "reasons": ["logged out"] * size,
        **{name: [NOON] * size for name in ("activated", "reported", "expires", "ended")},
        **{name: [7] * size for name in ("incoming", "outgoing", "last_incoming", "last_outgoing")},
    }


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


STAY: dict[str, object] = {
    "token_hash": token(50_001),
    "gw_id": "gw7",
    "mac": "02:00:00:00:00:07",
    "account_id": 7,
    "url": None,
    "time_limit": None,
    "quota_octets": None,
    "allowance_id": 7,
    "claimed_mac": None,
    "probation_until": None,
    "terms_version": None,
    "reason": "logged out",
    "now": NOON,
    "since": NOON,
}
ALLOWANCE: dict[str, object] = {
    "owner": "voucher 50001",
    "network": "default",
    "plan": "free",
    "valid_until": None,
    "allowance_id": 7,
    "now": NOON,
    "after": NOON,
    "unit": "hour",
    "most": 3000,
}
TRY: dict[str, object] = {
    "subjects": ["account guest7", "device gw7 02:00:00:00:00:07"],
    "now": NOON,
    "window_start": NOON,
}
DEVICE: dict[str, object] = {
    "token_hash": token(37),
    "key_hash": token(37),
    "network": "default",
    "mac": "02:00:00:00:00:07",
    "device_id": 7,
    "session_id": 7,
    "reason": "logged out",
    "now": NOON,
    "until": NOON,
}
NAME: dict[str, object] = {"name": "guest7"}
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
}

MINE: dict[str, object] = {
    "token_hash": token(7),
    "account_id": 7,
    "device_id": 7,
    "erased": "erased by the guest",
    "most": 1000,
    "places": ["(0,1)", "(1,1)"],
}

REQUESTS: dict[str, list[dict[str, object]]] = {
    "sessions.LOCK_BY_TOKEN": [batch(1), batch(300)],
    "sessions.LOCK_ONLINE": [batch(1), batch(300)],
    "sessions.SAVE": [batch(1), batch(300)],
    "sessions.END": [batch(1), batch(300)],
    "stays.OPEN": [STAY],
    "stays.LOOK": [STAY],
    "stays.ASK_TO_END": [STAY],
    "stays.FIND_ONLINE": [STAY],
    "allowances.CLAIM": [ALLOWANCE],
    "allowances.FETCH_ALLOWANCES": [drawn(1)],
    "allowances.LOCK_ALLOWANCES": [drawn(1), drawn(300)],
    "allowances.BEGIN_USE": [drawn(1), drawn(300)],
    "allowances.HOLD": [drawn(1), drawn(300)],
    "allowances.ADD_USE": [drawn(1), drawn(300)],
    "allowances.ADD_TO_SLOTS": [drawn(1), drawn(300)],
    "allowances.FETCH_SLOTS": [ALLOWANCE],
    "tallies.LIST_DRAWING": [drawn(1), drawn(300)],
    "tallies.SUM_RECENT": [drawn(1), drawn(300)],
    "farewells.SAVE_FAREWELLS": [drawn(1), drawn(300)],
    "farewells.FETCH_FAREWELL": [STAY],
    "attempts.COUNT_TRY": [TRY],
    "attempts.FORGIVE_TRY": [TRY],
    "vouchers.LOCK_VOUCHER": [VOUCHER],
    "vouchers.FORGET_CODE": [VOUCHER],
    "accounts.UPGRADE_PASSWORD": [{"account_id": 7, "old_hash": "", "password_hash": ""}],
    "my_data.FIND_OWN": [MINE],
    "my_data.FIND_OPEN": [MINE],
    "my_data.FIND_PAST": [MINE],
    "my_data.FIND_DEVICES": [MINE],
    "my_data.LOCK_ACCOUNT": [MINE],
    "my_data.HOLD_PAST": [MINE],
    "my_data.ERASE_PAST": [MINE],
    "my_data.ERASE_OPEN": [MINE],
    "my_data.ERASE_ALLOWANCES_OF_DEVICES": [drawn(1)],
    "my_data.ERASE_ALLOWANCES_OF_ADDRESS": [MAIL],
    "my_data.FORGET_FAREWELLS": [drawn(1), drawn(9)],
    "my_data.FORGET_TRIES": [TRY],
    "my_data.FORGET_DEVICE": [MINE],
    "my_data.REMOVE_ACCOUNT": [MINE],
    "accounts.FETCH_ACCOUNT": [NAME],
    "accounts.FETCH_BY_ID": [MAIL],
    "accounts.SIGN_UP": [MAIL],
    "accounts.VALIDATE": [MAIL],
    "accounts.END_PROBATION": [MAIL],
    "accounts.SET_EMAIL": [MAIL],
    "email_links.ADD_LINK": [MAIL],
    "email_links.FIND_LINK": [MAIL],
    "email_links.USE_LINK": [MAIL],
    "email_links.REMOVE_LINKS": [MAIL],
    "mails.QUEUE": [MAIL],
    "devices.REMEMBER": [DEVICE],
    "devices.BY_KEY": [DEVICE],
    "devices.BY_MAC": [DEVICE],
    "devices.BY_SESSION": [DEVICE],
    "devices.ATTACH": [DEVICE],
    "devices.FORGET": [DEVICE],
    "devices.FORGET_KEY": [DEVICE],
    "devices.FORGET_ACCOUNT": [MAIL],
    "companions.FETCH_COMPANIONS": [DEVICE],
    "companions.DISCONNECT": [DEVICE],
}
"""The statements between a question and its answer, with parameters like those of a busy server."""

ELSEWHERE = {
    "the server's start, and wifidogctl": {
        "migrations.LIFT_LIMITS",
        "migrations.LOCK",
        "migrations.CREATE_VERSIONS",
        "migrations.SELECT_VERSION",
        "migrations.INSERT_VERSION",
        "overview.FIND_VERSIONS",
        "overview.FETCH_VERSION",
    },
    "timers": {
        "accounts.FORGET_UNVALIDATED",
        "allowances.FORGET_DEVICE_ALLOWANCES",
        "allowances.FORGET_SLOTS",
        "attempts.FORGET_TRIES",
        "devices.FORGET_OLD",
        "farewells.FORGET_FAREWELLS",
        "email_links.FORGET_LINKS",
        "mails.CLAIM",
        "mails.REMOVE",
        "mails.PUT_OFF",
        "heartbeats.SAVE_HEARTBEATS",
        "gateways.REMEMBER_WAITING",
        "gateways.FORGET_WAITING",
        "servers.SAY",
        "servers.ASK",
        "servers.FORGET",
        "sweeps.FIND_STALE",
        "sweeps.FIND_LOST_IN_RESTART",
        "sweeps.FORGET_UNUSED",
        "sweeps.FIND_OVERDUE",
        "sweeps.PURGE",
    },
    "the server's end": {"servers.LEAVE"},
    "timers, when the directory has changed": {
        "gateways.FETCH_REVISION",
        "gateways.FETCH_GATEWAYS",
        "networks.FETCH_NETWORKS",
        "signing.SELECT_SECRET",
    },
    "the adoption of a gateway, once": {
        "gateways.ADOPT",
        "gateways.STOP_WAITING",
        "gateways.COUNT_GATEWAYS",
    },
    "guests who have their data erased, at most once": {"my_data.REMOVE_MAILS"},
    "wifidogctl": {
        "accounts.ADD_ACCOUNT",
        "accounts.SET_PASSWORD",
        "accounts.SET_DISABLED",
        "accounts.LIST_ACCOUNTS",
        "audit.FETCH_LAST_SESSION",
        "audit.LIST_OPEN",
        "audit.LIST_PAST",
        "gateways.LOCK_GATEWAY",
        "imports.FIND_NAMES",
        "imports.FIND_EMAILS",
        "imports.ADD_ACCOUNTS",
        "imports.FIND_GATEWAYS",
        "gateways.SET_KEYS",
        "gateways.FIND_OPEN_SESSIONS",
        "gateways.REMOVE",
        "gateways.LIST_WAITING",
        "networks.REMOVE_TERMS",
        "networks.SAVE_NETWORK",
        "networks.SAVE_TERMS",
        "plans.FETCH_PLANS",
        "plans.FIND_USERS",
        "plans.REMOVE_PLAN",
        "plans.SAVE_PLAN",
        "replacement.COUNT",
        "replacement.COUNT_SERVERS",
        "replacement.FIND_SERVER",
        "replacement.HOLD",
        "replacement.LIST_TABLES",
        "overview.LIST_GATEWAYS",
        "overview.LIST_SESSIONS",
        "overview.FIND_SESSIONS",
        "overview.ASK_TO_END",
        "overview.COUNT",
        "vouchers.ADD_VOUCHERS",
        "vouchers.LIST_VOUCHERS",
        "vouchers.REVOKE",
        "vouchers.FIND_SESSIONS",
        "vouchers.END_SESSIONS",
        "vouchers.REVOKE_ALLOWANCES",
    },
}
"""Who else runs statements: nobody waits for these with a browser open, or hardly ever."""


PAST = {
    "sessions.END": {"ModifyTable"},
    "my_data.FIND_PAST": {"Index Scan", "Bitmap Heap Scan"},
    "my_data.HOLD_PAST": {"LockRows", "Index Scan", "Bitmap Heap Scan"},
    "my_data.ERASE_PAST": {"ModifyTable", "Tid Scan"},
}
"""
What requests do with the history: it is added to; and who asks for their own
data reads theirs, by the index of their account, a thousand rows at a time.
"""


def statements() -> dict[str, str]:
    """Find every statement of the store, as C{module.NAME}."""
    found = {}
    for module in pkgutil.iter_modules(wifidogd.store.__path__):
        for name, text in vars(importlib.import_module(f"wifidogd.store.{module.name}")).items():
            if name.isupper() and isinstance(text, str) and STATEMENT.match(text):
                found[f"{module.name}.{name}"] = text
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
    full.execute("EXPLAIN (FORMAT JSON) " + statements()["sweeps.PURGE"], purge)
    [([explained],)] = full.fetchall()
    assert not [node for node in nodes(explained["Plan"]) if node["Node Type"] == "Seq Scan"]
