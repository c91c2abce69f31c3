"""One wifidogd for each data directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from wifidogd.domain.errors import ConfigurationError


class DirectoryLock:
    """
    The lock on a data directory, held until it is released or this process ends, however it ends.

    The file stays when the lock goes; it names the last holder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether we have it."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """
        Take the lock or refuse at once.

        @raise ConfigurationError: if another process, or another part of this one, has it.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, b"%d\n" % os.getpid())
            self._leave_to_owner(descriptor)
        except BlockingIOError as problem:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise ConfigurationError(
                f"Another wifidogd (process {holder or 'unknown'}) uses the data directory {self._path.parent}:"
                " stop it first, or choose another --data-dir."
            ) from problem
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _leave_to_owner(self, descriptor: int) -> None:
        """Give the file to the owner of the directory, so that a backup made by root does not lock them out."""
        if os.geteuid() == 0:
            owner = self._path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)

    def release(self) -> None:
        """Release the lock, if we hold it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_in_use(path: Path) -> bool:
    """Return whether a living process holds the lock; it is not taken, and no file is made."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
