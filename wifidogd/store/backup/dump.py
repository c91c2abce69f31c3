"""
Runs PostgreSQL's own programs to write a backup and to restore it.

Passwords reach them by their environment, which only its user can read; everybody can read what C{ps} shows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from psycopg2.extensions import make_dsn

from wifidogd.domain.errors import ConfigurationError, StoreRefused
from wifidogd.store.driver.dsn import session_parameters
from wifidogd.store.embedded.binaries import Binaries
from wifidogd.store.embedded.child import Child
from wifidogd.store.embedded.threads import Reactor, in_thread

MAGIC = b"PGDMP"
"""What pg_dump's custom format begins with (C{src/bin/pg_dump/pg_backup_custom.c})."""

PORTABLE = ("--no-owner", "--no-privileges")
"""A backup is to be restored by whoever the next server's user is."""

SERVER_VERSION = re.compile(r";\s+Dumped from database version: (([0-9]+)\S*)")
OUR_VERSIONS = re.compile(r"[0-9]+; [0-9]+ [0-9]+ TABLE DATA (.+) schema_versions \S+$")
APPLIED = re.compile(r"([0-9]+)\t")

PSQL = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--output={os.devnull}", "--file=-")
BEGIN, COMMIT = b"BEGIN;\n", b"\nANALYZE;\nCOMMIT;\n"
"""What goes before and after; until tables are analysed PostgreSQL would read them from end to end."""


@dataclass(frozen=True, slots=True)
class Contents:
    """
    The table of contents of a backup, as far as it matters here.

    @ivar schema: number of the last schema file that had been applied; 0 if it is none of wifidogd's.
    @ivar namespace: PostgreSQL's schema with our tables, normally C{public}; empty for none.
    @ivar version: of the server it was made from, e.g. C{"15.14"}.
    @ivar major: e.g. 15.
    """

    schema: int
    namespace: str
    version: str
    major: int


class Clients:
    """The client programs at work on one database, one task at a time."""

    def __init__(self, binaries: Binaries, dsn: str, reactor: Reactor) -> None:
        """
        @raise ConfigurationError: if the DSN cannot be read, or holds a secret that these programs take from their
            command line only.
        """
        parameters = session_parameters(dsn)
        password = parameters.pop("password", None)
        if "sslpassword" in parameters:
            raise ConfigurationError(
                "--database has an sslpassword, which pg_dump would show to everybody: name a key without a password."
            )
        self._directory = binaries.directory
        self._database: str = make_dsn(**parameters)
        self._environment = {**os.environ, "LC_ALL": "C", **({} if password is None else {"PGPASSWORD": password})}
        self._reactor = reactor
        self._running: list[Child] = []

    async def dump(self, namespace: str, target: int) -> None:
        """
        Write a backup, in pg_dump's custom format.

        @param namespace: PostgreSQL's schema that is to be backed up.
        @param target: a descriptor.
        @raise StoreRefused: if it cannot be done; what was written is of no use.
        """
        command = [*self._on_database("pg_dump"), *PORTABLE, "--format=custom", f"--schema={_literally(namespace)}"]
        child = self._start(command, {1: target})
        await child.ended.wait()
        _expect_success("pg_dump", child)

    async def contents(self, backup: Path) -> Contents:
        """
        Read what a backup holds.

        @raise StoreRefused: if these programs cannot read it.
        """
        listing = await self._heard(["--list"], backup, _of_interest)
        made_from = next((found for found in listing if found.re is SERVER_VERSION), None)
        ours = next((found[1] for found in listing if found.re is OUR_VERSIONS), "")
        select = ["--data-only", "--table=schema_versions", "--file=-"]
        applied = [int(found[1]) for found in await self._heard(select, backup, APPLIED.match)] if ours else []
        version, major = ("", 0) if made_from is None else (made_from[1], int(made_from[2]))
        return Contents(max(applied, default=0), ours, version, major)

    async def replay(self, backup: Path, namespace: str, before: str) -> None:
        """
        Restore a backup in one transaction.

        psql is told to COMMIT by us, once pg_restore has come to a good end.  Whatever else ends closes the pipe, by
        kill -9 even, and psql rolls back.

        @param before: a statement to begin with.
        @raise StoreRefused: if it cannot be done; nothing was changed.
        """
        script, pen = os.pipe()
        try:
            os.write(pen, BEGIN + before.encode() + b";\n")
            psql = self._start([*self._on_database("psql"), *PSQL], {0: script})
            os.close(script)
            command = [self._program("pg_restore"), *PORTABLE, f"--schema={namespace}", "--file=-", str(backup)]
            pg_restore = self._start(command, {1: pen})
            await pg_restore.ended.wait()
            if not pg_restore.has_failed:
                await in_thread(self._reactor, _write, pen, COMMIT)
        finally:
            os.close(pen)
        await psql.ended.wait()
        _expect_success("psql", psql)
        _expect_success("pg_restore", pg_restore)

    async def stop(self) -> None:
        """Stop the programs that run, and wait for their ends."""
        for child in self._running:
            child.end()
        for child in self._running:
            await child.ended.wait()

    async def _heard(
        self, options: list[str], backup: Path, matching: Callable[[str], re.Match[str] | None]
    ) -> list[re.Match[str]]:
        """Run pg_restore and keep what matches of the lines it says."""
        heard: list[re.Match[str]] = []

        def hear(line: str) -> None:
            if found := matching(line):
                heard.append(found)

        child = self._start([self._program("pg_restore"), *options, str(backup)], {}, hear)
        await child.ended.wait()
        _expect_success("pg_restore", child)
        return heard

    def _program(self, name: str) -> str:
        return str(self._directory / name)

    def _on_database(self, name: str) -> list[str]:
        return [self._program(name), "--no-password", f"--dbname={self._database}"]

    def _start(
        self, command: list[str], descriptors: Mapping[int, int], hear: Callable[[str], None] | None = None
    ) -> Child:
        child = Child(self._reactor, hear)
        pipes: Mapping[int, int | Literal["r", "w"]] = {0: "w", 1: "r", 2: "r", **descriptors}
        self._reactor.spawnProcess(child, command[0], command, env=self._environment, childFDs=pipes)
        self._running = [each for each in self._running if not each.ended.has_come] + [child]
        return child


def is_dump(backup: Path) -> bool:
    """
    Return whether a file looks like pg_dump's custom format.

    @raise OSError: if it cannot be read.
    """
    with backup.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _of_interest(line: str) -> re.Match[str] | None:
    return SERVER_VERSION.match(line) or OUR_VERSIONS.match(line)


def _literally(name: str) -> str:
    """Quote a name for pg_dump, which takes patterns."""
    quoted = name.replace('"', '""')
    return f'"{quoted}"'


def _write(pen: int, words: bytes) -> None:
    """Write to a program that may have ended; its exit status says why."""
    try:
        os.write(pen, words)
    except BrokenPipeError:
        pass


def _expect_success(name: str, child: Child) -> None:
    if child.has_failed:
        raise StoreRefused(f"{name} {child.ending}. It said:\n{child.last_words}")
