"""Where a trial takes place: a PostgreSQL to be hurt, and servers as processes of their own."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from benchmarks.house import Servers
from benchmarks.postgres import execute
from benchmarks.server import Server, is_healthy
from tests.support.postgres import ThrowawayPostgres

DURABLE = {"fsync": "on"}


class House(Servers):
    """
    What one trial needs; to be entered by C{with}, and gone afterwards.

    @ivar postgres: running at first; to be stopped, killed, frozen and started again.
    """

    def __init__(
        self,
        settings: Mapping[str, str] = {},
        make_postgres: Callable[[Path, Mapping[str, str]], ThrowawayPostgres] = ThrowawayPostgres,
    ) -> None:
        """
        @param settings: of PostgreSQL, beside its usual ones.
        @param make_postgres: called with an empty directory and settings.
        """
        super().__init__()
        place = self.home / "postgres"
        place.mkdir()
        self.postgres = make_postgres(place, DURABLE | settings)
        self._names = itertools.count(1)

    def __enter__(self) -> House:
        self.postgres.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end_servers()
        self.postgres.remove()
        self.clear()

    def database(self) -> str:
        """
        Make an empty database.

        @return: its DSN.
        """
        name = f"chaos_{next(self._names)}"
        execute(self.postgres.dsn, f"CREATE DATABASE {name}")
        return self.postgres.dsn.replace("dbname=postgres", f"dbname={name}")


def expect_root(what: str) -> None:
    """@raise RuntimeError: if we are not root."""
    if os.geteuid() != 0:
        raise RuntimeError(f"{what} takes root; the other trials do not: name them, or run this with sudo")


def until_well(server: Server, within: float, after: str) -> float:
    """
    Wait until guests are served again.

    @param within: seconds.
    @param after: what has happened to the server, in words.
    @return: seconds that it took.
    @raise RuntimeError: if it takes longer.
    """
    began = time.monotonic()
    while not is_healthy(server.port):
        if time.monotonic() - began > within:
            log = server.log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"guests are not served again {within:g} s after {after}:\n{log}")
        time.sleep(0.02)
    return time.monotonic() - began
