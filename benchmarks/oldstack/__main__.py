"""Some loads on some servers only: C{python -m benchmarks.oldstack A4 A7 --server waitress}."""

from __future__ import annotations

import argparse

from benchmarks.oldstack import LOADS, TITLES, run
from tests.support.testbed.testbed import Testbed


def main() -> None:
    """Run what the command line names, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.oldstack", description="A part of the bench oldstack.")
    parser.add_argument("loads", nargs="*", metavar="LOAD", help=f"{', '.join(TITLES)} [default: all without +]")
    parser.add_argument("--server", default="", metavar="NAME", help="a part of the server's name")
    parser.add_argument("--quick", action="store_true", help="shorter, for trying out")
    chosen = parser.parse_args()
    if unknown := set(chosen.loads) - set(TITLES):
        parser.error(f"there is no load {', '.join(sorted(unknown))}")
    with Testbed() as testbed:
        print(run(testbed, chosen.quick, chosen.loads or LOADS, chosen.server).text())


if __name__ == "__main__":
    main()
