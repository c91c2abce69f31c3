"""A throwaway PostgreSQL that keeps its word (fsync on), tuned as wifidogd tunes its own."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

from benchmarks.cost import tree_of
from wifidogd.store.embedded.binaries import Binaries, can_run, system_directories, transplant, wheel_directories
from wifidogd.store.embedded.commands import SETTINGS
from wifidogd.store.embedded.ownership import Owner, choose_owner

USER = "bench"
START_WITHIN = 60.0

TUNING = SETTINGS | {
    "unix_socket_permissions": "0777",
    "max_connections": "100",
    "max_wal_size": "2GB",
}
"""Room for the servers of many rows, and no checkpoint that falls into one measurement and not the next."""


class Postgres:
    """
    A PostgreSQL of its own on a Unix socket below a directory.

    Root runs it as an unprivileged user, for it refuses to run as root.

    @ivar version: as it calls itself, e.g. C{"15.14"}.
    """

    def __init__(self, home: Path) -> None:
        """
        Make an empty cluster.

        @param home: an empty directory; its parents must let others pass.
        """
        self._home = home
        self._owner = choose_owner(home / "data")
        self._binaries = find_programs(home, self._owner)
        self._names = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        if self._owner.is_someone_else:
            os.chown(home, self._owner.uid, self._owner.gid)
        home.chmod(0o755)
        self.version = version_of(self._binaries)
        self._run("initdb", "-D", home / "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    @property
    def pid(self) -> int:
        """
        Process id of the postmaster, the root of its tree.

        @raise RuntimeError: if it does not run.
        """
        if self._process is None:
            raise RuntimeError("PostgreSQL does not run; start() it")
        return self._process.pid

    def dsn(self, database: str = "postgres") -> str:
        """Tell how to reach a database, running or not."""
        return make_dsn(host=str(self._home), port=5432, user=USER, dbname=database)

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        settings = [word for name, value in TUNING.items() for word in ("-c", f"{name}={value}")]
        with open(self._home / "log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres",
                    *("-D", self._home / "data"),
                    *("-c", f"unix_socket_directories={self._home}"),
                    *settings,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **self._drop(),
            )
        give_up = time.monotonic() + START_WITHIN
        while not self._answers():
            if time.monotonic() > give_up or self._process.poll() is not None:
                raise RuntimeError((self._home / "log").read_text()[-2000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """Shut it down fast but cleanly; does nothing when it does not run."""
        if self._process is not None:
            self.thaw()
            self._process.send_signal(signal.SIGINT)
            self._process.wait(START_WITHIN)
            self._process = None

    def freeze(self) -> None:
        """Stop every process of it without telling anybody: a database that stalls."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo L{freeze}."""
        self._signal(signal.SIGCONT)

    def create(self) -> str:
        """
        Make an empty database.

        @return: its DSN.
        """
        name = f"bench_{next(self._names)}"
        execute(self.dsn(), f"CREATE DATABASE {name}")
        return self.dsn(name)

    def drop(self, dsn: str) -> None:
        """Remove a database that nobody is connected to, or nobody needs to be."""
        execute(self.dsn(), f"DROP DATABASE {parse_dsn(dsn)['dbname']} WITH (FORCE)")

    def _answers(self) -> bool:
        try:
            execute(self.dsn(), "SELECT 1")
        except psycopg2.OperationalError:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        for pid in tree_of(self.pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run([self._binaries / program, *arguments], check=True, capture_output=True, cwd="/", **self._drop())

    def _drop(self) -> dict[str, object]:
        if not self._owner.is_someone_else:
            return {}
        return {"user": self._owner.uid, "group": self._owner.gid, "extra_groups": []}


def execute(dsn: str, *statements: str) -> list[tuple[object, ...]]:
    """
    Run statements one by one on a connection of their own, each committed at once.

    @return: the rows of the last one, if it has any.
    """
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def find_programs(home: Path, owner: Owner) -> Path:
    """
    Find initdb and postgres where wifidogd looks for them: the system's newest, else the wheel's.

    @param home: where the wheel's are copied to if C{owner} may not enter the place they are in.
    @raise RuntimeError: if there are none.
    """
    installed = [installation(path) for path in system_directories() if can_run(path, owner)]
    if installed:
        return max(installed, key=lambda binaries: binaries.major).directory
    for path in wheel_directories():
        if (path / "postgres").exists():
            return path if can_run(path, owner) else transplant(installation(path), home)
    raise RuntimeError("the benchmarks need PostgreSQL's server: apt install postgresql")


def installation(directory: Path) -> Binaries:
    """Ask the PostgreSQL of a directory what it is."""
    version = version_of(directory)
    return Binaries(directory, version, int(version.split(".")[0]))


def version_of(directory: Path) -> str:
    """
    Ask the PostgreSQL of a directory for its version.

    @raise RuntimeError: if it does not tell.
    """
    answer = subprocess.run([directory / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    match = re.search(r"[0-9]+(\.[0-9]+)*", answer)
    if match is None:
        raise RuntimeError(f"{directory / 'postgres'} does not tell its version: {answer!r}")
    return match[0]
