"""What a file that should be a plain dump of PostgreSQL may be instead, and which encodings a dump may be in."""

from __future__ import annotations

import re

from wifidogd.domain.errors import ConfigurationError

ENCODINGS = {
    b"UTF8": "utf-8",
    b"UNICODE": "utf-8",
    b"LATIN1": "latin-1",
    b"LATIN2": "iso8859-2",
    b"LATIN5": "iso8859-9",
    b"LATIN9": "iso8859-15",
    b"WIN1250": "cp1250",
    b"WIN1252": "cp1252",
}
"""What a dump may be written in; all of them keep ASCII as it is."""

FOREIGN = re.compile(rb"-- (?:MySQL|MariaDB) dump |-- phpMyAdmin SQL Dump|/\*M?!")
"""What dumps of MySQL begin with, and have in many lines."""


def expect_postgresql(line: bytes) -> None:
    """Refuse a dump of another database, by a line that only such a dump has."""
    if FOREIGN.match(line):
        raise ConfigurationError(
            "This is a dump of MySQL or MariaDB, but wifidog-auth keeps its data in PostgreSQL: use pg_dump."
        )


def expect_plain(text: bytes) -> None:
    """Refuse what pg_dump and its friends write in other formats."""
    if text.startswith(b"PGDMP"):
        raise ConfigurationError(
            "This is a dump in the custom format: turn it into text with `pg_restore -f TEXT FILE`."
        )
    if text.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04", b"\x28\xb5\x2f\xfd")):
        raise ConfigurationError("This file is compressed: unpack it first.")


def codec_of(name: bytes) -> str | None:
    """Return Python's name of an encoding of PostgreSQL; None for text in any encoding, mixed perhaps."""
    if name.upper() == b"SQL_ASCII":
        return None
    if name.upper() not in ENCODINGS:
        raise ConfigurationError(
            f"The dump is written in {name.decode('ascii', 'replace')}: make one with `pg_dump --encoding=UTF8`."
        )
    return ENCODINGS[name.upper()]
