"""
One PostgreSQL for all mutants, whose databases are copies of one that is migrated already.

C{python -m tests.mutants.shared_postgres DSN} migrates a database.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

from tests.support.checkout import ROOT
from tests.support.postgres import ThrowawayPostgres, execute

FIND = "SELECT datname FROM pg_database WHERE datname LIKE '{prefix}%'"


class SharedPostgres:
    """Stands in for the L{ThrowawayPostgres} of the session in one process; neither starts nor removes anything."""

    def __init__(self, server: ThrowawayPostgres, template: str, number: int) -> None:
        """
        @param template: name of the database that is copied.
        @param number: of the process; its databases begin with it.
        """
        self._server = server
        self._template = template
        self._names = (f"{prefix(number)}{each}" for each in itertools.count(1))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def start(self) -> None:
        """It runs."""

    def remove(self) -> None:
        """Others need it."""

    def create_database(self) -> str:
        """Copy the template, and return the DSN of the copy."""
        name = next(self._names)
        execute(self._server.dsn, f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return self._server.dsn.replace("dbname=postgres", f"dbname={name}")


def prefix(number: int) -> str:
    """Return how the names of the databases of a process begin."""
    return f"mutant_{number}_"


def drop_databases(server: ThrowawayPostgres, number: int) -> None:
    """Remove what a process has left."""
    for (name,) in execute(server.dsn, FIND.format(prefix=prefix(number).replace("_", r"\_"))):
        execute(server.dsn, f"DROP DATABASE {name} WITH (FORCE)")


def make_template(server: ThrowawayPostgres) -> str:
    """Create and migrate the database that is copied; return its name."""
    dsn = server.create_database()
    subprocess.run([sys.executable, "-m", "tests.mutants.shared_postgres", dsn], check=True, cwd=ROOT)
    return dsn.rpartition("dbname=")[2]


def main(dsn: str) -> None:
    """Migrate."""
    from twisted.internet.task import react

    from tests.conftest import migrated
    from wifidogd.store.driver.database import Database

    async def run(reactor: Any) -> None:
        database = Database(clock=reactor, size=1)
        database.start(dsn)
        await migrated(database)
        await database.stop()

    react(lambda reactor: run(reactor))


if __name__ == "__main__":
    main(*sys.argv[1:])
