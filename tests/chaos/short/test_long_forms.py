"""What `make chaos`, `make soak` and `make bench` run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.checkout import ROOT

WITHOUT_PYTEST = "import sys; sys.modules['pytest'] = None; import {module}"
"""A module that is None cannot be imported."""


@pytest.mark.parametrize(
    "module",
    [
        "tests.chaos.__main__",
        "tests.chaos.soak",
        "tests.chaos.load.process",
        "tests.chaos.routers.process",
        "benchmarks.__main__",
    ],
)
def test_it_needs_nothing_but_what_wifidogd_needs(module: str) -> None:
    """On a clean checkout nobody has installed what the suite runs with."""
    program = WITHOUT_PYTEST.format(module=module)
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
