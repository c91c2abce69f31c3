"""A backup is read by pg_restore, as an unprivileged user."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred

from tests.store.backup.dumps import dump_of, ourselves, real_archive, scripted_archive
from tests.support.builders import put
from wifidogd.domain.errors import StoreRefused
from wifidogd.store.backup.archive import Archive
from wifidogd.store.backup.client_programs import reachable
from wifidogd.store.backup.restore_script import EMPTY
from wifidogd.store.driver.database import Database
from wifidogd.store.embedded.binaries import Binaries
from wifidogd.store.embedded.ownership import Owner, choose_owner
from wifidogd.store.migrations import released


@ensureDeferred
async def test_a_backup_tells_where_it_is_from(database: Database, dsn: str, tmp_path: Path) -> None:
    """One of another program has no schema of ours."""
    contents = real_archive(await dump_of(dsn, tmp_path / "ours")).contents()
    assert (contents.schema, contents.namespace) == (released()[-1][0], "public")
    assert contents.version.startswith(f"{contents.major}.")
    assert {"accounts", "sessions", "schema_versions"} < set(contents.tables)
    await put(database, EMPTY)
    await put(database, "CREATE TABLE recipes ()")
    another = real_archive(await dump_of(dsn, tmp_path / "another")).contents()
    assert another == replace(contents, schema=0, namespace="", tables=("recipes",))


def test_root_lets_somebody_else_read_it(scratch: Path) -> None:
    """A hole in pg_restore must not be root's; the file, which is root's, is opened for it."""
    owner = choose_owner(scratch / "missing")
    archive = scripted_archive(scratch, "id -u; cat; pwd", owner)
    scratch.joinpath("backup").write_text("the backup\n")
    scratch.joinpath("backup").chmod(0o600)
    with archive.said("--list") as output:
        assert output.read().decode() == f"{owner.uid}\nthe backup\n/\n"
    assert owner.uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody else gives up root")
def test_programs_below_a_closed_directory_are_copied(scratch: Path) -> None:
    """As those of a virtual environment below /root are."""
    owner = choose_owner(scratch / "missing")
    installation = scratch / "closed" / "wheel" / "pginstall" / "bin"
    installation.mkdir(parents=True)
    for program in ("postgres", "pg_restore"):
        (installation / program).write_text("#!/bin/sh\nid -u\n")
        (installation / program).chmod(0o755)
    (scratch / "closed").chmod(0o700)
    (scratch / "backup").touch()
    with reachable(Binaries(installation, "15.1", 15), owner) as programs:
        with Archive(programs, scratch / "backup", owner).said() as output:
            assert output.read().decode() == f"{owner.uid}\n"
        assert programs.directory != installation
    assert not programs.directory.exists()


@pytest.mark.parametrize("script", ["echo 'no archive' >&2; exit 1", "echo 'no archive' >&2; kill -9 $$"])
def test_a_pg_restore_that_fails_says_why(tmp_path: Path, script: str) -> None:
    """In its own words."""
    with pytest.raises(StoreRefused, match="no archive"), scripted_archive(tmp_path, script).said() as output:
        output.read()


def test_a_pg_restore_that_nobody_reads_to_the_end_ends(tmp_path: Path) -> None:
    """It is not to blame."""
    with scripted_archive(tmp_path, "exec yes").said() as output:
        assert output.readline() == b"y\n"


def test_an_endless_table_of_contents_is_not_kept(tmp_path: Path) -> None:
    """Nor is a line without an end."""
    script = "seq 3000 | sed 's/.*/&; 0 16400 TABLE DATA public t& me/'; printf '%99999s' x"
    assert len(scripted_archive(tmp_path, script).contents().tables) == 1000


def test_ourselves_is_who_runs_the_tests() -> None:
    """For scripts in directories that are closed to others."""
    assert ourselves() == Owner(os.geteuid(), os.getegid(), "ourselves")
