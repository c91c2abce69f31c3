"""
Runs pg_dump to write a backup.

Its password reaches it by its environment, which only its user can read; everybody can read what C{ps} shows.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from psycopg2.extensions import make_dsn

from wifidogd.domain.errors import ConfigurationError, StoreRefused
from wifidogd.store.driver.dsn import session_parameters
from wifidogd.store.embedded.binaries import Binaries
from wifidogd.store.embedded.child import Child
from wifidogd.store.embedded.threads import Reactor

PORTABLE = ("--no-owner", "--no-privileges")
"""A backup is to be restored by whoever the next server's user is."""


class Dump:
    """pg_dump at work on one database."""

    def __init__(self, binaries: Binaries, dsn: str, reactor: Reactor) -> None:
        """
        @raise ConfigurationError: if the DSN cannot be read, or holds a secret that pg_dump takes from its command line
            only.
        """
        parameters = session_parameters(dsn)
        password = parameters.pop("password", None)
        if "sslpassword" in parameters:
            raise ConfigurationError(
                "--database has an sslpassword, which pg_dump would show to everybody: name a key without a password."
            )
        self._program = str(binaries.directory / "pg_dump")
        self._database: str = make_dsn(**parameters)
        self._environment = {**os.environ, "LC_ALL": "C", **({} if password is None else {"PGPASSWORD": password})}
        self._reactor = reactor
        self._child: Child | None = None

    async def write(self, namespace: str, target: int | Path) -> None:
        """
        Write a backup, in pg_dump's custom format.

        @param namespace: PostgreSQL's schema that is to be backed up.
        @param target: a descriptor, or a file, which is better: pg_dump goes back in a file to note where each table
            begins, but only appends to a descriptor (seen with PostgreSQL 18).
        @raise StoreRefused: if it cannot be done; what was written is of no use.
        """
        command = [self._program, "--no-password", f"--dbname={self._database}", *PORTABLE, "--format=custom"]
        command.append(f"--schema={_literally(namespace)}")
        pipes: dict[int, int | Literal["r", "w"]] = {0: "w", 1: "r", 2: "r"}
        if isinstance(target, Path):
            command.append(f"--file={target.absolute()}")
        else:
            pipes[1] = target
        self._child = child = Child(self._reactor)
        self._reactor.spawnProcess(child, self._program, command, env=self._environment, childFDs=pipes)
        await child.ended.wait()
        if child.has_failed:
            raise StoreRefused(f"pg_dump {child.ending}. It said:\n{child.last_words}")

    async def stop(self) -> None:
        """Stop it if it runs, and wait for its end."""
        if self._child is not None:
            self._child.end()
            await self._child.ended.wait()


def _literally(name: str) -> str:
    """Quote a name for pg_dump, which takes patterns."""
    quoted = name.replace('"', '""')
    return f'"{quoted}"'
