"""The command lines of the embedded PostgreSQL; pure."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from wifidogd.store.embedded.binaries import Binaries
from wifidogd.store.embedded.ownership import fingerprint
from wifidogd.store.embedded.stale_servers import title

SUPERUSER = "wifidogd"
PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"

LONGEST_SOCKET_PATH = 107 if sys.platform == "linux" else 103
"""Bytes of C{sockaddr_un.sun_path} without its final zero (C{unix(7)}; BSD and macOS have 104)."""

SHORT_PLACE = Path("/tmp")  # noqa: S108 - the directory is checked before use
"""Not C{TMPDIR}: the server and wifidogctl must agree, whatever their environments."""

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "jit": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}
"""
For a small virtual server; what is not here is PostgreSQL's default, fsync above all.

The log goes to us, without statements: they contain what guests typed.
"""


def socket_directory(data_dir: Path) -> Path:
    """
    Return the directory of the server's socket: in the data directory if its path fits into a socket's address.

    A comma does not fit either, since libpq would read two hosts.

    @param data_dir: absolute and resolved.
    """
    place = data_dir / "run"
    if len(os.fsencode(place / SOCKET_NAME)) <= LONGEST_SOCKET_PATH and "," not in str(place):
        return place
    return SHORT_PLACE / f"wifidogd-{fingerprint(data_dir)}"


def initdb_command(binaries: Binaries, cluster: Path) -> list[str]:
    """Return the command that makes a cluster of L{SUPERUSER}'s in UTF-8, with the C locale's stable order."""
    return [
        str(binaries.directory / "initdb"),
        *("-D", str(cluster)),
        *("-U", SUPERUSER),
        *("-A", "trust"),
        *("-E", "UTF8"),
        "--locale=C",
        "--no-instructions",
    ]


def server_command(binaries: Binaries, cluster: Path, sockets: Path, connections: int) -> list[str]:
    """Return the command that serves a cluster with L{SETTINGS} on a socket in C{sockets}."""
    quoted = str(sockets).replace('"', '""')
    settings = SETTINGS | {
        "max_connections": str(connections),
        "unix_socket_directories": f'"{quoted}"',
        "cluster_name": title(cluster),
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [str(binaries.directory / "postgres"), "-D", str(cluster), *options]
