"""Where servers are measured or broken: a PostgreSQL, and wifidogd as processes started from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.support.checkout import ROOT
from tests.support.postgres import ThrowawayPostgres
from tests.support.testbed.server_process import ServerProcess, accepts, free_port, is_healthy, limited

READY_WITHIN = 60.0

PREFIX = "/wifidog/"
"""The path that gateways are configured with."""

DURABLE = {"fsync": "on"}


class Servers:
    """
    Starts servers from the checkout, each a process of its own.

    @ivar home: a directory for whatever is written.
    """

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="wifidogd-bench-", ignore_cleanup_errors=True)
        self.home = Path(self._directory.name)
        self.home.chmod(0o755)
        self._servers: list[ServerProcess] = []

    def end_servers(self) -> None:
        """End those that still run."""
        for server in self._servers:
            server.end()

    def clear(self) -> None:
        """Remove L{home}."""
        self._directory.cleanup()

    def wifidogd(
        self,
        dsn: str | None,
        *options: str,
        is_ready: Callable[[int], bool] | None = None,
        descriptors: int | None = None,
        environment: Mapping[str, str] = {},
        port: int | None = None,
    ) -> ServerProcess:
        """
        Start the checkout's wifidogd as an operator would.

        @param dsn: None for a PostgreSQL of its own; then name a C{--data-dir}.
        @param is_ready: as for L{serve}; None to wait until it knows who is adopted.
        @param descriptors: as for L{serve}.
        @param port: where it listens on 127.0.0.1; None for one that nobody uses.
        """
        twistd = Path(sys.executable).with_name("twistd")
        database = [] if dsn is None else ["--database", dsn]
        port = port or free_port()
        listen = ["--listen", f"tcp:{port}:interface=127.0.0.1"]
        return self.serve(
            [sys.executable, str(twistd), "--nodaemon", "--pidfile=", "wifidogd", *listen, *database, *options],
            port=port,
            is_ready=is_ready or is_healthy,
            descriptors=descriptors,
            environment=environment,
        )

    def serve(
        self,
        command: Sequence[str],
        *,
        port: int,
        is_ready: Callable[[int], bool] | None = None,
        descriptors: int | None = None,
        environment: Mapping[str, str] = {},
    ) -> ServerProcess:
        """
        Start a server from the checkout and wait until it is ready.

        @param port: where C{command} makes it listen, on 127.0.0.1; see L{free_port}.
        @param is_ready: asked with the port until it says yes; None for whether it accepts connections.
        @param descriptors: its C{ulimit -n}; None for ours.
        @raise RuntimeError: if it does not get ready within a minute.
        """
        log = self.home / f"server-{len(self._servers) + 1}.log"
        with open(log, "ab") as output:
            process = subprocess.Popen(
                limited(command, descriptors),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                start_new_session=True,
            )
        server = ServerProcess(process, port, log)
        self._servers.append(server)
        server.await_ready(is_ready or accepts, READY_WITHIN)
        return server


class Testbed(Servers):
    """
    What one trial, or one run of the benchmarks, needs; a context manager that removes everything at its end.

    @ivar postgres: running at first; may be stopped, killed, frozen and started again.
    """

    __test__ = False  # the name begins like that of a class of tests

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
        home = self.home / "postgres"
        home.mkdir()
        self.postgres = make_postgres(home, DURABLE | settings)

    def __enter__(self) -> Testbed:
        self.postgres.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end_servers()
        self.postgres.remove()
        self.clear()

    def create_database(self) -> str:
        """
        Make an empty database where servers shall find it.

        @return: its DSN.
        """
        return self.postgres.create_database()
