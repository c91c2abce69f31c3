"""The lock of a data directory, and users of the machine who have nothing to do with it."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.embedded import lock
from wifidogd.store.embedded.lock import DirectoryLock, is_in_use

IS_ROOT = os.geteuid() == 0
NOBODY = 65534


@pytest.fixture
def path(scratch: Path) -> Path:
    """Where the lock is, in a directory that everybody may enter."""
    return scratch / "lock"


@contextmanager
def child(act: Callable[[], object]) -> Iterator[int]:
    """Do something in another process, which then stays until the end of the block."""
    ready, tells = os.pipe()
    waits, end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(end)
        try:
            act()
            os.write(tells, b"!")
            os.read(waits, 1)
        finally:
            os._exit(0)
    os.close(tells)
    os.close(waits)
    try:
        assert os.read(ready, 1) == b"!"
        yield pid
    finally:
        os.close(end)
        os.close(ready)
        os.waitpid(pid, 0)


def lock_as_stranger(path: Path) -> None:
    """Become another user, if we can, and lock what can be opened."""
    if IS_ROOT:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)


def mode_of(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_may_open_it(path: Path) -> None:
    """Whatever the umask; an older one that everybody may read is mended."""
    before = os.umask(0)
    try:
        DirectoryLock(path).acquire()
    finally:
        os.umask(before)
    assert mode_of(path) == 0o600
    path.chmod(0o644)
    other = DirectoryLock(path.with_name("other"))
    other.acquire()
    other.release()
    path.with_name("other").chmod(0o666)
    other.acquire()
    assert mode_of(path.with_name("other")) == 0o600
    other.release()


def test_another_wifidogd_is_named(path: Path) -> None:
    """One that runs as the same user."""
    with child(DirectoryLock(path).acquire) as holder:
        assert is_in_use(path)
        with pytest.raises(ConfigurationError, match=rf"Another wifidogd \(process {holder}\) uses the data directory"):
            DirectoryLock(path).acquire()
    assert not is_in_use(path)


def test_a_stranger_who_could_open_it_cannot_stop_us(path: Path) -> None:
    """They keep their lock, on a file that is no longer ours."""
    path.write_text("4711\n")
    path.chmod(0o644)
    with child(lambda: lock_as_stranger(path)):
        assert is_in_use(path) is not IS_ROOT
        ours = DirectoryLock(path)
        if not IS_ROOT:  # then the child is no stranger
            with pytest.raises(ConfigurationError):
                ours.acquire()
            return
        ours.acquire()
        assert (path.read_text(), mode_of(path)) == (f"{os.getpid()}\n", 0o600)
        assert [each.name for each in path.parent.iterdir()] == ["lock"]
        ours.release()
    assert not is_in_use(path)


@pytest.mark.parametrize("hidden", ["the list of locks", "the holder"])
def test_who_cannot_be_seen_is_taken_for_a_wifidogd(path: Path, monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    """In another container, or where systemd hides what is not ours: two must never run on one directory."""
    with ExitStack() as stack:
        stack.enter_context(child(DirectoryLock(path).acquire))
        if hidden == "the holder":
            (path.parent / "locks").write_text(f"1: FLOCK  ADVISORY  WRITE 0 fe:00:{path.stat().st_ino} 0 EOF\n")
        monkeypatch.setattr(lock, "_LOCKS", path.parent / "locks")
        assert is_in_use(path)
        with pytest.raises(ConfigurationError):
            DirectoryLock(path).acquire()


def test_who_waits_for_the_lock_does_not_hold_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the holder of another file."""
    ours = DirectoryLock(path)
    ours.acquire()
    number = path.stat().st_ino
    (path.parent / "locks").write_text(
        f"1: FLOCK  ADVISORY  WRITE {os.getpid()} fe:00:{number} 0 EOF\n"
        f"1: -> FLOCK  ADVISORY  WRITE 1 fe:00:{number} 0 EOF\n"
        f"2: POSIX  ADVISORY  WRITE 1 fe:00:{number} 0 EOF\n3: FLOCK  ADVISORY  WRITE 1 fe:00:1{number} 0 EOF\n"
    )
    monkeypatch.setattr(lock, "_LOCKS", path.parent / "locks")
    assert lock._holders(number) == [os.getpid()]
    ours.release()
