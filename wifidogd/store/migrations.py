"""Bring the schema up to date from the numbered files beside this module."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from twisted.logger import Logger

from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.driver.database import Cursor, Database

log = Logger()

SCHEMA = files("wifidogd.store") / "schema"


def _scripts_in(folder: Traversable) -> dict[str, str]:
    """Return the schema files in a folder, by name."""
    return {entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".sql")}


_SCRIPTS = _scripts_in(SCHEMA)
"""Our schema files, read when this is imported: later, twistd's --uid may keep us from where we are installed."""

DEADLINE = timedelta(minutes=5)

LIFT_LIMITS = "SET LOCAL statement_timeout = '5min'; SET LOCAL lock_timeout = '5min'"
"""Until L{DEADLINE}: filling a new column may take longer than any statement of the request path."""

LOCK = "SELECT pg_advisory_xact_lock(7443105)"
"""Two servers may start at once: the second waits, then finds nothing to do."""

CREATE_VERSIONS = """
    CREATE TABLE IF NOT EXISTS schema_versions (
        number  integer PRIMARY KEY,
        name    text NOT NULL
    );
    COMMENT ON TABLE schema_versions IS 'The schema files that were applied';
    COMMENT ON COLUMN schema_versions.number IS 'What the file name begins with';
    COMMENT ON COLUMN schema_versions.name IS 'Of the file'
"""

FIND_VERSIONS = """
    SELECT to_regclass('schema_versions') IS NOT NULL
"""

SELECT_VERSION = "SELECT coalesce(max(number), 0) FROM schema_versions"

INSERT_VERSION = "INSERT INTO schema_versions (number, name) VALUES (%(number)s, %(name)s)"


def _scripts(schema: Traversable) -> dict[str, str]:
    return _SCRIPTS if schema == SCHEMA else _scripts_in(schema)


def released(schema: Traversable = SCHEMA) -> list[tuple[int, str]]:
    """
    List the schema files this code brings, in order.

    @return: number and file name of each, from 1 without gaps.
    """
    return sorted((int(name.partition("_")[0]), name) for name in _scripts(schema))


def create(cursor: Any, newest: int) -> None:
    """
    Create the tables as an older wifidogd had them, in an empty database.

    @param cursor: of a blocking connection.
    @param newest: number of the last schema file to apply.
    """
    cursor.execute(CREATE_VERSIONS)
    for number, name in released():
        if number <= newest:
            cursor.execute(_SCRIPTS[name])
            cursor.execute(INSERT_VERSION, {"number": number, "name": name})


async def migrate(database: Database, schema: Traversable = SCHEMA) -> None:
    """
    Apply every schema file that the database has not seen, all or none.

    @raise ConfigurationError: if a newer wifidogd has been here.
    @raise StoreError: as L{Database.transaction}.
    """
    await database.transaction(partial(_apply_missing, schema), deadline=DEADLINE)


async def fetch_schema_version(cursor: Cursor) -> int:
    """
    Return the number of the schema file that was applied last.

    @return: 0 for a database that no server has started on.
    """
    await cursor.execute(FIND_VERSIONS)
    [(exists,)] = cursor.fetchall()
    if not exists:
        return 0
    await cursor.execute(SELECT_VERSION)
    [(version,)] = cursor.fetchall()
    return int(version)


async def _apply_missing(schema: Traversable, cursor: Cursor) -> None:
    await cursor.execute(LIFT_LIMITS)
    await cursor.execute(LOCK)
    await cursor.execute(CREATE_VERSIONS)
    await cursor.execute(SELECT_VERSION)
    ((present,),) = cursor.fetchall()
    scripts, known = _scripts(schema), released(schema)
    newest, _ = known[-1]
    if present > newest:
        raise ConfigurationError(
            f"This database has schema {present}, this wifidogd knows {newest} at most: "
            "install the newer wifidogd again."
        )
    for number, name in known:
        if number > present:
            await cursor.execute(scripts[name])
            await cursor.execute(INSERT_VERSION, {"number": number, "name": name})
            log.info("schema {name} applied", name=name)
