"""pg_dump at work: its password stays secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.support.deadline import within
from tests.support.postgres import newest_binaries
from wifidogd.domain.errors import ConfigurationError, StoreRefused
from wifidogd.store.backup.dump import Dump
from wifidogd.store.driver.database import Database
from wifidogd.store.embedded.binaries import Binaries


def scripted(directory: Path, dsn: str, script: str) -> Dump:
    """Return a dump whose pg_dump is a script."""
    program = directory / "pg_dump"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Dump(Binaries(directory, "15.1", 15), dsn, reactor)  # type: ignore[arg-type]


@ensureDeferred
async def test_a_password_is_in_no_command_line(tmp_path: Path, dsn: str) -> None:
    """C{ps} shows those to everybody; the environment of a process is its user's alone."""
    script = f'echo "$@" >{tmp_path}/words; echo "$PGPASSWORD" >{tmp_path}/secret'
    dump = scripted(tmp_path, f"{dsn} password=hunter2", script)
    with (tmp_path / "backup").open("wb") as file:
        await within(20, dump.write("public", file.fileno()))
    assert "hunter2" not in (tmp_path / "words").read_text()
    assert (tmp_path / "secret").read_text() == "hunter2\n"


@ensureDeferred
async def test_a_dump_that_fails_says_why(tmp_path: Path, dsn: str) -> None:
    """In its own words."""
    dump = scripted(tmp_path, dsn, "echo 'no such role' >&2; exit 1")
    with (
        (tmp_path / "backup").open("wb") as file,
        pytest.raises(StoreRefused, match=r"exit status 1.*\n.*no such role"),
    ):
        await within(20, dump.write("public", file.fileno()))
    await within(20, dump.stop())


def test_a_secret_that_would_be_shown_is_refused(tmp_path: Path, dsn: str) -> None:
    """libpq takes the password of a TLS key from nowhere else."""
    with pytest.raises(ConfigurationError, match="without a password"):
        scripted(tmp_path, f"{dsn} sslpassword=hunter2", "")


@ensureDeferred
async def test_a_file_says_where_each_table_begins(database: Database, dsn: str, tmp_path: Path) -> None:
    """pg_dump can go back in it, so that pg_restore need not read the whole file for each table."""
    dump = Dump(Binaries(newest_binaries(), "15.1", 15), dsn, reactor)  # type: ignore[arg-type]
    await within(20, dump.write("public", tmp_path / "backup"))
    content = (tmp_path / "backup").read_bytes()
    assert content.count(b"COPY public.accounts (") == 1
    with (tmp_path / "piped").open("wb") as file:
        await within(20, dump.write("public", file.fileno()))
    assert (tmp_path / "piped").read_bytes()[:5] == content[:5] == b"PGDMP"
