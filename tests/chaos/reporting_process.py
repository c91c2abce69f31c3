"""Processes that are given orders, say a line when they have begun, and in the end what has come of them as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.support.checkout import ROOT


def begin(module: str, orders: Any, complaints: Path) -> subprocess.Popen[bytes]:
    """
    Return a process that has begun.

    @param module: what it runs.
    @param orders: a dataclass, which it gets as JSON.
    @param complaints: where it writes what goes wrong.
    @raise RuntimeError: if it ends before it has begun.
    """
    with open(complaints, "ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(asdict(orders))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
        )
    assert process.stdout is not None
    if not process.stdout.readline():
        raise RuntimeError(f"{module} did not begin:\n{complaints.read_text(errors='replace')[-3000:]}")
    return process


def report(work: Coroutine[Any, Any, Any]) -> int:
    """
    Run the reactor until the work is done, and print what it returns.

    @return: the status to exit with: 0 if there is something to tell.
    """
    from twisted.internet import reactor

    found: list[Any] = []

    def end(failure: object) -> None:
        if isinstance(failure, Failure):
            failure.printTraceback()
        reactor.stop()  # type: ignore[attr-defined]

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(work).addCallback(found.append).addBoth(end))  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
    for told in found:
        print(json.dumps(told), flush=True)
    return 0 if found else 1
