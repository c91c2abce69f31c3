"""Users install exactly the versions that were tested, checked by hash, and never one with a known hole."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.checkout import ROOT

LOCKS = ("build", "run", "dev", "release")

FIXED_IN = {
    "cryptography": "50.0.0",  # PKCS 7 oracle; CVE-2026-39892, CVE-2026-34073, CVE-2026-26007 before
    "idna": "3.14",  # CVE-2026-45409, which CVE-2024-3651 had left open
    "jinja2": "3.1.6",  # CVE-2025-27516
    "pillow": "12.2",  # CVE-2026-25990
    "pyopenssl": "26.1",  # CVE-2026-40475, CVE-2026-27459, CVE-2026-27448
    "setuptools": "78.1.1",  # CVE-2025-47273
    "twisted": "26.10",  # CVE-2026-83813 and five more of that release
    "werkzeug": "3.1.9",  # GHSA-g6x2-hccm-hh4m
}
"""The first release of each package without the holes that its authors have published, by their release notes."""


def locked(name: str) -> dict[str, tuple[str, int]]:
    """Return the version and the number of hashes of each package in a file of locked requirements."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = {}
    for line in lines:
        match = re.match(r"([\w.-]+)==([^\s;]+)", line)
        assert match is not None, f"requirements/{name}.txt admits more than one version: {line[:80]}"
        found[canonicalize_name(match[1])] = (match[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", line)))
    return found


def declared(extra: str) -> list[Requirement]:
    """Return what setup.py asks for, with an extra or, for an empty one, without."""
    wanted = [Requirement(text) for text in requires("wifidogd") or []]
    return [requirement for requirement in wanted if f'extra == "{extra}"' in str(requirement.marker or 'extra == ""')]


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_its_hashes(name: str) -> None:
    """One for each of its files, so that whoever serves the files cannot change them."""
    packages = locked(name)
    assert packages
    assert [package for package, (_, hashes) in packages.items() if not hashes] == []


def test_the_locks_agree_with_each_other() -> None:
    """What is tested and what is installed by users is one version."""
    run = locked("run")
    for name in ("dev", "release"):
        assert {package: pin for package, pin in locked(name).items() if package in run} == run
    assert {"pytest", "mypy", "hypothesis"} & run.keys() == set()


@pytest.mark.parametrize("name, extra", [("run", ""), ("dev", "dev"), ("release", "release")])
def test_what_is_declared_is_locked_within_its_bounds(name: str, extra: str) -> None:
    """A bound that was raised in setup.py needs C{make lock}."""
    packages = locked(name)
    wanted = declared(extra)
    assert wanted
    for requirement in wanted:
        package = canonicalize_name(requirement.name)
        assert package in packages, f"lock {package}: make lock"
        assert Version(packages[package][0]) in requirement.specifier, f"lock {package} anew: make lock"


def test_everything_that_is_installed_with_it_is_locked() -> None:
    """To the version that is here: what the needed packages need in turn, too, so that CI gets the same every time."""
    pins = {package: pin for package, (pin, _) in {**locked("build"), **locked("dev")}.items()}
    installed = {name: version(name) for name in closure("wifidogd", "dev")}
    assert len(installed) > 40
    assert {name: pins.get(name) for name in installed} == installed


@pytest.mark.parametrize("package", sorted(FIXED_IN))
def test_no_version_with_a_known_hole_is_admitted(package: str) -> None:
    """Whoever installs without the locks must not get one either."""
    text = (ROOT / "setup.py").read_text("utf-8") + (ROOT / "pyproject.toml").read_text("utf-8")
    bound = re.search(rf'"{package}(?:\[[\w,]+\])?>=([\d.]+)', text)
    assert bound is not None
    assert Version(bound[1]) >= Version(FIXED_IN[package])


@pytest.mark.parametrize("path", ["README.md", "Makefile", "tools/install", "tools/dist", "docs/wifidogd.service"])
def test_nobody_is_told_to_install_anything_without_hashes(path: str) -> None:
    """Only wifidogd itself comes without: from the checkout, and without looking for what it needs."""
    for line in (ROOT / path).read_text("utf-8").splitlines():
        if re.search(r"pip install(?! --quiet --disable)|pip_install [^(]", line):
            assert re.search(r"--require-hashes|--no-deps", line), f"{path}: {line}"


def closure(package: str, extra: str) -> set[str]:
    """Return the names of all packages that a package brings along here, directly or not; not its own."""
    found: set[str] = set()
    waiting = [(package, extra), (package, "")]
    asked = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        for requirement in map(Requirement, required_by(name)):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                needed = canonicalize_name(requirement.name)
                found.add(needed)
                more = {(needed, also) for also in ("", *requirement.extras)} - asked
                asked |= more
                waiting += more
    return found


def required_by(name: str) -> list[str]:
    """Return what a package says it needs; nothing for what this machine needs and has not got."""
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []
