"""Databases of every released schema become those of this one, and lose nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.conftest import make_database
from tests.support.deadline import within
from tests.support.old_databases import (
    DEVICE,
    INCOMING,
    ONLINE,
    OUTGOING,
    PENDING,
    ROWS,
    all_rows,
    make_old_database,
)
from tests.support.postgres import ThrowawayPostgres, newest_binaries
from tests.support.running_server import RunningServer
from wifidogd.domain.errors import StoreRefused
from wifidogd.domain.tokens import fold_name, hash_secret
from wifidogd.store.driver.database import Database
from wifidogd.store.migrations import SCHEMA, migrate, released

NEWEST = released()[-1][0]

MOVED = {("networks", "sign_in"), ("networks", "terms"), ("allowances", "owner"), ("attempts", "subject")}
"""What a later schema keeps elsewhere: C{methods}, the table C{terms}, and columns for owners and subjects."""

OF_FIRST = [
    ("passwords of account", None, None, None, None, "1", 3),
    ("passwords of account", None, None, None, 1, None, 4),
    ("device", "lobby", DEVICE, None, None, None, 5),
]
OF_SECOND = [
    ("passwords from source", None, None, "2001:db8::", None, None, 6),
    ("codes at gateway", "lobby", None, None, None, None, 7),
    ("codes from source", "lobby", None, "192.0.2.1", None, None, 8),
    ("sign-ups on device", "lobby", DEVICE, None, None, None, 9),
    ("sign-ups at gateway", "attic", None, None, None, None, 10),
    ("sign-ups from source", None, None, "192.0.2.1", None, None, 11),
    ("mails from source", None, None, "192.0.2.1", None, None, 13),
]
"""Subjects of tries, taken apart: kind, gateway, device, source, account, name, and how many."""


def structure(dsn: str) -> list[str]:
    """Describe tables, keys, indexes, triggers and comments; the order of columns that were added does not matter."""
    dump = [newest_binaries() / "pg_dump", "--schema-only", "--no-owner", f"--dbname={dsn}"]
    lines = subprocess.run(dump, check=True, capture_output=True, text=True).stdout.splitlines()
    return sorted(line.strip().rstrip(",") for line in lines if not line.startswith("\\"))


async def upgrade(dsn: str, schema: Traversable = SCHEMA) -> None:
    """Bring a database up to date."""
    database = Database(clock=reactor)  # type: ignore[arg-type]
    database.start(dsn)
    try:
        await within(30, migrate(database, schema))
    finally:
        await within(10, database.stop())


def lost(before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]) -> list[object]:
    """List the rows that are there no more with all that they held."""
    return [
        (table, row)
        for table, rows in before.items()
        for row in rows
        if not any(keeps(table, row, found) for found in after[table])
    ]


def is_about_mails(row: dict[str, Any]) -> bool:
    """Whether a row counts mails to an address, which have limits of their own since the eighth schema."""
    return str(row.get("subject", "")).startswith("mail ") or row.get("kind") == "mails to address"


def keeps(table: str, row: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether a row still holds what it held."""
    return all(found.get(name) == value for name, value in row.items() if (table, name) not in MOVED)


def test_every_released_schema_is_tried() -> None:
    """A schema file that is added needs rows of its own in old_databases.py."""
    assert len(ROWS) == NEWEST


@pytest.mark.parametrize("schema", range(1, NEWEST + 1))
@ensureDeferred
async def test_an_old_database_keeps_every_row(postgres: ThrowawayPostgres, dsn: str, schema: int) -> None:
    """Every table had rows; afterwards it is built like a new one."""
    make_old_database(dsn, schema)
    before = all_rows(dsn)
    assert all(before.values())
    await upgrade(dsn)
    after = all_rows(dsn)
    del before["directory_revision"]
    before["attempts"] = [row for row in before["attempts"] if not is_about_mails(row)]
    assert lost(before, after) == []
    assert [row["number"] for row in after["schema_versions"]] == list(range(1, NEWEST + 1))
    fresh = make_database(postgres)
    await upgrade(fresh)
    assert structure(dsn) == structure(fresh)


@ensureDeferred
async def test_what_moved_in_the_second_schema_is_still_said(dsn: str) -> None:
    """How guests sign in, the terms they accept, and that accounts of the operator's need no confirmation."""
    make_old_database(dsn, 1)
    query(dsn, "UPDATE networks SET sign_in = 'account', terms = 'Be kind.' WHERE name = 'rooms'")
    await upgrade(dsn)
    assert query(dsn, "SELECT name, methods FROM networks ORDER BY name") == [
        ("default", ["splash"]),
        ("rooms", ["account"]),
    ]
    assert query(dsn, "SELECT network, language, text FROM terms") == [("rooms", "en", "Be kind.")]
    assert query(dsn, "SELECT count(*) FROM accounts WHERE validated_at = created_at") == [(1,)]


@pytest.mark.parametrize(
    ("schema", "known"), [(1, OF_FIRST), *((later, OF_FIRST + OF_SECOND) for later in (2, 3, 4, 5))]
)
@ensureDeferred
async def test_tries_are_counted_on_from_what_was_counted(dsn: str, schema: int, known: list[tuple[object]]) -> None:
    """Those at a gateway that is gone go; nothing else does, whatever names and addresses people have."""
    make_old_database(dsn, schema)
    query(
        dsn,
        """
        INSERT INTO attempts (subject, tries, started_at)
        VALUES ('device removed 02:51:4d:00:00:01', 99, now()), ('account gateway lobby', 100, now())
        """,
    )
    await upgrade(dsn)
    assert query(dsn, "SELECT kind, gw_id, mac, source, account_id, name, tries FROM attempts ORDER BY tries") == [
        *known,
        ("passwords of account", None, None, None, None, "gateway lobby", 100),
    ]


@ensureDeferred
async def test_names_are_folded_where_nobody_else_is_called_so(dsn: str) -> None:
    """Those of two who would be called the same stay, as does one that is the address of another."""
    make_old_database(dsn, 7)
    query(
        dsn,
        """
        INSERT INTO accounts (name, email, password_hash, created_at)
        SELECT name, email, '$', now()
          FROM (VALUES ('ｚｏｅ', NULL), ('ışık', NULL), (U&'i\\0307pek', NULL), ('οδυσσεύς', NULL), ('straße', NULL),
                       ('strasse', NULL), ('ｅｖｅ', NULL), ('eve', NULL), ('ﬁx', NULL), ('ｆix', NULL),
                       ('ｂob@example.org', NULL), ('bob', 'bob@example.org'))
               AS known (name, email)
        """,
    )
    await upgrade(dsn)
    names = [name for (name,) in query(dsn, "SELECT name FROM accounts WHERE password_hash = '$'")]
    assert sorted(names) == sorted(
        [
            "zoe",
            "işik",
            "ipek",
            "οδυσσεύσ",
            "straße",
            "strasse",
            "ｅｖｅ",
            "eve",
            "ﬁx",
            "ｆix",
            "ｂob@example.org",
            "bob",
        ]
    )
    assert all(
        fold_name(name) == name or name in ("straße", "ｅｖｅ", "ﬁx", "ｆix", "ｂob@example.org") for name in names
    )


@pytest.mark.parametrize("schema", [2, 3])
@ensureDeferred
async def test_allowances_keep_their_owners_in_columns(dsn: str, schema: int) -> None:
    """Of vouchers, accounts, devices and addresses; those of a removed account and an erased device are nobody's."""
    make_old_database(dsn, schema)
    await upgrade(dsn)
    found = "SELECT extract(second FROM used_time)::int, voucher_id, account_id, mac, address_hash FROM allowances"
    address_hash = hash_secret("new@example.org")
    assert [(row[0], *row[1:4], row[4] and bytes(row[4])) for row in query(dsn, f"{found} ORDER BY 1")] == [
        (1, None, 1, None, None),
        (2, None, 1, None, None),
        (3, None, None, None, None),
        (4, None, None, "02:51:4d:00:00:09", None),
        (5, None, None, None, None),
        (6, None, None, None, address_hash),
        (30, 1, None, None, None),
    ]


@ensureDeferred
async def test_an_upgrade_that_fails_leaves_the_old_database(dsn: str, tmp_path: Path) -> None:
    """However many files came before: the version that was there can go on."""
    make_old_database(dsn, 1)
    before, built = all_rows(dsn), structure(dsn)
    for _, name in released()[:-1]:
        shutil.copy(str(SCHEMA / name), tmp_path / name)
    (tmp_path / released()[-1][1]).write_text("UPDATE networks SET title = 'lost'; SELECT 1 / 0")
    with pytest.raises(StoreRefused, match="division by zero"):
        await upgrade(dsn, tmp_path)
    assert all_rows(dsn) == before
    assert structure(dsn) == built


@pytest.mark.parametrize("schema", range(1, NEWEST))
@ensureDeferred
async def test_guests_stay_online_over_an_upgrade(dsn: str, schema: int) -> None:
    """The new server knows them by the token they have, and counts on from what was counted."""
    make_old_database(dsn, schema)
    server = RunningServer(dsn)
    await within(30, server.start())
    try:
        report = f"/wifidog/auth/?stage=counters&gw_id=lobby&ip=10.0.0.2&mac={DEVICE}&incoming={INCOMING + 1}"
        answer = await within(10, server.get(f"{report}&outgoing={OUTGOING}&token={ONLINE.replace(' ', '%20')}"))
        assert answer.text == "Auth: 1\n"
        login = "/wifidog/auth/?stage=login&gw_id=lobby&ip=10.0.0.3&mac=02:51:4d:00:00:02&incoming=0&outgoing=0"
        answer = await within(10, server.get(f"{login}&token={PENDING.replace(' ', '%20')}"))
        assert answer.text == "Auth: 1\n"
    finally:
        await server.stop()
    assert query(dsn, f"SELECT incoming, outgoing FROM sessions WHERE mac = '{DEVICE}'") == [(INCOMING + 1, OUTGOING)]


def query(dsn: str, statement: str) -> Sequence[tuple[Any, ...]]:
    """Run one statement, blocking, and return its rows, if it has any."""
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
    connection.close()
    return rows
