"""C{python -m tests.chaos [NAME ...] [--json FILE]}: run trials; the exit status says whether all promises held."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.chaos.fuzz import trial as fuzz
from tests.chaos.report.trial_result import TrialResult, write
from tests.chaos.trials import (
    backup,
    bad_clients,
    clock_steps,
    database,
    pooler,
    server_ends,
    standby,
    two_servers,
    websocket,
)

Trial = Callable[[], Sequence[TrialResult]]

TRIALS: dict[str, Trial] = {
    **bad_clients.TRIALS,
    **fuzz.TRIALS,
    **database.TRIALS,
    **standby.TRIALS,
    **two_servers.TRIALS,
    **pooler.TRIALS,
    **backup.TRIALS,
    **server_ends.TRIALS,
    **clock_steps.TRIALS,
    **websocket.TRIALS,
}
"""The long form of everything, by name, in the order in which they run."""


def main(arguments: list[str]) -> int:
    """
    Run trials.

    @return: 0 if all promises were kept.
    """
    asked = read_arguments(arguments)
    signal.signal(signal.SIGTERM, leave)
    rows: list[TrialResult] = []
    for name in asked.names or TRIALS:
        began = time.monotonic()
        for row in TRIALS[name]():
            rows.append(row)
            print(row.text(), flush=True)
        print(f"({name}: {time.monotonic() - began:.0f} s)\n", flush=True)
        if asked.json is not None:
            write(asked.json, rows)
    return 0 if all(row.held for row in rows) else 1


def leave(number: int, _: object) -> None:
    """Take a signal as a reason to end everything that was started."""
    sys.exit(128 + number)


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Understand the command line, or explain it and leave."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Break wifidogd on purpose.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(TRIALS)} [default: all]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows into this file, too")
    asked = parser.parse_args(arguments)
    for name in asked.names:
        if name not in TRIALS:
            parser.error(f"there is no trial called {name}: choose from {', '.join(TRIALS)}")
    return asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
