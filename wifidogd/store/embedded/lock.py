"""One wifidogd for each data directory."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from wifidogd.domain.errors import ConfigurationError

_MODE = 0o600
"""Whoever may open a file may lock it: nobody but its owner may open this one."""

_LOCKS = Path("/proc/locks")


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
        descriptor = self._open()
        try:
            if not _is_free(descriptor):
                if not is_held_by_stranger(descriptor):
                    raise ConfigurationError(self._why_not(descriptor))
                os.close(descriptor)
                descriptor = self._replace()
            os.ftruncate(descriptor, 0)
            os.write(descriptor, b"%d\n" % os.getpid())
            self._leave_to_owner(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _open(self) -> int:
        """Open the file, and close it to others, who could open it until wifidogd 0.1."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, _MODE)
        with suppress(PermissionError):  # another user's, which we may write all the same
            os.fchmod(descriptor, _MODE)
        return descriptor

    def _replace(self) -> int:
        """Put a file in the place of one that a stranger has locked, and return it locked; nobody else can open it."""
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, _MODE)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(self._path)
        return descriptor

    def _why_not(self, descriptor: int) -> str:
        holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
        return (
            f"Another wifidogd (process {holder or 'unknown'}) uses the data directory {self._path.parent}:"
            " stop it first, or choose another --data-dir."
        )

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
        return not _is_free(descriptor, fcntl.LOCK_SH) and not is_held_by_stranger(descriptor)
    finally:
        os.close(descriptor)


def _is_free(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Return whether nobody else has locked a file; then we have."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held_by_stranger(descriptor: int) -> bool:
    """
    Return whether the lock on a file of ours is held by another user of this machine, who could open it once.

    Nobody can tell where C{/proc/locks} is hidden, or the holder is, as in
    another container: then it is taken for a wifidogd.
    """
    file = os.fstat(descriptor)
    holders = _holders(file.st_ino)
    ours = {0, os.geteuid(), file.st_uid}
    return bool(holders) and all(holder != 0 and _real_uid(holder) not in ours for holder in holders)


def _holders(inode: int) -> list[int]:
    """Return the processes that have locked files of a number, 0 for one that we cannot see (proc_locks(5))."""
    try:
        rows = [line.split() for line in _LOCKS.read_text("ascii").splitlines()]
    except OSError:
        return []
    return [int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].rpartition(":")[2] == str(inode)]


def _real_uid(process: int) -> int | None:
    """Return who started a process, whatever it may do now; None if it has ended and left its lock to a child."""
    try:
        status = Path(f"/proc/{process}/status").read_text("utf-8", "replace")
    except OSError:
        return None
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Uid:"))
