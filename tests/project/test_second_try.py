"""The second try of CI: flaky tests are named, few are forgiven, and nothing else is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.ci.second_try import run

SUITE = """
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", range({flaky}))
def test_fails_once(number):
    seen = Path(f"seen-{{number}}")
    is_first = not seen.exists()
    seen.touch()
    assert not is_first


@pytest.mark.parametrize("number", range({broken}))
def test_fails_always(number):
    assert False


def test_is_good():
    with open("runs", "a") as runs:
        runs.write("x")
"""

PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:pytest_twisted", "-p", "no:xdist")


def flaky(*numbers: int) -> list[str]:
    """Return the lines about tests that pass on the second try."""
    return [f"FLAKY test_suite.py::test_fails_once[{number}] passed on the second try" for number in numbers]


@pytest.mark.parametrize(
    ("suite", "status", "lines"),
    [
        ({"flaky": 0, "broken": 0}, 0, []),
        ({"flaky": 1, "broken": 0}, 0, flaky(0)),
        ({"flaky": 2, "broken": 0}, 0, flaky(0, 1)),
        ({"flaky": 3, "broken": 0}, 1, flaky(0, 1, 2)),
        ({"flaky": 0, "broken": 1}, 1, []),
        ({"flaky": 1, "broken": 1}, 1, flaky(0)),
    ],
    ids=lambda value: "-".join(f"{count}-{name}" for name, count in value.items()) if isinstance(value, dict) else "",
)
def test_two_flaky_tests_are_named_and_forgiven(
    suite: dict[str, int], status: int, lines: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A third one fails the run, as does a test that fails twice."""
    (tmp_path / "test_suite.py").write_text(SUITE.format(**suite))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    assert run([*PYTEST, "--cache-clear"], [*PYTEST, "--last-failed"], tmp_path) == status
    printed = capfd.readouterr().out.splitlines()
    assert [line for line in printed if line.startswith("FLAKY")] == lines
    assert (tmp_path / "runs").read_text() == "x", "what had passed was run again"


def test_a_run_that_fails_without_a_failed_test_is_not_tried_again(tmp_path: Path) -> None:
    """A skipped test, or an interrupted run, is no accident of time."""
    again = tmp_path / "again"
    assert run(["false"], ["touch", str(again)], tmp_path) == 1
    assert not again.exists()


def test_what_an_earlier_run_left_in_the_cache_is_not_counted(tmp_path: Path) -> None:
    """CI may run in a checkout that was used before."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    old, new = tmp_path / "test_old.py", tmp_path / "test_suite.py"
    old.write_text("def test_old(): assert False")
    run([*PYTEST, "--cache-clear"], ["true"], tmp_path)
    old.unlink()
    new.write_text(SUITE.format(flaky=2, broken=0))
    assert run([*PYTEST, "--cache-clear"], [*PYTEST, "--last-failed"], tmp_path) == 0
