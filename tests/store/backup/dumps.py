"""Backups of a database, as pg_dump writes them and as no pg_dump would."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet import reactor

from tests.support.deadline import within
from tests.support.postgres import newest_binaries
from wifidogd.store.backup.archive import Archive
from wifidogd.store.backup.dump import Dump
from wifidogd.store.embedded.binaries import Binaries
from wifidogd.store.embedded.ownership import Owner


def ourselves() -> Owner:
    """Return the user that the tests run as."""
    return Owner(os.geteuid(), os.getegid(), "ourselves")


async def dump_of(dsn: str, file: Path) -> Path:
    """Write a backup of a database."""
    dump = Dump(Binaries(newest_binaries(), "15.1", 15), dsn, reactor)  # type: ignore[arg-type]
    await within(30, dump.write("public", file))
    return file


def real_archive(file: Path) -> Archive:
    """Return a backup as PostgreSQL's own pg_restore reads it."""
    return Archive(Binaries(newest_binaries(), "15.1", 15), file, ourselves())


def scripted_archive(directory: Path, script: str, owner: Owner | None = None) -> Archive:
    """Return a backup whose pg_restore is a script."""
    program = directory / "pg_restore"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (directory / "backup").touch()
    return Archive(Binaries(directory, "15.1", 15), directory / "backup", owner or ourselves())
