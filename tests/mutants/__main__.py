"""C{python -m tests.mutants [ROOM ...]}: change the core, one thing at a time, and see whether its tests notice."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from tests.mutants.rooms import ROOMS
from tests.mutants.trial import Trial


def main(arguments: list[str]) -> int:
    """
    Try rooms.

    @return: 0 if all reach their goals.
    """
    asked = read_arguments(arguments)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    is_good = True
    for name in asked.rooms or ROOMS:
        began = time.monotonic()
        report = Trial(ROOMS[name], fresh=asked.fresh).run()
        print(f"{report.text()}\n({time.monotonic() - began:.0f} s)\n", flush=True)
        is_good = is_good and report.score >= report.goal and not report.stale
    return 0 if is_good else 1


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line, or explain it and exit."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Mutate rooms of wifidogd.")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"{', '.join(ROOMS)} [default: all]")
    parser.add_argument("--fresh", action="store_true", help="try again what earlier runs have killed, too")
    asked = parser.parse_args(arguments)
    for name in asked.rooms:
        if name not in ROOMS:
            parser.error(f"there is no room called {name}: choose from {', '.join(ROOMS)}")
    return asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
