"""wifidogctl backup: the whole database in a file."""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from wifidogd.ctl.cli.arguments import show_octets
from wifidogd.ctl.cli.command import CommandFailed, WrongUsage
from wifidogd.ctl.cli.database import connected, interruptible, standing
from wifidogd.store.backup.archive import Archive
from wifidogd.store.backup.client_programs import find_clients, reachable
from wifidogd.store.backup.dump import Dump
from wifidogd.store.backup.restore_script import look
from wifidogd.store.embedded.data_directory import CLUSTER
from wifidogd.store.embedded.ownership import choose_owner
from wifidogd.store.embedded.threads import in_thread

STDOUT = 1


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Add the noun, which has no verbs."""
    parser = nouns(
        "backup",
        help="write the whole database into a file",
        description="Write the whole database into a file, whether or not the server runs.  The file holds what "
        "guests typed and the secrets of the server: keep it as safe as those.",
    )
    parser.add_argument("file", metavar="FILE", help="to write; - for standard output")
    parser.add_argument("--replace", action="store_true", help="overwrite FILE if it exists")
    parser.set_defaults(run=run, prepare=check_words)


def check_words(arguments: Namespace) -> None:
    """
    Refuse a target that exists or cannot be written.

    @raise WrongUsage: if there is not.
    """
    file = Path(arguments.file)
    if arguments.file == "-":
        if sys.stdout.isatty():
            raise WrongUsage("A backup is nothing to read: send it into a file.")
    elif not file.parent.is_dir():
        raise WrongUsage(f"There is no directory {file.parent}: make it, or name another file.")
    elif file.is_dir() or (os.path.lexists(file) and not file.is_file()):
        raise WrongUsage(f"{file} is no file: name another one.")


async def run(reactor: Any, arguments: Namespace) -> None:
    """Write the backup; nothing is left if it cannot be finished."""
    await interruptible(reactor, lambda: _back_up(reactor, arguments))


async def _back_up(reactor: Any, arguments: Namespace) -> None:
    if arguments.file == "-":
        await _dump(reactor, arguments, STDOUT)
        return
    file = Path(arguments.file)
    if file.exists() and not arguments.replace:
        raise CommandFailed(f"{file} is there already: name another file, or say --replace.")
    try:
        with _finished(file) as unfinished:
            schema = await _dump(reactor, arguments, unfinished)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {error.strerror}.") from error
    print(f"{file} holds the whole database: {show_octets(file.stat().st_size)}, schema {schema}.")


@contextmanager
def _finished(file: Path) -> Iterator[Path]:
    """Provide a file that gets its name once it is complete and on disk; only its owner may read it."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        yield Path(name)
        os.fsync(descriptor)
        os.replace(name, file)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
    finally:
        os.close(descriptor)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


async def _dump(reactor: Any, arguments: Namespace, target: int | Path) -> int:
    """
    Write the database to a file, and check the file; or to a descriptor.

    @return: number of the schema, by the file if there is one.
    """
    async with standing(reactor, arguments) as dsn:
        async with connected(reactor, dsn) as database:
            present = await database.transaction(look)
        if not present.schema:
            raise CommandFailed("No wifidogd has used this database yet: there is nothing to back up.")
        binaries = (await find_clients(present.server, reactor=reactor))[0]
        dump = Dump(binaries, dsn, reactor)
        try:
            await dump.write(present.namespace, target)
        finally:
            await dump.stop()
        if not isinstance(target, Path):
            return present.schema
        owner = choose_owner(Path(arguments.data_dir) / CLUSTER)
        with reachable(binaries, owner) as programs:
            return (await in_thread(reactor, Archive(programs, target, owner).contents)).schema
