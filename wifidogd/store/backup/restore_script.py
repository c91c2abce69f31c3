"""What a database holds before a backup is restored into it, who uses it, and how it is emptied."""

from __future__ import annotations

from dataclasses import dataclass

from wifidogd.store.driver.database import Cursor
from wifidogd.store.migrations import fetch_schema_version, released

FIND_SERVER = "SELECT current_setting('server_version_num')::integer / 10000, current_schema()"

LIST_TABLES = """
    SELECT relname
      FROM pg_class
     WHERE relnamespace = current_schema()::regnamespace
       AND relkind IN ('r', 'p', 'v', 'm', 'f')
     ORDER BY relname
"""

COUNT = """
    SELECT (SELECT count(*) FROM gateways),
           (SELECT count(*) FROM accounts),
           (SELECT count(*) FROM sessions)
"""
"""What every released schema has and is quick to count."""

HOLD = "SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_try_advisory_xact_lock(7443105)"
"""The lock of L{wifidogd.store.migrations}: a server that starts meanwhile waits."""

COUNT_SERVERS = """
    SELECT count(*)
      FROM pg_stat_activity
     WHERE datname = current_database()
       AND pid <> pg_backend_pid()
       AND application_name = 'wifidogd'
"""

EMPTY = """
DO $$
DECLARE
    kinds  text[];
    names  text;
BEGIN
    SET LOCAL lock_timeout = '10s';
    FOREACH kinds SLICE 1 IN ARRAY ARRAY[['v', 'VIEW'], ['m', 'MATERIALIZED VIEW'], ['rp', 'TABLE'], ['S', 'SEQUENCE']]
    LOOP
        SELECT string_agg(format('%I.%I', current_schema(), relname), ', ')
          INTO names
          FROM pg_class
         WHERE relnamespace = current_schema()::regnamespace
           AND strpos(kinds[1], relkind::text) > 0
           AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e');
        IF names IS NOT NULL THEN
            EXECUTE format('DROP %s %s', kinds[2], names);
        END IF;
    END LOOP;
    SELECT string_agg(oid::regprocedure::text, ', ')
      INTO names
      FROM pg_proc
     WHERE pronamespace = current_schema()::regnamespace
       AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e');
    IF names IS NOT NULL THEN
        EXECUTE format('DROP ROUTINE %s', names);
    END IF;
END
$$
"""
"""Drops what is in the schema, unless something elsewhere depends on it; what extensions brought stays."""


@dataclass(frozen=True, slots=True)
class Present:
    """
    What a database holds.

    @ivar server: major version of PostgreSQL.
    @ivar namespace: PostgreSQL's schema that wifidogd uses there, normally C{public}; empty if there is none.
    @ivar tables: in that schema, ours or not.
    @ivar schema: number of the last schema file that was applied; 0 if no wifidogd has used it.
    @ivar gateways: of a schema that this code knows, as are the others.
    """

    server: int
    namespace: str
    tables: list[str]
    schema: int
    gateways: int = 0
    accounts: int = 0
    sessions: int = 0


async def look(cursor: Cursor) -> Present:
    """Return what the database holds."""
    await cursor.execute(FIND_SERVER)
    [(server, namespace)] = cursor.fetchall()
    await cursor.execute(LIST_TABLES)
    tables = [name for (name,) in cursor.fetchall()]
    schema = await fetch_schema_version(cursor)
    if not 0 < schema <= released()[-1][0]:
        return Present(server, namespace or "", tables, schema)
    await cursor.execute(COUNT)
    [counts] = cursor.fetchall()
    return Present(server, namespace, tables, schema, *counts)


async def keep_servers_out(cursor: Cursor) -> bool:
    """
    Make servers that start wait until the transaction ends.

    @return: False if one is preparing the database, or uses it already.
    """
    await cursor.execute(HOLD)
    [(is_held,)] = cursor.fetchall()
    await cursor.execute(COUNT_SERVERS)
    [(servers,)] = cursor.fetchall()
    return bool(is_held) and servers == 0
