"""Bad clients in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.house import CHECKOUT
from benchmarks.loads.crowd import Visits


class Burden:
    """A process of L{benchmarks.loads} that has begun."""

    def __init__(
        self, kind: str, port: int, seconds: float, *, count: int = 1, rate: float = 20.0, again: bool = False
    ) -> None:
        """
        @param kind: C{rst}, or one of L{benchmarks.loads.kinds.NAMES}.
        @param count: clients at a time, for all but C{rst}.
        @param rate: clients a second, for C{rst}.
        @param again: whether another client comes for each that is sent away.
        """
        words = [kind, "--port", str(port), "--seconds", str(seconds), "--count", str(count), "--rate", str(rate)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.loads", *words, *(["--again"] if again else [])],
            stdout=subprocess.PIPE,
            cwd=CHECKOUT,
        )

    def visits(self) -> Visits:
        """
        Wait for its end.

        @raise RuntimeError: if it failed; it has said why.
        """
        said, _ = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError("a burden did not work")
        return Visits(**json.loads(said))
