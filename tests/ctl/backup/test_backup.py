"""wifidogctl backup and restore as operators run them: every row comes back, and nothing is lost by a mistake."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import psycopg2
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.conftest import make_database
from tests.ctl.test_ctl import ROOT, Outcome, wifidogctl
from tests.support.deadline import within
from tests.support.old_databases import DEVICE, INCOMING, ONLINE, OUTGOING, all_rows, make_old_database
from tests.support.postgres import ThrowawayPostgres
from tests.support.running_server import RunningServer
from wifidogd.ctl.backup.restore import check_words, expect_fitting, expect_room
from wifidogd.ctl.cli.command import CommandFailed, WrongUsage
from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.backup.archive import Contents
from wifidogd.store.backup.restore_script import Present
from wifidogd.store.embedded.cluster import Cluster
from wifidogd.store.embedded.data_directory import is_served
from wifidogd.store.embedded.stale_servers import processes_on
from wifidogd.store.migrations import released

NEWEST = released()[-1][0]

REPORT = (
    f"/wifidog/auth/?stage=counters&gw_id=lobby&ip=10.0.0.2&mac={DEVICE}&incoming={INCOMING}&outgoing={OUTGOING}"
    f"&token={ONLINE.replace(' ', '%20')}"
)


@pytest.fixture(scope="module")
def full(postgres: ThrowawayPostgres) -> str:
    """A database with rows in every table, which no test changes."""
    dsn = make_database(postgres)
    make_old_database(dsn, NEWEST)
    return dsn


@pytest.fixture(scope="module")
def backup(full: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of L{full}."""
    file = tmp_path_factory.mktemp("backups") / "full.dump"
    words = [sys.executable, "-m", "wifidogd.ctl", "--database", full, "backup", str(file)]
    subprocess.run(words, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=30)
    return file


async def fails(dsn: str, *words: str, code: int = 1) -> str:
    """Run a command on a database that does not work, and read the sentence that it says."""
    outcome = await wifidogctl("--database", dsn, *words)
    assert (outcome.code, outcome.out) == (code, ""), outcome
    assert "Traceback" not in outcome.err
    return outcome.err


async def succeeds(*words: str) -> Outcome:
    """Run a command that works."""
    outcome = await wifidogctl(*words)
    assert outcome.code == 0, outcome.err
    return outcome


@ensureDeferred
async def test_every_row_comes_back_and_guests_stay_online(backup: Path, full: str, dsn: str) -> None:
    """Into an empty database, from which a server then answers for the guest who was online."""
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert list(backup.parent.iterdir()) == [backup]
    outcome = await succeeds("--database", dsn, "restore", str(backup))
    assert outcome.out == f"Restored schema {NEWEST} with 2 gateways, 2 accounts, 4 open sessions.\n"
    assert all_rows(dsn) == all_rows(full)
    server = RunningServer(dsn)
    await within(30, server.start())
    try:
        assert (await server.get(REPORT)).text.startswith("Auth: 1")
        words = ("restore", "--replace", str(backup))
        assert "A server uses this database: stop it first" in await fails(dsn, *words)
    finally:
        await server.stop()


@ensureDeferred
async def test_what_is_there_is_replaced_only_when_told_so(backup: Path, dsn: str, tmp_path: Path) -> None:
    """By a backup of an older schema, too, which is brought up to date."""
    make_old_database(dsn, 1)
    before = all_rows(dsn)
    old = tmp_path / "old.dump"
    await succeeds("--database", dsn, "backup", str(old))
    sentence = await fails(dsn, "restore", str(backup))
    assert "is not empty: it has schema 1 with 2 gateways, 1 account, 2 open sessions. To throw that" in sentence
    assert all_rows(dsn) == before
    assert "2 accounts" in (await succeeds("--database", dsn, "restore", "--replace", str(backup))).out
    out = (await succeeds("--database", dsn, "restore", "--replace", str(old))).out
    assert f"Restored schema {NEWEST} with 2 gateways, 1 account" in out
    after = all_rows(dsn)
    assert after["past_sessions"][0].items() >= before["past_sessions"][0].items()


@ensureDeferred
async def test_a_file_that_is_there_is_not_written_over(full: str, dsn: str, tmp_path: Path) -> None:
    """It may be the last good backup; one that fails leaves it, and nothing else."""
    file = tmp_path / "backup"
    file.write_text("the last good one")
    assert f"{file} is there already" in await fails(full, "backup", str(file))
    assert "No wifidogd has used this database yet" in await fails(dsn, "backup", "--replace", str(file))
    assert file.read_text() == "the last good one"
    await succeeds("--database", full, "backup", "--replace", str(file))
    assert file.read_bytes().startswith(b"PGDMP")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        (Contents(NEWEST, "public", "15.1", 15), None),
        (Contents(1, "public", "14.9", 14), None),
        (Contents(0, "", "15.1", 15), "is a backup of another program"),
        (Contents(999, "public", "15.1", 15), f"schema 999, this wifidogd knows {NEWEST} at most: install the newer"),
        (Contents(1, "public", "18.4", 18), "from PostgreSQL 18.4, the database here is PostgreSQL 15: restore into"),
        (Contents(1, "wifi", "15.1", 15), "schema wifi, wifidogd uses public here: set the search_path"),
    ],
)
def test_a_backup_must_fit_the_target(contents: Contents, sentence: str | None) -> None:
    """An older one fits; whatever else it is, the operator learns what to do."""
    present = Present(15, "public", [], 0)
    if sentence is None:
        expect_fitting(Path("backup"), contents, present)
    else:
        with pytest.raises(CommandFailed, match=re.escape(sentence)):
            expect_fitting(Path("backup"), contents, present)


@pytest.mark.parametrize(
    ("present", "sentence"),
    [
        (Present(15, "public", ["recipes"], 0), "it has tables that are not wifidogd's (recipes)."),
        (Present(15, "public", list("abcdefgh"), 0), "(a, b, c, d, e and 3 more)."),
        (Present(15, "public", ["accounts"], 999), "it has schema 999, of a newer wifidogd."),
        (Present(15, "public", ["accounts"], 1, 2, 1, 0), "schema 1 with 2 gateways, 1 account, 0 open sessions."),
    ],
)
def test_the_operator_learns_what_would_be_lost(present: Present, sentence: str) -> None:
    """Whoever made it."""
    with pytest.raises(CommandFailed, match=re.escape(sentence)):
        expect_room(present, replace=False)
    expect_room(present, replace=True)


def test_a_backup_goes_to_standard_output(full: str) -> None:
    """To be encrypted on its way, say; nothing else is said there."""
    words = [sys.executable, "-m", "wifidogd.ctl", "--database", full, "backup", "-"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run(words, check=True, capture_output=True, env=environment, timeout=30)
    assert said.stdout.startswith(b"PGDMP")
    assert said.stderr == b""


@ensureDeferred
async def test_what_is_no_backup_is_refused(backup: Path, dsn: str, tmp_path: Path) -> None:
    """A file that is missing, another one, and one that was cut off."""
    file = tmp_path / "backup"
    with pytest.raises(WrongUsage, match=rf"^There is no file {re.escape(str(file))}\.$"):
        check_words(Namespace(file=file))
    for content in (b"CREATE TABLE accounts", b""):
        file.write_bytes(content)
        with pytest.raises(WrongUsage, match="name a file that `wifidogctl backup` has written"):
            check_words(Namespace(file=file))
    with pytest.raises(WrongUsage, match="name a file that `wifidogctl backup` has written"):
        check_words(Namespace(file=tmp_path))
    file.write_bytes(backup.read_bytes()[:2000])
    assert "cannot be read: it is damaged, or from a newer PostgreSQL" in await fails(dsn, "restore", str(file))


@ensureDeferred
async def test_a_backup_that_is_damaged_further_on_changes_nothing(backup: Path, dsn: str, tmp_path: Path) -> None:
    """Its list of contents is sound, the rows are not: that shows in the middle of the restore."""
    make_old_database(dsn, 2)
    before = all_rows(dsn)
    content = bytearray(backup.read_bytes())
    for compressed in list(re.finditer(rb"\x78\x9c", content))[-3:]:
        content[compressed.end() : compressed.end() + 4] = b"\xff" * 4
    file = tmp_path / "damaged"
    file.write_bytes(content)
    sentence = await fails(dsn, "restore", "--replace", str(file))
    assert re.search(r"(break off|where they should be).*damaged.*\n.*could not uncompress|pg_restore", sentence), (
        sentence
    )
    assert all_rows(dsn) == before


@ensureDeferred
async def test_ctrl_c_leaves_no_half_backup(full: str, tmp_path: Path) -> None:
    """Nor a pg_dump that goes on."""
    locked = psycopg2.connect(full)
    locked.cursor().execute("LOCK TABLE past_sessions")
    words = [sys.executable, "-m", "wifidogd.ctl", "--database", full, "backup", str(tmp_path / "backup")]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        while not query(full, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK%'"):
            await deferLater(reactor, 0.05)  # type: ignore[arg-type]
        assert list(tmp_path.iterdir()) != []
        process.send_signal(signal.SIGINT)
        _, said = await within(20, deferToThread(process.communicate, timeout=20))
        assert (process.returncode, said) == (1, b"wifidogctl: Interrupted.\n")
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        locked.close()


@ensureDeferred
async def test_the_private_database_is_reached_running_or_not(backup: Path, full: str, scratch: Path) -> None:
    """A new machine: the backup makes its database; nothing is left running."""
    data_dir, copy = scratch / "data", scratch / "copy"
    here = ("--data-dir", str(data_dir))
    nowhere = await wifidogctl(*here, "backup", str(copy))
    assert (nowhere.code, data_dir.exists()) == (1, False)
    assert "There is no database in" in nowhere.err
    await succeeds(*here, "restore", str(backup))
    assert not processes_on(data_dir / "postgresql")
    await succeeds(*here, "backup", str(copy))
    assert not processes_on(data_dir / "postgresql")
    server = Cluster(data_dir, reactor=reactor)  # type: ignore[arg-type]
    dsn = await within(60, server.start())
    try:
        assert all_rows(dsn) == all_rows(full)
        await succeeds(*here, "backup", "--replace", str(copy))
        refused = await wifidogctl(*here, "restore", "--replace", str(copy))
        assert refused.code == 1
        assert "The server runs on" in refused.err
    finally:
        await within(20, server.stop())


def test_a_data_directory_that_is_closed_to_us_is_told(scratch: Path) -> None:
    """To somebody who is neither root nor its user; the lock is not followed elsewhere."""
    assert is_served(scratch) is False
    (scratch / "lock").symlink_to(scratch / "elsewhere")
    with pytest.raises(ConfigurationError, match=r"cannot be read .*: do this as root"):
        is_served(scratch)
    assert not (scratch / "elsewhere").exists()


def query(dsn: str, statement: str) -> list[tuple[object, ...]]:
    """Run one statement, blocking, and return its rows."""
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall()
    connection.close()
    return rows
