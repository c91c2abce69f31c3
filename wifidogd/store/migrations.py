"""Bring the schema up to date from the numbered files beside this module."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib.resources import files

from twisted.logger import Logger

from wifidogd.errors import ConfigurationError
from wifidogd.store.database import Cursor, Database

log = Logger()

LOCK = "SELECT pg_advisory_xact_lock(7443105)"
"""Two servers may start at once: the second waits, then finds nothing to do."""

CREATE_VERSIONS = """
    CREATE TABLE IF NOT EXISTS schema_versions (
        number  integer PRIMARY KEY,
        name    text NOT NULL
    )
"""

SELECT_VERSION = "SELECT coalesce(max(number), 0) FROM schema_versions"

INSERT_VERSION = "INSERT INTO schema_versions (number, name) VALUES (%(number)s, %(name)s)"

DEADLINE = timedelta(minutes=5)


def released() -> list[tuple[int, str]]:
    """
    List the schema files this code brings, in order.

    @return: number and file name of each, from 1 without gaps.
    """
    names = sorted(entry.name for entry in (files("wifidogd.store") / "schema").iterdir() if entry.name.endswith(".sql"))
    return [(int(re.match(r"\d+", name)[0]), name) for name in names]  # type: ignore[index]


async def migrate(database: Database) -> None:
    """
    Apply every schema file that the database has not seen, all or none.

    @raise ConfigurationError: if a newer wifidogd has been here.
    @raise StoreError: as L{Database.transaction}.
    """
    await database.transaction(_apply_missing, deadline=DEADLINE)


async def _apply_missing(cursor: Cursor) -> None:
    await cursor.execute(LOCK)
    await cursor.execute(CREATE_VERSIONS)
    await cursor.execute(SELECT_VERSION)
    ((present,),) = cursor.fetchall()
    newest = released()[-1][0]
    if present > newest:
        raise ConfigurationError(
            f"This database has schema {present}, this wifidogd knows {newest} at most: install the newer wifidogd again."
        )
    for number, name in released():
        if number > present:
            await cursor.execute((files("wifidogd.store") / "schema" / name).read_text("utf-8"))
            await cursor.execute(INSERT_VERSION, {"number": number, "name": name})
            log.info("schema {name} applied", name=name)
