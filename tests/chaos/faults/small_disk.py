"""A PostgreSQL on a small disk of its own, which can be full.  Needs root, who may mount one in memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg2

from tests.support.postgres import ThrowawayPostgres, execute
from tests.support.testbed.server_process import expect_root
from tests.support.testbed.testbed import Testbed

MEGABYTES = 192


def mount(mount_point: Path) -> None:
    """Put a small disk there."""
    expect_root("A disk of its own")
    options = f"size={MEGABYTES}m,mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "chaos", mount_point], check=True)


def unmount(mount_point: Path) -> None:
    """Take it away."""
    subprocess.run(["umount", mount_point], check=True)


def fill(filler: Path) -> None:
    """Leave no space on the disk that a new file is on."""
    with open(filler, "ab", buffering=0) as file:
        for size in (64 * 1024, 4096):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))


class SmallDiskPostgres(ThrowawayPostgres):
    """All its files are on a disk of its own."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        mount(home)
        self._disk = home
        self._filler = home / "filler"
        super().__init__(home, {"max_wal_size": "48MB"} | settings)

    def fill(self) -> None:
        """Leave no space."""
        fill(self._filler)

    def empty(self) -> None:
        """Undo L{fill}, and start what has not survived it."""
        self._filler.unlink()
        if self.runs:
            self.await_ready()
        else:
            self.start()

    def remove(self) -> None:
        """As L{ThrowawayPostgres.remove}, with the disk."""
        if self.runs:
            self.stop()
        unmount(self._disk)
        self._disk.rmdir()


class SmallDiskTestbed(Testbed):
    """A testbed whose database has little space."""

    postgres: SmallDiskPostgres

    def __init__(self, settings: Mapping[str, str] = {}) -> None:
        super().__init__(settings, SmallDiskPostgres)


@contextmanager
def no_space(postgres: SmallDiskPostgres, dsn: str) -> Iterator[None]:
    """Take what space is left, so that no table can grow."""
    postgres.fill()
    yield
    postgres.empty()


@contextmanager
def no_space_for_the_log(postgres: SmallDiskPostgres, dsn: str) -> Iterator[None]:
    """Take what space is left when another file of the write-ahead log is to begin; PostgreSQL gives up then."""
    postgres.fill()
    exhaust(dsn)
    yield
    postgres.empty()


def exhaust(dsn: str) -> None:
    """Have another file of the write-ahead log begun."""
    with suppress(psycopg2.DatabaseError):
        execute(dsn, "SELECT pg_switch_wal()", "CREATE TABLE straw (it integer)")
