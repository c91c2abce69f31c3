"""
Copies the wheel's PostgreSQL to where an unprivileged user can run it.

A virtual environment below /root, or one made with umask 077, is closed to
the user that PostgreSQL runs as.  All of this blocks: call it in a thread.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from wifidogd.store.binaries import PROGRAMS, WHEEL, Binaries
from wifidogd.store.ownership import fingerprint

PREFIX = "binaries-"
NOT_NEEDED = shutil.ignore_patterns("*.a", "include", "pkgconfig", "pgxs", "__pycache__")

SHARED_LIBRARIES = (f"../{WHEEL}.libs", ".dylibs")
"""Where the makers of wheels put what the programs link to (auditwheel, delocate), seen from the package."""


def transplant(binaries: Binaries, data_dir: Path) -> Path:
    """
    Make sure that the data directory has a copy of this very installation, and no other one.

    @return: the directory of the copy's programs.
    """
    package = binaries.directory.parent.parent
    home = data_dir / f"{PREFIX}{binaries.version}-{_identity(binaries)}"
    if not home.is_dir():
        _remove_copies(data_dir)
        growing = Path(tempfile.mkdtemp(prefix=f"{PREFIX}new-", dir=data_dir))
        installation = binaries.directory.parent
        _copy(installation, growing / WHEEL / installation.name)
        for libraries in SHARED_LIBRARIES:
            if (package / libraries).is_dir():
                _copy(package / libraries, growing / WHEEL / libraries)
        os.sync()  # a rename may reach the disk before what it names
        growing.rename(home)
    return home / WHEEL / binaries.directory.relative_to(package)


def _identity(binaries: Binaries) -> str:
    """Tell two builds of one version apart."""
    found = (binaries.directory / PROGRAMS[-1]).stat()
    return fingerprint(binaries.directory / f"{found.st_size}-{found.st_mtime_ns}")


def _remove_copies(data_dir: Path) -> None:
    """Older copies, and those that were interrupted."""
    for outdated in data_dir.glob(f"{PREFIX}*"):
        shutil.rmtree(outdated)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.copytree(source, target, ignore=NOT_NEEDED, copy_function=_copy_open, dirs_exist_ok=True)
    for directory, _, _ in os.walk(target.parent):
        os.chmod(directory, 0o755)  # noqa: S103 - programs, no secrets


def _copy_open(source: str, target: str) -> None:
    """Copy one file and let everybody read it, whatever the source says."""
    shutil.copyfile(source, target)
    os.chmod(target, 0o755 if os.access(source, os.X_OK) else 0o644)
