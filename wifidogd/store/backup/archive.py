"""Reads a backup with pg_restore, which an unprivileged user runs, and whose output is never executed."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from wifidogd.domain.errors import StoreRefused
from wifidogd.store.backup.dump_text import TableRows
from wifidogd.store.embedded.binaries import Binaries
from wifidogd.store.embedded.child import ENVIRONMENT, LAST_LINES, LINE_LIMIT
from wifidogd.store.embedded.ownership import Owner

MAGIC = b"PGDMP"
"""What pg_dump's custom format begins with (C{src/bin/pg_dump/pg_backup_custom.c})."""

SERVER_VERSION = re.compile(r";\s+Dumped from database version: (([0-9]+)\S*)")
TABLE = re.compile(r"[0-9]+; [0-9]+ [0-9]+ TABLE DATA (\S+) (.+) \S+$")
APPLIED = re.compile(rb"([0-9]{1,9})\t")

VERSIONS = "schema_versions"
"""The table by which a backup of ours is known, with the schema files that had been applied."""

MOST_TABLES = 1000
"""How many tables of a backup are looked at; ours has fewer than fifty."""

PATIENCE = 10.0
"""Seconds for pg_restore to end once nobody reads from it any more."""


@dataclass(frozen=True, slots=True)
class Contents:
    """
    The table of contents of a backup, as far as it matters here.

    @ivar schema: number of the last schema file that had been applied; 0 if it is none of wifidogd's.
    @ivar namespace: PostgreSQL's schema with our tables, normally C{public}; empty for none.
    @ivar version: of the server it was made from, e.g. C{"15.14"}.
    @ivar major: e.g. 15.
    @ivar tables: all that have data in it, ours or not.
    """

    schema: int
    namespace: str
    version: str
    major: int
    tables: tuple[str, ...] = ()


class Archive:
    """
    A file in pg_dump's custom format.  All methods but L{stop} block, and are meant for a thread.

    A backup may have been changed by somebody who wants to be the superuser of this database: its statements, and even
    the rows of its tables, can hold commands.  That is why it is only read here.
    """

    def __init__(self, binaries: Binaries, backup: Path, owner: Owner) -> None:
        """
        @param owner: who runs pg_restore if we are root.
        """
        self._program = str(binaries.directory / "pg_restore")
        self._backup = backup
        self._owner = owner
        self._running: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def contents(self) -> Contents:
        """
        Return what the backup holds.

        @raise StoreRefused: if pg_restore cannot read it.
        """
        version, major, ours = "", 0, ""
        tables: list[str] = []
        with self.said("--list") as output:
            for line in output:
                text = line[:LINE_LIMIT].decode("utf-8", "replace").rstrip("\n")
                if found := SERVER_VERSION.match(text):
                    version, major = found[1], int(found[2])
                elif (found := TABLE.match(text)) and len(tables) < MOST_TABLES:
                    tables.append(found[2])
                    ours = found[1] if found[2] == VERSIONS else ours
        return Contents(self._schema() if ours else 0, ours, version, major, tuple(tables))

    def _schema(self) -> int:
        """Return the highest number of an applied schema file."""
        with self.said("--data-only", f"--table={VERSIONS}") as output:
            rows = TableRows(output, VERSIONS)
            applied = [int(found[1]) for line in islice(rows.lines(), MOST_TABLES) if (found := APPLIED.match(line))]
        return max(applied, default=0)

    @contextmanager
    def said(self, *options: str) -> Iterator[IO[bytes]]:
        """
        Provide the output of pg_restore, which is told to end if it is not read to the end.

        @raise StoreRefused: at the end, if pg_restore did not come to a good one.
        """
        become = {"user": self._owner.uid, "group": self._owner.gid, "extra_groups": []}
        with self._backup.open("rb") as backup, tempfile.TemporaryFile() as problems:
            process = subprocess.Popen(  # noqa: S603 - a program of PostgreSQL, and no shell
                [self._program, "--file=-", *options],
                stdin=backup,
                stdout=subprocess.PIPE,
                stderr=problems,
                cwd="/",
                env=ENVIRONMENT,
                start_new_session=True,
                **(become if self._owner.is_someone_else else {}),  # type: ignore[call-overload]
            )
            self._running = process
            with process:
                assert process.stdout is not None
                try:
                    yield process.stdout
                    is_complete = not process.stdout.read(1)
                except StoreRefused as error:
                    raise self._explained(process, problems, error) from error
                finally:
                    _end(process)
                    self._running = None
            if self._is_stopped or (process.returncode and is_complete):
                raise StoreRefused(f"pg_restore ended with {process.returncode}. It said:\n{_last_lines(problems)}")

    def _explained(self, process: subprocess.Popen[bytes], problems: IO[bytes], error: StoreRefused) -> StoreRefused:
        """Return an error of who reads from pg_restore with what pg_restore said, unless it only had to stop."""
        _end(process)
        if process.returncode <= 0:
            return error
        return StoreRefused(f"{error} pg_restore said:\n{_last_lines(problems)}")

    def stop(self) -> None:
        """End the pg_restore that runs, and with it the work of whoever reads from it; for any thread."""
        self._is_stopped = True
        if self._running is not None:
            self._running.kill()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let pg_restore end, which nobody reads from any more."""
    if process.stdout is not None:
        process.stdout.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


def _last_lines(problems: IO[bytes]) -> str:
    """Return the end of what a program has said."""
    problems.seek(max(0, problems.seek(0, 2) - LAST_LINES * LINE_LIMIT))
    lines = problems.read().decode("utf-8", "replace").splitlines()
    return "\n".join(line[:LINE_LIMIT] for line in lines[-LAST_LINES:])


def is_dump(backup: Path) -> bool:
    """
    Return whether a file looks like pg_dump's custom format.

    @raise OSError: if it cannot be read.
    """
    with backup.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
