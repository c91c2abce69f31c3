"""The PostgreSQL that wifidogd runs by itself, on a small disk of its own: killed under it, or left without space."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.chaos.faults.small_disk import exhaust, fill, mount, unmount
from tests.support.testbed.process_cost import tree_of
from tests.support.testbed.server_process import ServerProcess
from tests.support.testbed.testbed import Servers
from wifidogd.store.embedded.data_directory import dsn_of


class EmbeddedPostgres:
    """
    What runs below a server.

    @ivar server: its parent.
    """

    server: ServerProcess

    def __init__(self, disk: Path) -> None:
        self._filler = disk / "filler"

    def kill(self) -> None:
        """Take all of it away with SIGKILL."""
        for pid in reversed(tree_of(self.server.pid)[1:]):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def fill(self) -> None:
        """Leave no space on its disk."""
        fill(self._filler)

    def empty(self) -> None:
        """Undo L{fill}."""
        self._filler.unlink()


class EmbeddedServers(Servers):
    """
    A testbed whose only server brings its database along.

    @ivar postgres: that of the server.
    """

    def __init__(self) -> None:
        super().__init__()
        self._disk = self.home / "disk"
        self._disk.mkdir()
        self.postgres = EmbeddedPostgres(self._disk)

    def __enter__(self) -> EmbeddedServers:
        mount(self._disk)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end_servers()
        unmount(self._disk)
        self.clear()

    def create_database(self) -> str:
        """Return where the database will be."""
        return dsn_of(self._disk / "data")

    def wifidogd(self, dsn: str | None, *options: str, **more: Any) -> ServerProcess:
        """Start the server, once; C{dsn} is what L{database} said."""
        self.postgres.server = super().wifidogd(None, "--data-dir", str(self._disk / "data"), *options, **more)
        return self.postgres.server


@contextmanager
def killed(postgres: EmbeddedPostgres, dsn: str) -> Iterator[None]:
    """Take all its processes away; it is for wifidogd to start it again."""
    postgres.kill()
    yield


@contextmanager
def no_space(postgres: EmbeddedPostgres, dsn: str) -> Iterator[None]:
    """Take what space is left, and let it fail for lack of space; wifidogd tries to start it until there is some."""
    postgres.fill()
    exhaust(dsn)
    yield
    postgres.empty()
