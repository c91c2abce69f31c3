"""wifidogctl restore: a database from a backup."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from wifidogd.ctl.cli.command import CommandFailed, WrongUsage
from wifidogd.ctl.cli.database import connected, interruptible, standing
from wifidogd.ctl.cli.output import count, printable
from wifidogd.domain.errors import StoreRefused
from wifidogd.settings import checked_data_dir
from wifidogd.store.backup.archive import Archive, Contents, is_dump
from wifidogd.store.backup.client_programs import find_clients, reachable
from wifidogd.store.backup.load import Load
from wifidogd.store.backup.restore_script import Present, keep_servers_out, look
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.embedded.data_directory import CLUSTER, is_served
from wifidogd.store.embedded.ownership import Owner, choose_owner
from wifidogd.store.embedded.threads import in_thread
from wifidogd.store.migrations import migrate, released

LONGEST = timedelta(days=1)

SHOWN = 5
"""How many tables that are not ours a message names."""


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Add the noun, which has no verbs."""
    parser = nouns(
        "restore",
        help="restore the database from a backup",
        description="Restore the database from FILE, as `wifidogctl backup` wrote it, or leave it as it is if that "
        "fails.  The server must not run.  A backup of an older version is brought up to date.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="written by wifidogctl backup")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="delete what is there: all tables in the same schema of the database, whoever made them",
    )
    parser.set_defaults(run=run, prepare=check_words)


def check_words(arguments: Namespace) -> None:
    """
    Refuse a file that is no backup.

    @raise WrongUsage: if it is no backup.
    """
    try:
        if not arguments.file.exists():
            raise WrongUsage(f"There is no file {arguments.file}.")
        if not arguments.file.is_file() or not is_dump(arguments.file):
            raise WrongUsage(f"{arguments.file} is no backup: name a file that `wifidogctl backup` has written.")
    except OSError as error:
        raise WrongUsage(f"{arguments.file} cannot be read ({error.strerror}): name another file.") from error


async def run(reactor: Any, arguments: Namespace) -> None:
    """Restore; everything stays as it is if that cannot be finished."""
    await interruptible(reactor, lambda: _restore(reactor, arguments))


async def _restore(reactor: Any, arguments: Namespace) -> None:
    if not arguments.database and is_served(checked_data_dir(arguments.data_dir)):
        raise CommandFailed(f"The server runs on {arguments.data_dir}: stop it first, and start it again afterwards.")
    async with standing(reactor, arguments, new=True) as dsn, connected(reactor, dsn) as database:
        present = await database.transaction(look)
        owner = choose_owner(Path(arguments.data_dir) / CLUSTER)
        async with _opened(arguments.file, owner, present.server, reactor) as (archive, contents):
            expect_fitting(arguments.file, contents, present)
            expect_room(present, arguments.replace)
            left_out = await _load(Load(archive, contents, dsn, reactor), database)
        await migrate(database)
        restored = await database.transaction(look)
    if left_out:
        print(f"Left out, as wifidogd has no such tables: {_named(left_out)}.", file=sys.stderr)
    print(f"Restored {_said(restored)}.")


@asynccontextmanager
async def _opened(backup: Path, owner: Owner, server: int, reactor: Any) -> AsyncIterator[tuple[Archive, Contents]]:
    """
    Open a backup with the first programs that can read it; the nearest to the server's version first.

    @raise CommandFailed: if none can.
    """
    problem = ""
    installed = await find_clients(server, reactor=reactor)
    for binaries in installed:
        with reachable(binaries, owner) as programs:
            archive = Archive(programs, backup, owner)
            try:
                contents = await in_thread(reactor, archive.contents)
            except StoreRefused as error:
                problem = problem or str(error)
                continue
            yield archive, contents
            return
    raise CommandFailed(
        f"{backup} cannot be read: it is damaged, or from a newer PostgreSQL than those installed"
        f" ({', '.join(each.version for each in installed)}). {problem}"
    )


def expect_fitting(backup: Path, contents: Contents, present: Present) -> None:
    """
    Refuse a backup that cannot be restored here.

    @raise CommandFailed: if it cannot.
    """
    newest = released()[-1][0]
    if not contents.schema:
        raise CommandFailed(f"{backup} is a backup of another program: there are no tables of wifidogd in it.")
    if contents.schema > newest:
        raise CommandFailed(
            f"{backup} has schema {contents.schema}, this wifidogd knows {newest} at most:"
            " install the newer wifidogd first."
        )
    if contents.major > present.server:
        raise CommandFailed(
            f"{backup} is from PostgreSQL {contents.version}, the database here is PostgreSQL {present.server}:"
            f" restore into PostgreSQL {contents.major} or newer."
        )
    if contents.namespace != present.namespace:
        raise CommandFailed(
            f"{backup} has its tables in the schema {contents.namespace}, wifidogd uses"
            f" {present.namespace or 'none'} here: set the search_path of the user to {contents.namespace}."
        )


def expect_room(present: Present, replace: bool) -> None:
    """
    Refuse to replace data unless the operator allows it.

    @raise CommandFailed: if so, and nobody said that it may.
    """
    if present.tables and not replace:
        raise CommandFailed(f"The database is not empty: it has {_said(present)}. To throw that away say --replace.")


async def _load(load: Load, database: Database) -> list[str]:
    """Replace what is there, while no server can start on it, and return the names of the tables that were left out."""

    async def work(cursor: Cursor) -> list[str]:
        if not await keep_servers_out(cursor):
            raise CommandFailed("A server uses this database: stop it first, and start it again afterwards.")
        return await load.run()

    return await database.transaction(work, deadline=LONGEST)


def _named(tables: Sequence[str]) -> str:
    """Return the first L{SHOWN} of some names, and how many more there are."""
    more = len(tables) - SHOWN
    return ", ".join(map(printable, tables[:SHOWN])) + (f" and {more} more" if more > 0 else "")


def _said(present: Present) -> str:
    """Return a description of what a database holds."""
    if not present.schema:
        return f"tables that are not wifidogd's ({_named(present.tables)})"
    if present.schema > released()[-1][0]:
        return f"schema {present.schema}, of a newer wifidogd"
    counts = ((present.gateways, "gateway"), (present.accounts, "account"), (present.sessions, "open session"))
    return f"schema {present.schema} with {', '.join(count(number, noun) for number, noun in counts)}"
