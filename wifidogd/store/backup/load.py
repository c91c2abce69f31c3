"""Fills a database with the rows of a backup: its tables and functions are this program's own, never the backup's."""

from __future__ import annotations

from contextlib import closing, suppress
from graphlib import TopologicalSorter
from typing import Any

import psycopg2
from psycopg2 import sql
from twisted.internet.defer import CancelledError

from wifidogd.domain.errors import StoreRefused
from wifidogd.runtime.one_shot import OneShot
from wifidogd.store.backup.archive import VERSIONS, Archive, Contents
from wifidogd.store.backup.dump_text import CopySource, TableRows, counters
from wifidogd.store.backup.restore_script import EMPTY
from wifidogd.store.driver.dsn import session_parameters
from wifidogd.store.embedded.threads import Reactor, in_thread
from wifidogd.store.migrations import create

LIFT_LIMITS = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
"""A history of years may take an hour."""

LIST_COLUMNS = """
    SELECT relname, array_agg(attname::text)
      FROM pg_class
      JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
     WHERE relnamespace = current_schema()::regnamespace
       AND relkind = 'r'
     GROUP BY relname
     ORDER BY relname
"""

LIST_REFERENCES = """
    SELECT referring.relname, referred.relname
      FROM pg_constraint
      JOIN pg_class referring ON referring.oid = conrelid
      JOIN pg_class referred ON referred.oid = confrelid
     WHERE contype = 'f'
       AND connamespace = current_schema()::regnamespace
       AND conrelid <> confrelid
"""

LIST_COUNTERS = """
    SELECT relname
      FROM pg_class
     WHERE relnamespace = current_schema()::regnamespace
       AND relkind = 'S'
"""

SET_COUNTER = "SELECT setval(quote_ident(%(name)s)::regclass, %(last)s, %(used)s)"

COPY = "COPY {table} ({columns}) FROM STDIN WITH (ENCODING {encoding})"
CLEAR = "TRUNCATE {tables}"
STILL, AWAKE = "ALTER TABLE {table} DISABLE TRIGGER USER", "ALTER TABLE {table} ENABLE TRIGGER USER"
"""What triggers would do for each row has been done before the backup was made, and is in it."""


class Load:
    """
    A restore, in one transaction of a connection of its own.

    psycopg2 cannot COPY in its asynchronous mode, so this blocks in a thread, which L{run} awaits.
    """

    def __init__(self, archive: Archive, contents: Contents, dsn: str, reactor: Reactor) -> None:
        self._archive = archive
        self._contents = contents
        self._parameters = session_parameters(dsn)
        self._reactor = reactor
        self._connection: Any = None

    async def run(self) -> list[str]:
        """
        Replace what is in the database by what is in the backup, in the schema that the backup was made of.

        @return: the tables of the backup that were left out, because they are not wifidogd's.
        @raise StoreRefused: if it cannot be done; nothing was changed.
        """
        ended = OneShot()
        working = in_thread(self._reactor, self._work, ended)
        try:
            return await working
        except CancelledError:
            self._archive.stop()
            if self._connection is not None:
                with suppress(psycopg2.Error):
                    self._connection.cancel()
            await ended.wait()
            raise

    def _work(self, ended: OneShot) -> list[str]:
        try:
            with closing(psycopg2.connect(**self._parameters)) as self._connection, self._connection as transaction:
                return self._replace(transaction.cursor())
        except psycopg2.Error as error:
            raise StoreRefused(f"The database refused the backup: {error}".rstrip()) from error
        finally:
            self._reactor.callFromThread(ended.come)

    def _replace(self, cursor: Any) -> list[str]:
        cursor.execute(LIFT_LIMITS)
        cursor.execute(EMPTY)
        create(cursor, self._contents.schema)
        cursor.execute(LIST_COLUMNS)
        columns = {table: frozenset(names) for table, names in cursor.fetchall() if table != VERSIONS}
        cursor.execute(LIST_REFERENCES)
        order = TopologicalSorter({table: set[str]() for table in columns})
        for table, needed in cursor.fetchall():
            order.add(table, needed)
        tables = list(order.static_order())
        cursor.execute(sql.SQL(CLEAR).format(tables=sql.SQL(", ").join(map(sql.Identifier, tables))))
        for table in tables:
            self._copy(cursor, table, columns[table])
        self._set_counters(cursor)
        # Until tables are analysed, PostgreSQL would read them from end to end.
        cursor.execute("ANALYZE")
        return sorted(set(self._contents.tables) - {VERSIONS, *columns})

    def _copy(self, cursor: Any, table: str, known: frozenset[str]) -> None:
        name = sql.Identifier(table)
        cursor.execute(sql.SQL(STILL).format(table=name))
        with self._archive.said("--data-only", f"--schema={self._contents.namespace}", f"--table={table}") as output:
            rows = TableRows(output, table)
            if not known.issuperset(rows.columns):
                raise StoreRefused(f"The backup has other columns in the table {table} than wifidogd: it is damaged.")
            columns = sql.SQL(", ").join(map(sql.Identifier, rows.columns))
            copy = sql.SQL(COPY).format(table=name, columns=columns, encoding=sql.Literal(rows.encoding))
            source = CopySource(rows)
            try:
                cursor.copy_expert(copy, source)
            except psycopg2.Error as error:
                raise source.problem or error from error
        cursor.execute(sql.SQL(AWAKE).format(table=name))

    def _set_counters(self, cursor: Any) -> None:
        cursor.execute(LIST_COUNTERS)
        names = {name for (name,) in cursor.fetchall()}
        options = [f"--table={name}" for name in names]
        with self._archive.said("--data-only", f"--schema={self._contents.namespace}", *options) as output:
            found = counters(output)
        if missing := names - found.keys():
            raise StoreRefused(f"The backup lacks {', '.join(sorted(missing))}: it is damaged.")
        for name in names:
            last, used = found[name]
            cursor.execute(SET_COUNTER, {"name": name, "last": last, "used": used})
