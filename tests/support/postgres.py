"""A throwaway PostgreSQL that tests, trials and benchmarks start, break and remove."""

from __future__ import annotations

import glob
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2.extensions import parse_dsn

TUNING = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "fsync": "off",
    "max_wal_size": "512MB",
}


def newest_binaries() -> Path:
    """Find the directory of the system's newest initdb and postgres."""
    found = glob.glob("/usr/lib/postgresql/*/bin")
    if found:
        return Path(max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", path)]))
    initdb = shutil.which("initdb")
    if initdb is None:
        raise RuntimeError("the tests need PostgreSQL's server: apt install postgresql")
    return Path(initdb).resolve().parent


class ThrowawayPostgres:
    """
    A real PostgreSQL of its own, on a Unix socket in a directory of its own.

    All calls block.  C{postgres} refuses to run as root, so root's tests run
    it as the C{postgres} (or C{nobody}) user.

    @ivar dsn: how to reach it, running or not.
    """

    def __init__(self, home: Path | None = None, settings: Mapping[str, str] = {}) -> None:
        """
        Make an empty cluster.

        @param home: an empty directory which others may reach; None for a temporary one.
        @param settings: beside L{TUNING}, or instead of what is there.
        """
        self._home = home or Path(tempfile.mkdtemp(prefix="wifidogd-test-", dir="/tmp"))
        self._settings = TUNING | settings
        self._binaries = newest_binaries()
        self._names = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self.dsn = f"host={self._home} port=5432 user=tester dbname=postgres"
        self._drop: dict[str, int] = {}
        if os.geteuid() == 0:
            owner = self._unprivileged()
            os.chown(self._home, owner.pw_uid, owner.pw_gid)
            self._drop = {"user": owner.pw_uid, "group": owner.pw_gid}
        self._home.chmod(0o755)
        self._make()

    def _make(self) -> None:
        """Make the files of the cluster."""
        self._run("initdb", "-D", self._home / "data", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def _run(self, program: str, *arguments: str | Path) -> None:
        """Run one of PostgreSQL's programs as the owner of the cluster."""
        subprocess.run(
            [self._binaries / program, *arguments],
            check=True,
            capture_output=True,
            cwd="/",
            extra_groups=[] if self._drop else None,
            **self._drop,
        )

    @staticmethod
    def _unprivileged() -> pwd.struct_passwd:
        try:
            return pwd.getpwnam("postgres")
        except KeyError:
            return pwd.getpwnam("nobody")

    @property
    def owner(self) -> Mapping[str, int]:
        """Return the user of its programs, as arguments of L{subprocess.Popen}; empty for our own."""
        return self._drop

    @property
    def socket(self) -> Path:
        """The path of its socket."""
        return self._home / ".s.PGSQL.5432"

    @property
    def runs(self) -> bool:
        """Return whether the server is running."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        assert self._process is not None
        return self._process.pid

    def pids(self) -> list[int]:
        """The postmaster and all its children, from /proc."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def start(self) -> None:
        """Start it and wait until it accepts connections, 30 s at most."""
        with open(self._home / "log", "ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                extra_groups=[] if self._drop else None,
                **self._drop,
            )
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until it accepts connections, 30 s at most."""
        assert self._process is not None
        give_up = time.monotonic() + 30
        while subprocess.run([self._binaries / "pg_isready", "-q", "-h", self._home], check=False).returncode:
            if time.monotonic() > give_up or self._process.poll() is not None:
                raise RuntimeError((self._home / "log").read_text()[-2000:])
            time.sleep(0.05)

    def _command(self) -> list[str | Path]:
        settings = {"unix_socket_directories": str(self._home), **self._settings}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self._binaries / "postgres", "-D", self._home / "data", *words]

    @property
    def version(self) -> str:
        """As it calls itself, e.g. C{"15.14"}."""
        command = [self._binaries / "postgres", "--version"]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return re.findall(r"[0-9]+(?:\.[0-9]+)*", answer)[0]

    def create_database(self) -> str:
        """
        Make an empty database.

        @return: its DSN.
        """
        name = f"test_{next(self._names)}"
        execute(self.dsn, f"CREATE DATABASE {name}")
        return self.dsn.replace("dbname=postgres", f"dbname={name}")

    def drop_database(self, dsn: str) -> None:
        """Remove a database, and disconnect everybody from it."""
        execute(self.dsn, f"DROP DATABASE {parse_dsn(dsn)['dbname']} WITH (FORCE)")

    def stop(self) -> None:
        """Shut it down fast but cleanly."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Take all of it away at once, as a crash would."""
        if self._process is None:
            return
        for pid in reversed(self.pids()):
            self._signal(pid, signal.SIGKILL)
        self._process.wait(30)
        self._process = None

    def freeze(self) -> None:
        """Stop every process of it without telling anybody."""
        for pid in self.pids():
            self._signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo L{freeze}."""
        for pid in self.pids():
            self._signal(pid, signal.SIGCONT)

    def remove(self) -> None:
        """Stop it, whatever state it is in, and delete its files."""
        if self.runs:
            self.thaw()
            self._end(signal.SIGINT)
        shutil.rmtree(self._home)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(30)
        self._process = None

    @staticmethod
    def _signal(pid: int, number: signal.Signals) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def execute(dsn: str, *statements: str) -> list[tuple[object, ...]]:
    """
    Run statements one by one on a connection of their own, each committed at once; blocks.

    @return: the rows of the last one, if it has any.
    """
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []
