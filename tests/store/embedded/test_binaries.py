"""PostgreSQL is found where it is, and only the right one is taken."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.support.deadline import within
from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.embedded import binaries
from wifidogd.store.embedded.binaries import Binaries, can_run, find_binaries, major_of, transplant, wheel_directories
from wifidogd.store.embedded.ownership import Owner, obstacle

OURSELVES = Owner(os.geteuid(), os.getegid(), "ourselves")
STRANGER = Owner(54321, 54321, "stranger")
"""Owns nothing and is in no group of ours."""

Install = Callable[..., Path]


@pytest.fixture
def install(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """
    Pretend to install a PostgreSQL, the only ones there are.

    Called with a version and whether the system has it or the wheel; returns the directory of its programs.
    """
    wheel: list[Path] = []
    monkeypatch.setattr(binaries, "SYSTEM", (f"{scratch}/system/*/bin",))
    monkeypatch.setattr(binaries, "wheel_directories", lambda: wheel)
    monkeypatch.setenv("PATH", f"{scratch}/path:/usr/bin:/bin")

    def install(version: str, where: str = "system", answer: str = 'echo "postgres (PostgreSQL) {version}"') -> Path:
        directory = scratch / where / (f"{version}/bin" if where != "path" else "")
        directory.mkdir(parents=True)
        for program in ("initdb", "postgres"):
            (directory / program).write_text(f"#!/bin/sh\n{answer.format(version=version)}\n")
            (directory / program).chmod(0o755)
        if where == "wheel":
            wheel.append(directory)
        return directory

    return install


def cluster_of(scratch: Path, version: str) -> Path:
    """Create a directory that looks like a data directory of a major version."""
    cluster = scratch / "postgresql"
    (cluster / "global").mkdir(parents=True)
    (cluster / "global" / "pg_control").touch()
    (cluster / "PG_VERSION").write_text(f"{version}\n")
    return cluster


async def find(cluster: Path, owner: Owner = OURSELVES) -> Binaries:
    return await within(20, find_binaries(cluster, owner, reactor=reactor))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        ([("9.6.24", "system"), ("15.14", "system"), ("17.2", "system")], "17.2"),
        ([("15.14", "system"), ("18.4", "wheel")], "15.14"),
        ([("15.14", "system"), ("16.3", "path")], "16.3"),
        ([("13.2", "system"), ("18.4", "wheel"), ("16.14", "wheel")], "18.4"),
        ([("19beta1", "system")], "19beta1"),
    ],
)
@ensureDeferred
async def test_a_new_cluster_gets_the_systems_newest_else_the_wheels(
    install: Install, scratch: Path, installed: list[tuple[str, str]], chosen: str
) -> None:
    """The system's gets security updates by itself; one that is too old for us is as good as none."""
    for version, where in installed:
        install(version, where)
    assert (await find(scratch / "postgresql")).version == chosen


@ensureDeferred
async def test_a_cluster_keeps_its_major_version(install: Install, scratch: Path) -> None:
    """Newer ones cannot read its files."""
    install("17.2")
    install("15.14")
    install("18.4", "wheel")
    old = install("16.14", "wheel")
    assert await find(cluster_of(scratch, "16")) == Binaries(old, "16.14", 16)


@ensureDeferred
async def test_an_old_cluster_without_its_version_is_refused(install: Install, scratch: Path) -> None:
    """The sentence says which version to install."""
    install("17.2")
    cluster = cluster_of(scratch, "15")
    with pytest.raises(ConfigurationError, match=r"made by PostgreSQL 15 .* installed: 17\.2\. .*postgresql-15"):
        await find(cluster)


@ensureDeferred
async def test_without_any_postgresql_the_operator_learns_what_to_install(install: Install, scratch: Path) -> None:
    """Broken ones and mere clients are none."""
    install("16.1", answer="echo cannot open shared object >&2; exit 127")
    install("17.1", answer="exit 1")
    (install("18.1") / "initdb").unlink()
    with pytest.raises(ConfigurationError, match="apt install postgresql"):
        await find(scratch / "postgresql")


@ensureDeferred
async def test_programs_that_the_user_cannot_reach_are_passed_over(install: Install, scratch: Path) -> None:
    """Only the wheel's can be copied, so the system's must be open to the user."""
    install("17.2").parent.chmod(0o700)
    install("15.14")
    assert (await find(scratch / "postgresql", STRANGER)).version == "15.14"


def test_the_wheel_is_found_without_importing_it() -> None:
    """Importing it would make lock files in somebody's home."""
    assert any((directory / "postgres").exists() for directory in wheel_directories())
    assert binaries.WHEEL not in sys.modules


@ensureDeferred
async def test_a_wheel_that_is_not_installed_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not on the package index for every machine."""
    monkeypatch.setattr(binaries, "WHEEL", "wifidogd_no_such_wheel")
    assert wheel_directories() == []


@pytest.mark.parametrize("content", [{"notes.txt": "mine"}, {"PG_VERSION": "15"}, {"PG_VERSION": "what?"}])
def test_a_directory_that_is_not_a_cluster_is_reported(scratch: Path, content: dict[str, str]) -> None:
    """Whatever it is, somebody may want it back."""
    for name, text in content.items():
        (scratch / name).write_text(text)
    with pytest.raises(ConfigurationError, match="is not a complete data directory"):
        major_of(scratch)
    assert sorted(path.name for path in scratch.iterdir()) == sorted(content)


def test_a_missing_or_empty_directory_is_no_cluster(scratch: Path) -> None:
    """Both may become one."""
    assert major_of(scratch) is None
    assert major_of(scratch / "postgresql") is None


def test_the_first_closed_directory_on_the_way_is_named(scratch: Path) -> None:
    """The operator must know which one to open."""
    inner = scratch / "closed" / "inner"
    inner.mkdir(parents=True)
    assert obstacle(inner, STRANGER) is None
    (scratch / "closed").chmod(0o700)
    inner.chmod(0o700)
    assert obstacle(inner, STRANGER) == scratch / "closed"
    assert obstacle(inner, OURSELVES) is None


def wheel_copy(scratch: Path) -> Binaries:
    """Copy the wheel's newest PostgreSQL to where only we can read it."""
    source = next(directory for directory in wheel_directories() if directory.is_dir()).parent
    closed = scratch / "closed"
    package = closed / binaries.WHEEL
    shutil.copytree(source, package / source.name)
    libraries = source.parent.parent / f"{binaries.WHEEL}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, closed / libraries.name)
    closed.chmod(0o700)
    return Binaries(package / source.name / "bin", "18.4", 18)


@ensureDeferred
async def test_a_transplanted_wheel_runs_for_everybody(scratch: Path) -> None:
    """A virtual environment below /root is closed to the user that PostgreSQL runs as."""
    source = wheel_copy(scratch)
    assert not can_run(source.directory, STRANGER)
    data_dir = scratch / "data"
    data_dir.mkdir()
    umask = os.umask(0o077)
    copy = transplant(source, data_dir)
    os.umask(umask)
    assert can_run(copy, STRANGER)
    assert all(path.stat().st_mode & 0o004 for path in copy.parent.parent.rglob("*"))
    shutil.rmtree(scratch / "closed")
    assert [found.directory for found in await within(10, binaries.identify([copy], reactor))] == [copy]  # type: ignore[arg-type]


def test_a_transplant_is_made_once_and_renewed_with_its_source(scratch: Path) -> None:
    """Upgrading the wheel must reach the copy, and leave no second one behind."""
    source = wheel_copy(scratch)
    data_dir = scratch / "data"
    data_dir.mkdir()
    (data_dir / "binaries-new-interrupted").mkdir()
    first = transplant(source, data_dir)
    made_at = (first / "postgres").stat().st_mtime_ns
    assert transplant(source, data_dir) == first
    assert (first / "postgres").stat().st_mtime_ns == made_at
    os.utime(source.directory / "postgres", (1, 1))
    second = transplant(source, data_dir)
    assert [path.name for path in data_dir.iterdir()] == [second.relative_to(data_dir).parts[0]]
    assert second != first
