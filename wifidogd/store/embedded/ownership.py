"""The user that PostgreSQL runs as, what that user may reach, and the directories that are its alone."""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wifidogd.domain.errors import ConfigurationError

UNPRIVILEGED = ("wifidogd", "postgres", "nobody")
"""Users that root becomes, the first that exists: PostgreSQL refuses to run as root."""

READ, ENTER = 0o4, 0o1


@dataclass(frozen=True, slots=True)
class Owner:
    """
    The user that PostgreSQL runs as.

    @ivar name: for people; the number when the user has no name.
    """

    uid: int
    gid: int
    name: str

    @property
    def is_someone_else(self) -> bool:
        """Whether we are root and become this user, instead of being it already."""
        return self.uid != os.geteuid()

    def may(self, access: int, path: Path) -> bool:
        """
        Judge by the permission bits; access control lists are not considered.

        @param access: L{READ}, L{ENTER} (execute, for a file) or both.
        """
        found = path.stat()
        if found.st_uid == self.uid:
            allowed = found.st_mode >> 6
        elif found.st_gid == self.gid:
            allowed = found.st_mode >> 3
        else:
            allowed = found.st_mode
        return allowed & access == access

    def can_execute(self, program: Path) -> bool:
        """Whether this user may reach and run C{program}; we ourselves may run what we find."""
        if not self.is_someone_else:
            return os.access(program, os.X_OK)
        target = program.resolve()
        return obstacle(target.parent, self) is None and self.may(READ | ENTER, target)


def choose_owner(cluster: Path) -> Owner:
    """
    Return the user that PostgreSQL runs as: ourselves, or an unprivileged user if we are root.

    A cluster that exists keeps its owner, because nobody else can open it.

    @param cluster: PostgreSQL's data directory, which need not exist.
    @raise ConfigurationError: if root has nobody to become, or the cluster belongs to root.
    """
    uid = os.geteuid()
    if uid != 0:
        return Owner(uid, os.getegid(), _name(uid))
    unprivileged = next(_unprivileged(), None)
    if unprivileged is None:
        raise ConfigurationError(
            "PostgreSQL must not run as root, and there is none of the users"
            f" {', '.join(UNPRIVILEGED)}: create one (useradd --system wifidogd)."
        )
    if not cluster.is_dir():
        return unprivileged
    found = cluster.stat()
    if found.st_uid == 0:
        raise ConfigurationError(
            f"{cluster} belongs to root, which PostgreSQL must not run as:"
            f" give it to {unprivileged.name} (chown -R {unprivileged.name}: {cluster})."
        )
    return Owner(found.st_uid, found.st_gid, _name(found.st_uid))


def owner_of(uid: int, gid: int | None) -> Owner:
    """
    Return a user, in the group of theirs if none is named.

    @raise KeyError: if there is no such user.
    """
    return Owner(uid, pwd.getpwuid(uid).pw_gid if gid is None else gid, _name(uid))


def _unprivileged() -> Iterator[Owner]:
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            yield Owner(entry.pw_uid, entry.pw_gid, name)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def fingerprint(path: Path) -> str:
    """Return 16 hexadecimal digits that stand for a path."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def obstacle(path: Path, owner: Owner) -> Path | None:
    """
    Return the directory that keeps C{owner} from C{path}.

    @return: the uppermost directory on the way, C{path} included, that C{owner} may not enter; None for a free way.
    """
    resolved = path.resolve()
    for directory in (*reversed(resolved.parents), resolved):
        if not owner.may(ENTER, directory):
            return directory
    return None


def make_data_directory(path: Path, owner: Owner) -> None:
    """
    Make sure that the data directory exists, is ours to write, and lets C{owner} through.

    @raise ConfigurationError: if it does not.
    """
    try:
        _make_with_parents(path)
    except (FileExistsError, NotADirectoryError) as problem:
        raise ConfigurationError(f"{problem.filename} is not a directory: choose another --data-dir.") from problem
    except OSError as problem:
        raise ConfigurationError(
            f"The data directory {path} cannot be made ({problem.strerror}): choose another --data-dir."
        ) from problem
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"The data directory {path} is not writable for {_name(os.geteuid())}:"
            f" give it to that user (chown), or choose another --data-dir."
        )
    in_the_way = obstacle(path, owner) if owner.is_someone_else else None
    if in_the_way is not None:
        raise ConfigurationError(
            f"PostgreSQL runs as the user {owner.name}, who may not enter {in_the_way}:"
            " choose another --data-dir, or let others pass (chmod o+x)."
        )


def _make_with_parents(path: Path) -> None:
    """Make missing directories that others may enter but not list, whatever our umask (twistd's is 077)."""
    if not path.is_dir():
        _make_with_parents(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(0o711)


def hand_over(path: Path, owner: Owner) -> None:
    """
    Make the data directory for a user whom root is about to become, or give them one that was root's.

    One that is not root's is left as it is: whoever owns it could have put links there.

    @raise ConfigurationError: if it cannot be made, or there is a database of a third user.
    """
    make_data_directory(path, owner)
    cluster = path / "postgresql"
    found = cluster.lstat().st_uid if os.path.lexists(cluster) else owner.uid
    if found != owner.uid:
        raise ConfigurationError(
            f"The database in {path} belongs to {_name(found)}: use twistd --uid {_name(found)}, or give it to "
            f"{owner.name} (chown -R {owner.name}: {path})."
        )
    if path.lstat().st_uid == 0:
        for directory, _, files in os.walk(path, topdown=False):
            for each in (*(os.path.join(directory, file) for file in files), directory):
                if os.lstat(each).st_uid == 0:
                    os.lchown(each, owner.uid, owner.gid)


def make_private_directory(path: Path, owner: Owner) -> None:
    """
    Make sure that C{path} is a directory of C{owner}'s, closed to everybody else.

    @raise ConfigurationError: if there is something else; it is left as it is.
    """
    try:
        path.mkdir(mode=0o700)
        path.chmod(0o700)
    except FileExistsError:
        pass
    found = path.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid in (owner.uid, os.geteuid())
    if not is_ours or stat.S_IMODE(found.st_mode) != 0o700:
        raise ConfigurationError(
            f"{path} should be a directory of the user {owner.name} with mode 700, and is something else:"
            " move it out of the way."
        )
    if found.st_uid != owner.uid:
        os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
