"""
Runs the whole suite for CI, and what failed once more by itself: C{python -m tests.support.ci.second_try}.

On a machine that others use, time may run out for a test.  Each test that passes on the second try is named in a line
at the end; more than L{MOST_FLAKY} of them fail the run, as does one that fails twice.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.checkout import ROOT

MOST_FLAKY = 2

OPTIONS = "-p tests.support.ci.no_skips"
FIRST = ("make", "test", f"ARGS={OPTIONS} --cache-clear --durations=10")
SECOND = ("make", "test", f"ARGS={OPTIONS} --numprocesses=0 --last-failed --last-failed-no-failures=none")


def run(first: Sequence[str], second: Sequence[str], directory: Path = ROOT) -> int:
    """
    Run the suite, twice if need be, and print a line for each flaky test.

    @param first: a command that runs all tests; it must clear pytest's cache.
    @param second: one that runs those that failed.
    @param directory: where both run, with pytest's cache in it.
    @return: the exit status.
    """
    if subprocess.run(first, cwd=directory, check=False).returncode == 0:
        return 0
    failed = last_failed(directory)
    if not failed:
        return 1  # it was interrupted, or a test was skipped: trying again would change nothing
    print("\n=== What failed, once more by itself", flush=True)
    again = subprocess.run(second, cwd=directory, check=False).returncode
    flaky = sorted(failed - last_failed(directory))
    print(*(f"FLAKY {test} passed on the second try" for test in flaky), sep="\n", flush=True)
    if len(flaky) > MOST_FLAKY:
        print(f"{len(flaky)} tests are flaky, and {MOST_FLAKY} may be: make them deterministic", flush=True)
    return 1 if again or len(flaky) > MOST_FLAKY else 0


def last_failed(directory: Path) -> set[str]:
    """Return the tests that failed in the last run, as pytest's cache has them."""
    cache = directory / ".pytest_cache" / "v" / "cache" / "lastfailed"
    return set(json.loads(cache.read_text("utf-8"))) if cache.exists() else set()


if __name__ == "__main__":
    sys.exit(run(FIRST, SECOND))
