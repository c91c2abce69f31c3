"""
Keeps a port open and a server on it, as systemd does: C{python -m tests.chaos.faults.restarting PORT PROGRAM...}.

The program finds the listening socket as sd_listen_fds(3) has it, under the name "web"; whenever it ends it is started
again at once, until SIGTERM ends both.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

BACKLOG = 1024


class Restarter:
    """Starts a service again and again."""

    def __init__(self, port: int, program: list[str]) -> None:
        self._listening = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
        descriptor = self._listening.fileno()
        self._command = [sys.executable, "-m", "tests.support.programs.activated", str(descriptor), "web", *program]
        self._service: subprocess.Popen[bytes] | None = None
        self._is_over = False

    def run(self) -> None:
        """Go on until told to stop, and until the service has."""
        signal.signal(signal.SIGTERM, self._stop)
        while not self._is_over:
            self._service = subprocess.Popen(self._command, pass_fds=[self._listening.fileno()])
            if self._is_over:
                self._service.terminate()
            print(f"the service ended with {self._service.wait()}", flush=True)

    def _stop(self, *_: object) -> None:
        self._is_over = True
        if self._service is not None:
            self._service.terminate()


if __name__ == "__main__":
    Restarter(int(sys.argv[1]), sys.argv[2:]).run()
