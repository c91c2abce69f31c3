"""Where everything that is measured runs: one PostgreSQL, and servers as processes of their own."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from benchmarks.cost import tree_of
from benchmarks.postgres import Postgres

CHECKOUT = Path(__file__).parents[1]

READY_WITHIN = 60.0
END_WITHIN = 15.0

PREFIX = "/wifidog/"
"""The path that gateways are configured with."""


class Server:
    """
    One server process, its children included.

    @ivar port: on 127.0.0.1.
    @ivar log: what it writes to standard output and error.
    @ivar ready_after: seconds from its start until it was ready; 0 until then.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process = process
        self._began = time.monotonic()
        self.port = port
        self.log = log
        self.ready_after = 0.0

    @property
    def pid(self) -> int:
        """Of the process that was started: the root of its tree."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def await_ready(self, is_ready: Callable[[int], bool], within: float) -> None:
        """
        Wait until it serves.

        @raise RuntimeError: if it ends or takes longer than C{within} seconds; with the end of its log.
        """
        give_up = time.monotonic() + within
        while not is_ready(self.port):
            if not self.runs or time.monotonic() > give_up:
                raise RuntimeError(f"a server did not start:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.01)
        self.ready_after = time.monotonic() - self._began

    def end(self) -> None:
        """Ask it to stop; whoever of its tree does not within 15 s is killed."""
        tree = tree_of(self.pid)
        if self.runs:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_WITHIN)
        if self.runs:
            for pid in tree:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait(END_WITHIN)


class House:
    """
    What one run of the benchmarks needs; to be entered by C{with}, and gone afterwards.

    @ivar home: a directory for whatever a bench writes.
    @ivar postgres: running, shared by everything that is measured side by side.
    """

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="wifidogd-bench-"))
        self.home.chmod(0o755)
        self._servers: list[Server] = []
        place = self.home / "postgres"
        place.mkdir()
        self.postgres = Postgres(place)

    def __enter__(self) -> House:
        self.postgres.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.end()
        self.postgres.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def wifidogd(
        self,
        dsn: str | None,
        *options: str,
        is_ready: Callable[[int], bool] | None = None,
        descriptors: int | None = None,
        environment: Mapping[str, str] = {},
    ) -> Server:
        """
        Start the checkout's wifidogd as an operator would.

        @param dsn: None for a PostgreSQL of its own; then name a C{--data-dir}.
        @param is_ready: as for L{serve}; None to wait until it knows who is adopted.
        @param descriptors: as for L{serve}.
        """
        twistd = Path(sys.executable).with_name("twistd")
        database = [] if dsn is None else ["--database", dsn]
        port = free_port()
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
    ) -> Server:
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
                cwd=CHECKOUT,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT), **environment},
                start_new_session=True,
            )
        server = Server(process, port, log)
        self._servers.append(server)
        server.await_ready(is_ready or accepts, READY_WITHIN)
        return server


def limited(command: Sequence[str], descriptors: int | None) -> list[str]:
    """Let a command run with so many descriptors, soft limit and hard; None for as it is."""
    if descriptors is None:
        return list(command)
    return ["sh", "-c", f'ulimit -n {descriptors} && exec "$@"', "sh", *command]


def allow_descriptors(count: int) -> None:
    """
    Raise our own soft limit, and that of servers started later, if it is lower.

    @raise RuntimeError: if the hard limit does not allow it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise RuntimeError(f"this bench needs {count} descriptors and may have {hard}: raise ulimit -Hn")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether somebody accepts connections on a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_healthy(port: int) -> bool:
    """Whether wifidogd says that it can serve guests."""
    return b" 200 " in ask(port, b"GET /healthz HTTP/1.0\r\n\r\n").partition(b"\r\n")[0]


def ask(port: int, request: bytes, within: float = 5.0) -> bytes:
    """
    Send a request on a connection of its own and read until the server hangs up.

    @return: empty if nobody answers within so many seconds.
    """
    heard = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), within) as connection:
        connection.sendall(request)
        while piece := connection.recv(65536):
            heard += piece
    return heard
