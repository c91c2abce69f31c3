"""A server as a process of its own, and the loopback it is reached by."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.testbed.process_cost import tree_of

END_WITHIN = 15.0


class ServerProcess:
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
        """Return whether the process is running."""
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
        """Ask the process to stop; kill whatever is left of its tree after 15 s."""
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


def limited(command: Sequence[str], descriptors: int | None) -> list[str]:
    """Return a command that runs another with so many descriptors, soft and hard limit; None for as it is."""
    if descriptors is None:
        return list(command)
    return ["sh", "-c", f'ulimit -n {descriptors} && exec "$@"', "sh", *command]


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Return whether connections to a port are accepted."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_healthy(port: int) -> bool:
    """Return whether wifidogd reports that it can serve guests."""
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


def await_healthy(server: ServerProcess, within: float, after: str) -> float:
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


def expect_root(what: str) -> None:
    """@raise RuntimeError: if we are not root."""
    if os.geteuid() != 0:
        raise RuntimeError(f"{what} takes root; the other trials do not: name them, or run this with sudo")
