"""PostgreSQL's own programs at work: passwords stay secret, and nothing is restored by half."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.defer import ensureDeferred as deferred
from twisted.internet.task import deferLater

from tests.support.builders import put, rows
from tests.support.deadline import within
from tests.support.postgres import newest_binaries
from wifidogd.domain.errors import ConfigurationError, StoreRefused
from wifidogd.store.backup.dump import Clients
from wifidogd.store.backup.restore_script import EMPTY
from wifidogd.store.driver.database import Database
from wifidogd.store.embedded.binaries import Binaries
from wifidogd.store.migrations import released

TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"

NewClients = Callable[..., Clients]


@async_yield_fixture
async def new_clients(tmp_path: Path, dsn: str) -> AsyncIterator[NewClients]:
    """Make L{Clients} whose programs are scripts where one is given, PostgreSQL's own otherwise."""
    made: list[Clients] = []

    def make(more: str = "", **scripts: str) -> Clients:
        for program in ("pg_dump", "pg_restore", "psql"):
            if program in scripts:
                (tmp_path / program).write_text(f"#!/bin/sh\n{scripts[program]}\n")
                (tmp_path / program).chmod(0o755)
            else:
                (tmp_path / program).symlink_to(newest_binaries() / program)
        made.append(Clients(Binaries(tmp_path, "15.1", 15), f"{dsn} {more}", reactor))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        await within(20, each.stop())


@ensureDeferred
async def test_a_password_is_in_no_command_line(new_clients: NewClients, tmp_path: Path) -> None:
    """C{ps} shows those to everybody; the environment of a process is its user's alone."""
    clients = new_clients(
        "password=hunter2", pg_dump=f'echo "$@" >{tmp_path}/words; echo "$PGPASSWORD" >{tmp_path}/secret'
    )
    with (tmp_path / "backup").open("wb") as file:
        await within(20, clients.dump("public", file.fileno()))
    assert "hunter2" not in (tmp_path / "words").read_text()
    assert (tmp_path / "secret").read_text() == "hunter2\n"


@ensureDeferred
async def test_a_secret_that_would_be_shown_is_refused(new_clients: NewClients) -> None:
    """libpq takes the password of a TLS key from nowhere else."""
    with pytest.raises(ConfigurationError, match="without a password"):
        new_clients("sslpassword=hunter2")


@pytest.mark.parametrize(
    "script",
    [
        "echo 'CREATE TABLE half ();'; echo 'read error' >&2; exit 1",
        "echo 'CREATE TABLE half (number integer);'; echo 'COPY half FROM stdin;'; echo 42; kill -9 $$",
        "echo 'CREATE TABLE half (); SELECT 1 / 0;'; sleep 0.1; echo 'CREATE TABLE more ();'",
    ],
    ids=["it fails", "it is killed", "it is refused"],
)
@ensureDeferred
async def test_a_restore_that_breaks_off_changes_nothing(
    database: Database, new_clients: NewClients, script: str
) -> None:
    """A script that just ends would look like a complete one to psql."""
    before = await rows(database, TABLES)
    with pytest.raises(StoreRefused, match=r"read error|signal 9|division by zero"):
        await within(20, new_clients(pg_restore=script).replay(Path("backup"), "public", EMPTY))
    assert await rows(database, TABLES) == before


@ensureDeferred
async def test_a_restore_that_is_interrupted_changes_nothing(database: Database, new_clients: NewClients) -> None:
    """And leaves no program behind that might still do something."""
    before = await rows(database, TABLES)
    clients = new_clients(pg_restore="echo 'CREATE TABLE half ();'; exec sleep 60")
    restoring = deferred(clients.replay(Path("backup"), "public", EMPTY))
    await deferLater(reactor, 0.3)  # type: ignore[arg-type]
    restoring.cancel()
    with pytest.raises(CancelledError):
        await restoring
    await within(20, clients.stop())
    assert await rows(database, TABLES) == before


@ensureDeferred
async def test_a_restore_is_committed_at_its_end(database: Database, new_clients: NewClients) -> None:
    """What was there is gone, what came is there."""
    clients = new_clients(pg_restore="echo 'CREATE TABLE public.whole ();'")
    await within(20, clients.replay(Path("backup"), "public", EMPTY))
    assert await rows(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("whole",)]


@ensureDeferred
async def test_a_backup_tells_where_it_is_from(
    new_clients: NewClients, database: Database, dsn: str, tmp_path: Path
) -> None:
    """One of another program has no schema of ours."""
    clients = new_clients()
    with (tmp_path / "backup").open("wb") as file:
        await within(20, clients.dump("public", file.fileno()))
    contents = await within(20, clients.contents(tmp_path / "backup"))
    assert (contents.schema, contents.namespace) == (released()[-1][0], "public")
    assert contents.version.startswith(f"{contents.major}.")
    await put(database, EMPTY)
    await put(database, "CREATE TABLE recipes ()")
    with (tmp_path / "backup").open("wb") as file:
        await within(20, clients.dump("public", file.fileno()))
    assert await within(20, clients.contents(tmp_path / "backup")) == replace(contents, schema=0, namespace="")
