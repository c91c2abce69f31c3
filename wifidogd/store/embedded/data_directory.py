"""What a data directory holds, and how its PostgreSQL is reached, for programs that may not run it."""

from __future__ import annotations

import os
from pathlib import Path

from psycopg2.extensions import make_dsn

from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.embedded.commands import PORT, SUPERUSER, socket_directory
from wifidogd.store.embedded.lock import is_in_use

CLUSTER, LOCK = "postgresql", "lock"
"""Names in a data directory: PostgreSQL's own files, and the lock of the process that runs it."""


def dsn_of(data_dir: Path) -> str:
    """Return the DSN of the server of a data directory, whether or not it runs; only reads symbolic links."""
    sockets = socket_directory(data_dir.resolve())
    dsn: str = make_dsn(host=str(sockets), port=PORT, user=SUPERUSER, dbname="postgres")
    return dsn


def is_served(data_dir: Path) -> bool:
    """
    Return whether a wifidogd uses a data directory now.

    @raise ConfigurationError: if we may not look.
    """
    try:
        return is_in_use(data_dir.resolve() / LOCK)
    except OSError as problem:
        raise ConfigurationError(
            f"The data directory {data_dir} cannot be read ({problem.strerror}): do this as root, or as the user it "
            "belongs to."
        ) from problem


def has_database(data_dir: Path) -> bool:
    """Return whether a data directory holds a database, sound or damaged."""
    return os.path.lexists(data_dir / CLUSTER)
