"""pg_dump and its kin are found where they are, and those that fit the server come first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.support.deadline import within
from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.backup import client_programs
from wifidogd.store.backup.client_programs import PROGRAMS, find_clients
from wifidogd.store.embedded import binaries

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Pretend to install the client programs of a version, the only ones there are."""
    wheel: list[Path] = []
    monkeypatch.setattr(binaries, "SYSTEM", (f"{tmp_path}/system/*/bin",))
    monkeypatch.setattr(client_programs, "wheel_directories", lambda: wheel)
    monkeypatch.setenv("PATH", f"{tmp_path}/path:/usr/bin:/bin")

    def install(version: str, where: str = "system") -> Path:
        directory = tmp_path / where / (f"{version}/bin" if where != "path" else "")
        directory.mkdir(parents=True)
        for program in PROGRAMS:
            (directory / program).write_text(f'#!/bin/sh\necho "{program} (PostgreSQL) {version}"\n')
            (directory / program).chmod(0o755)
        if where == "wheel":
            wheel.append(directory)
        return directory

    return install


async def find(server: int) -> list[str]:
    return [each.version for each in await within(20, find_clients(server, reactor=reactor))]  # type: ignore[arg-type]


@ensureDeferred
async def test_the_nearest_version_comes_first_and_older_ones_never(install: Install) -> None:
    """Wherever they are: no server needs to be installed beside them."""
    for version, where in (("18.4", "wheel"), ("14.2", "system"), ("17.1", "path"), ("15.18", "system")):
        install(version, where)
    assert await find(15) == ["15.18", "17.1", "18.4"]
    assert await find(16) == ["17.1", "18.4"]


@ensureDeferred
async def test_without_any_that_fits_the_operator_learns_what_to_install(install: Install) -> None:
    """Half of them is none."""
    install("15.18")
    (install("17.1") / "pg_restore").unlink()
    with pytest.raises(ConfigurationError, match=r"of PostgreSQL 16 or newer; installed: 15\.18\. .*client-16"):
        await find(16)
