"""C{python -m benchmarks [NAME ...]}: measure, print tables, and say by the exit status whether the limits hold."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks.output.table import Result, surroundings
from tests.support.testbed.testbed import Testbed
from wifidogd.store.embedded.commands import SETTINGS

BENCHES = ("klein", "lists", "oldstack", "history", "guests", "idle", "start")
"""Each a module of this package with C{run(testbed, quick) -> Result}, in the order in which they run."""

POSTGRES_SETTINGS = SETTINGS | {
    "unix_socket_permissions": "0777",
    "max_connections": "100",
    "max_wal_size": "2GB",
}
"""
Those of wifidogd's own PostgreSQL, fsync included.

There is room for the servers of many rows, and no checkpoint that falls into one measurement and not the next.
"""

BY_NAME_ONLY = ("soak", "revisions")
"""Those that take too long, or need another checkout, to be run with the others."""


def main(arguments: list[str]) -> int:
    """
    Run benches.

    @return: 0 if all limits hold, or it was only a quick look.
    """
    asked = read_arguments(arguments)
    signal.signal(signal.SIGTERM, leave)
    results = []
    with Testbed(POSTGRES_SETTINGS) as testbed:
        around = surroundings(testbed.postgres.version)
        print(", ".join(f"{name} {value}" for name, value in around.items() if isinstance(value, int | str)) + "\n")
        for name in asked.names or BENCHES:
            began = time.monotonic()
            results.append(run(name, testbed, asked.quick))
            write(asked.json, around, results)
            print(f"{results[-1].text()}\n({time.monotonic() - began:.0f} s)\n", flush=True)
    return 0 if asked.quick or all(result.is_held for result in results) else 1


def leave(number: int, _: object) -> None:
    """Exit on a signal, so that the testbed is left and everything in it ends."""
    sys.exit(128 + number)


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Understand the command line, or explain it and leave."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure wifidogd beside others.")
    known = (*BENCHES, *BY_NAME_ONLY)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(known)} [default: all but the last two]")
    parser.add_argument("--quick", action="store_true", help="the short form, whose limits are shown and not enforced")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures into this file, too")
    asked = parser.parse_args(arguments)
    for name in asked.names:
        if name not in known:
            parser.error(f"there is no bench called {name}: choose from {', '.join(known)}")
    return asked


def run(name: str, testbed: Testbed, quick: bool) -> Result:
    """Run one bench."""
    result: Result = import_module(f"benchmarks.{name}").run(testbed, quick)
    return result


def write(file: Path | None, around: dict[str, object], results: list[Result]) -> None:
    """Write what there is so far, if anybody asked for it."""
    if file is not None:
        found = {"surroundings": around, "results": [result.json() for result in results]}
        file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
