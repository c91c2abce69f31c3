"""What is installed is complete, and what it needs is declared and explained."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import BytesParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

SHIPPED = {"wifidogd": "wifidogd", "templates": "wifidogd/templates", "twisted": "twisted"}
"""Folders of the checkout and where a wheel has them."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel of a copy of the checkout, so that no earlier build can lend it files."""
    copy = tmp_path_factory.mktemp("a checkout")
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    for name in SHIPPED:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip_wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip_wheel, "--wheel-dir", copy, copy], check=True, timeout=120)
    return zipfile.ZipFile(next(copy.glob("*.whl")))


def described(wheel: zipfile.ZipFile, name: str) -> bytes:
    """Read a file of the wheel's description of itself."""
    (found,) = (entry for entry in wheel.namelist() if entry.endswith(f".dist-info/{name}"))
    return wheel.read(found)


@pytest.fixture(scope="module")
def needed(wheel: zipfile.ZipFile) -> dict[str, bool]:
    """What the wheel asks for, by lower-case distribution name: True for running it, False for developing it."""
    description = BytesParser().parsebytes(described(wheel, "METADATA"))
    lines = description.get_all("Requires-Dist", [])
    return {re.split(r"[^\w.-]", line.lower(), maxsplit=1)[0]: "extra ==" not in line for line in lines}


def test_a_wheel_carries_every_module_template_and_schema_file(wheel: zipfile.ZipFile) -> None:
    """A package forgotten in C{setup.py} would be missed only on somebody else's machine."""
    kept = {".po", ".py", ".sql"} | {path.suffix for path in (ROOT / "templates").rglob("*") if path.is_file()}
    wanted = {
        f"{there}/{path.relative_to(ROOT / here)}"
        for here, there in SHIPPED.items()
        for path in (ROOT / here).rglob("*")
        if path.suffix in kept
    }
    assert wanted == {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_a_wheel_brings_wifidogctl(wheel: zipfile.ZipFile) -> None:
    """The operator's command stands beside twistd."""
    assert b"wifidogctl = wifidogd.ctl:main" in described(wheel, "entry_points.txt")


@pytest.mark.parametrize("path", sorted((ROOT / "wifidogd").rglob("*.py")), ids=lambda path: path.stem)
def test_everything_imported_is_declared(path: Path, needed: dict[str, bool]) -> None:
    """A library that merely came along with another may leave with it; zope.interface is Twisted's own tongue."""
    providers = packages_distributions()
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).partition(".")[0])
    for name in names - sys.stdlib_module_names - {"wifidogd", "zope"}:
        assert any(needed.get(distribution.lower()) for distribution in providers[name]), f"declare {name} in setup.py"


def test_every_dependency_is_explained(needed: dict[str, bool]) -> None:
    """Each has its line in docs/dependencies.md."""
    reasons = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    assert "twisted" in needed
    for name in needed:
        assert re.search(rf"^\| {name}\b", reasons, re.M), f"say in docs/dependencies.md why {name}"
