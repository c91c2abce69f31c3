"""docs/security.md claims nothing without a test."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.support.checkout import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)))

SECRET = re.compile(r"(secret|token|key|password|digest)\b")
READERS = ("pg_values.py", "pg_dump.py")
"""Their tokens are those of a language."""


@cache
def names_in(file: str) -> set[str]:
    """Name the tests of a file."""
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_every_test_that_is_named_exists(file: str) -> None:
    """A claim whose test was renamed is none."""
    assert {test for named, test in NAMED if named == file} <= names_in(file)


def test_every_threat_says_what_stops_it_what_does_not_and_what_shows_it() -> None:
    """Four columns, none of them empty; only what no server could stop has no test."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    threats = [row for row in rows if len(row) == 4 and row[3] != "shown by" and "pinned" not in row[1]]
    threats = [row for row in threats if "::" in row[3] or "captive portals" in row[3]]
    assert len(threats) > 35
    unshown = [row[0] for row in threats if "::" not in row[3]]
    assert len(unshown) == 2
    for who in ("A guest", "A neighbour", "A stranger", "A stolen router", "A curious operator"):
        assert f"\n## {who}" in PAGE


def test_secrets_are_compared_in_constant_time() -> None:
    """By C{hmac.compare_digest} or by looking up a hash: nothing else ever compares a secret with a value."""
    found = []
    for path in sorted((ROOT / "wifidogd").rglob("*.py")):
        if "simulation" in path.parts or "ctl" in path.parts or path.name in READERS:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                sides = [node.left, *node.comparators]
                named = [ast.unparse(side) for side in sides if not isinstance(side, ast.Constant)]
                if any(SECRET.search(name) for name in named):
                    found.append(f"{path.name}: {ast.unparse(node)}")
    assert found == []
