"""What to do about a data directory that PostgreSQL refuses, by what it says; pure."""

from __future__ import annotations

from pathlib import Path

from wifidogd.store.embedded.ownership import Owner

NO_SPACE = ("No space left on device", "Check free disk space")
NOT_THEIRS = ("Permission denied", "has wrong ownership")
NOT_CLOSED = "has invalid permissions"
"""Of its data directory, which others may enter."""

LOST = ("could not open file", "could not read", "could not load", "could not locate a valid checkpoint", "PANIC:",
        "could not access status of transaction", "incompatible with server", "does not exist", "could not access",
        "invalid page", "invalid data in file", "contains invalid data", "is not a valid data directory")  # fmt: skip
"""How PostgreSQL says that files are missing, or not what it wrote (C{src/backend}, English)."""


LOST_MEANWHILE = ("PANIC:", "could not open file", "could not read block", "invalid page in block",
                  "contains invalid data", 'database "postgres" does not exist')  # fmt: skip
"""The same, of a server that runs; what else it says may be about somebody's statement."""


def advice(cluster: Path, owner: Owner, said: str) -> str:
    """
    Return what the operator can do; never PostgreSQL's own hint, which is to make a new database over this one.

    @param owner: the user that PostgreSQL runs as.
    @param said: its last words, in English.
    @return: empty if nothing is known.
    """
    if full := space_advice(cluster, said):
        return full
    if NOT_CLOSED in said:
        return f"Close the directory to others (chmod 700 {cluster}) and start again."
    if any(words in said for words in NOT_THEIRS):
        return f"Give all of it to the user it runs as (chown -R {owner.name}: {cluster}) and start again."
    if any(words in said for words in LOST):
        return f"Files of the database are damaged; nothing was written over. {way_back(cluster)}"
    return ""


def remark(cluster: Path, line: str) -> str:
    """Return what to do when a running server reports damage; empty if it does not."""
    if any(words in line for words in LOST_MEANWHILE) and not space_advice(cluster, line):
        return f" Files of the database are damaged. {way_back(cluster)}"
    return ""


def space_advice(place: Path, said: str) -> str:
    """Return what to do if space is lacking; empty if it is not."""
    if any(words in said for words in NO_SPACE):
        return f"The disk of {place} is full: make room on it and start again."
    return ""


def way_back(cluster: Path) -> str:
    """Return what to do about a damaged database."""
    return (
        f"Keep what is there (mv {cluster} {cluster}.damaged), then bring back a copy of the whole directory, or a"
        f" backup with `wifidogctl --data-dir {cluster.parent} restore FILE`."
    )
