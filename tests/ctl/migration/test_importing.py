"""wifidogctl import as operators run it: the real command, a real dump, a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.ctl.test_ctl import Operator, Typing, finish
from tests.support.builders import NOON, put, rows, run
from tests.support.checkout import DATA
from tests.support.deadline import within
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.driver.database import Database
from wifidogd.store.operators.imports import NewAccount, add_accounts

DUMP = DATA / "wifidog-auth.sql"

IMPORT = ("import", "wifidog-auth", str(DUMP))

EVERYTHING = """
    SELECT name, email, password_hash, old_hash, validated_at::text, disabled, created_at::text, NULL FROM accounts
     UNION ALL
    SELECT gw_id, host(source), version, NULL, first_seen::text, address IS NULL, last_seen::text, port
      FROM waiting_gateways
     ORDER BY 1
"""


@pytest.fixture
def operator(dsn: str, database: Database) -> Operator:
    """An operator of a migrated database."""
    return Operator(dsn)


async def everything(database: Database) -> list[tuple[Any, ...]]:
    """List what an import may change."""
    return await rows(database, EVERYTHING)


@ensureDeferred
async def test_a_dry_run_tells_all_and_changes_nothing(operator: Operator, database: Database) -> None:
    """Every line that is left out is named with the reason, and nothing of it can command the terminal."""
    said = await operator.does(*IMPORT, "--dry-run")
    assert "Accounts  6 would be new (1 not validated, 2 disabled), 0 here already and kept\n" in said
    assert "Gateways  2 would be new, 0 here already and kept\n" in said
    assert "Left out or changed  10\n" in said
    assert "user SPLASH_ONLY_USER is nobody's" in said
    assert "user tab?bed has no name" in said
    assert await everything(database) == []


@ensureDeferred
async def test_what_is_imported_stays_as_it_is_the_second_time(operator: Operator, database: Database) -> None:
    """Importing again, after whatever happened meanwhile, changes nothing that is there."""
    said = await operator.does(*IMPORT, "--yes")
    assert "Imported 6 accounts and 2 gateways.\n" in said
    assert "gateway adopt GW_ID --address ITS-ADDRESS-FOR-GUESTS\n" in said
    await put(
        database, "UPDATE accounts SET disabled = true, password_hash = 'new', old_hash = NULL WHERE name = 'anna'"
    )
    await operator.does("gateway", "adopt", "cafe-rico", "--address", "192.168.1.1")
    before = await everything(database)
    again = await operator.reads(*IMPORT, "--yes")
    assert again["accounts"] == {"new": 0, "not_validated": 0, "disabled": 0, "kept": 6}
    assert again["gateways"] == {"new": 0, "kept": 2}
    assert await everything(database) == before


@ensureDeferred
async def test_users_become_accounts(operator: Operator, database: Database) -> None:
    """With name, address, time and status; who has not validated counts as new, so as not to be forgotten at once."""
    await operator.does(*IMPORT, "--yes")
    found = await rows(
        database,
        "SELECT name, email, validated_at = created_at, disabled, created_at < '2007-1-1' FROM accounts ORDER BY 1",
    )
    assert found == [
        ("anna", "anna@example.org", True, False, True),
        ("denied", None, True, True, True),
        ("jörg", "joerg@example.org", None, False, False),
        ("locked", "locked@example.org", True, True, True),
        ("nameless@example.org", "nameless@example.org", True, False, True),
        ("o'brien \\", None, True, False, True),
    ]


@ensureDeferred
async def test_the_old_password_goes_on_to_work(operator: Operator, database: Database) -> None:
    """The hash in a real dump is the hash that is checked."""
    await operator.does(*IMPORT, "--yes")
    [(old_hash,)] = await rows(database, "SELECT old_hash FROM accounts WHERE name = 'jörg'")
    passwords = Passwords(reactor)  # type: ignore[arg-type]
    passwords.start()
    try:
        assert await within(20, passwords.verify(None, "pässword", old_hash))
    finally:
        passwords.stop()


@ensureDeferred
async def test_accounts_that_are_here_keep_name_and_address(operator: Operator, database: Database) -> None:
    """Somebody else's address is not given away, and the operator hears of it."""
    await operator.does("account", "add", "locked", stdin="correct horse")
    other = NewAccount("somebody", "anna@example.org", "x", NOON, disabled=False, created_at=NOON)
    await run(database, add_accounts, [other])
    outcome = await operator.reads(*IMPORT, "--yes")
    assert outcome["accounts"] == {"new": 5, "not_validated": 1, "disabled": 1, "kept": 1}
    assert {"line", "what", "why"} == set(outcome["problems"][0])
    assert "user anna comes without its address" in " ".join(
        f"{one['what']} {one['why']}" for one in outcome["problems"]
    )
    assert await rows(database, "SELECT email FROM accounts WHERE name IN ('anna', 'somebody') ORDER BY name") == [
        (None,),
        ("anna@example.org",),
    ]


@pytest.mark.parametrize(("answer", "code", "accounts"), [("y", 0, 6), ("n", 1, 0), ("", 1, 0)])
@ensureDeferred
async def test_at_a_terminal_the_summary_comes_before_the_question(
    dsn: str, operator: Operator, answer: str, code: int, accounts: int
) -> None:
    """And anything but yes is no."""
    outcome = await finish(Typing(answer), ("--database", dsn, *IMPORT), {})
    assert outcome.code == code, outcome.out
    assert outcome.out.index("6 to import") < outcome.out.index("Import this")
    assert len(await operator.reads("account", "list")) == accounts


@pytest.mark.parametrize("words", [(), ("--json",)])
@ensureDeferred
async def test_without_a_terminal_somebody_must_have_said_yes(operator: Operator, words: tuple[str, ...]) -> None:
    """Scripts see the summary first as well."""
    assert "--dry-run" in await operator.fails(*IMPORT, *words, code=2)


@ensureDeferred
async def test_many_are_taken_in_batches(operator: Operator, database: Database, tmp_path: Path) -> None:
    """More nodes than strangers find room for, too; a user that PostgreSQL refuses is left out alone."""
    many = tmp_path / "many.sql"
    users = "".join(f"guest{n}\t1B2M2Y8AsgTpgAmY7PhCfA==\t\t1\n" for n in range(1200))
    nodes = "".join(f"node{n}\t203.0.113.7\n" for n in range(300))
    many.write_text(
        f"COPY users (username, pass, email, account_status) FROM stdin;\n{users}\\.\n"
        f"COPY nodes (node_id, last_heartbeat_ip) FROM stdin;\n{nodes}\\.\n"
    )
    await put(database, "ALTER TABLE accounts ADD CHECK (name <> 'guest700')")
    outcome = await operator.reads("import", "wifidog-auth", str(many), "--yes")
    assert outcome["accounts"]["new"] == 1199
    assert outcome["gateways"]["new"] == 300
    assert [one["what"] for one in outcome["problems"]] == ["user guest700"]
    assert await rows(database, "SELECT count(*) FROM accounts") == [(1199,)]
    assert await rows(database, "SELECT count(*) FROM waiting_gateways") == [(300,)]


@ensureDeferred
async def test_the_network_to_adopt_into_must_exist(operator: Operator) -> None:
    """It is part of the command that the operator will type."""
    assert "wifidogctl network set cafes" in await operator.fails(*IMPORT, "--yes", "--network", "cafes", code=1)
    await operator.does("network", "set", "cafes")
    assert "ITS-ADDRESS-FOR-GUESTS --network cafes\n" in await operator.does(*IMPORT, "--yes", "--network", "cafes")


@ensureDeferred
async def test_files_that_cannot_be_read_are_wrong_usage(operator: Operator, tmp_path: Path) -> None:
    """Missing, or in another format."""
    missing = str(tmp_path / "missing.sql")
    assert "Cannot read" in await operator.fails("import", "wifidog-auth", missing, "--dry-run", code=2)
    custom = tmp_path / "custom.dump"
    custom.write_bytes(b"PGDMP\x01\x0e\x00")
    assert "pg_restore" in await operator.fails("import", "wifidog-auth", str(custom), "--dry-run", code=2)


@pytest.mark.parametrize("how", ["utf-8-sig", "utf-16", "utf-16-be"])
@ensureDeferred
async def test_a_dump_that_windows_wrote_is_imported(operator: Operator, tmp_path: Path, how: str) -> None:
    """PowerShell's C{>} makes UTF-16 of everything, and Windows' editors begin UTF-8 with a mark."""
    file = tmp_path / "old.sql"
    file.write_bytes(DUMP.read_text("utf-8").replace("\n", "\r\n").encode(how))
    said = await operator.does("import", "wifidog-auth", str(file), "--dry-run")
    assert "Accounts  6 would be new" in said
    assert "Gateways  2 would be new" in said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "There is no dump of PostgreSQL in this file"),
        (b"-- MySQL dump 10.13\n", "This is a dump of MySQL or MariaDB"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "There is no dump of PostgreSQL in this file"),
    ],
)
@ensureDeferred
async def test_a_file_that_is_no_dump_is_refused(
    operator: Operator, tmp_path: Path, content: bytes, sentence: str
) -> None:
    """With what to do, instead of a summary of nothing."""
    file = tmp_path / "old.sql"
    file.write_bytes(content)
    assert sentence in await operator.fails("import", "wifidog-auth", str(file), "--dry-run", code=2)
