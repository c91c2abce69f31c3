"""Scratch directories for large files, readable for every user and removed after the tests."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ENOUGH = 2**30


def make_scratch() -> Path:
    """
    Make an empty directory that every user may enter, unlike pytest's own.

    It is in memory if there is room for programs and databases: what is
    tested is death of processes, not of disks, and fsync costs nothing there.
    """
    parent = MEMORY if _fits(MEMORY) else Path("/tmp")
    path = Path(tempfile.mkdtemp(prefix="wifidogd-test-", dir=parent))
    path.chmod(0o755)
    return path


def _fits(path: Path) -> bool:
    if not os.access(path, os.W_OK):
        return False
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize >= ENOUGH and not found.f_flag & os.ST_NOEXEC
