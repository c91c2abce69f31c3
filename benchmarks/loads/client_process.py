"""Bad clients in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.loads.crowd import Visits
from tests.support.checkout import ROOT


class ClientProcess:
    """A module of ours that has begun in a process of its own, and says in the end who came."""

    def __init__(self, module: str, *words: str) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )

    def visits(self) -> Visits:
        """
        Wait for its end.

        @raise RuntimeError: if it failed; it has said why.
        """
        said, _ = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"{self._module} did not work")
        return Visits(**json.loads(said))


class BadClients(ClientProcess):
    """A process of L{benchmarks.loads} that has begun."""

    def __init__(
        self, kind: str, port: int, seconds: float, *, count: int = 1, rate: float = 20.0, again: bool = False
    ) -> None:
        """
        @param kind: C{rst}, or one of L{benchmarks.loads.bad_clients.NAMES}.
        @param count: clients at a time, for all but C{rst}.
        @param rate: clients a second, for C{rst}.
        @param again: whether another client comes for each that is sent away.
        """
        words = [kind, "--port", str(port), "--seconds", str(seconds), "--count", str(count), "--rate", str(rate)]
        super().__init__("benchmarks.loads", *words, *(["--again"] if again else []))
