"""What is there before a restore is told, emptied completely, and kept from servers meanwhile."""

from __future__ import annotations

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred as deferred

from tests.support.builders import put, rows, run
from tests.support.deadline import within
from wifidogd.domain.errors import StoreRefused
from wifidogd.store.backup.restore_script import EMPTY, Present, keep_servers_out, look
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.migrations import migrate

LEFT = """
    SELECT count(*) FROM (
        SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace
         UNION ALL
        SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace) AS present
"""


@ensureDeferred
async def test_a_database_is_emptied_of_everything(database: Database) -> None:
    """Views, sequences and functions that somebody added, too: a backup that holds them would meet them."""
    await put(database, "CREATE VIEW seen AS SELECT * FROM sessions; CREATE SEQUENCE counter")
    await put(database, 'CREATE TABLE "it\'s, a ""table""" (); CREATE MATERIALIZED VIEW old AS SELECT * FROM accounts')
    await put(database, EMPTY)
    assert await rows(database, LEFT) == [(0,)]
    assert (await run(database, look)).tables == []


@ensureDeferred
async def test_what_others_built_on_our_tables_stops_it(database: Database) -> None:
    """In another schema, which no backup of ours brings back."""
    await put(database, "CREATE SCHEMA reports; CREATE VIEW reports.seen AS SELECT * FROM sessions")
    with pytest.raises(StoreRefused, match="other objects depend on"):
        await put(database, EMPTY)
    assert (await run(database, look)).schema > 0


@ensureDeferred
async def test_a_database_tells_what_it_holds(database: Database) -> None:
    """Also one that a schema of long ago, or another program, has left."""
    present = await run(database, look)
    assert (present.namespace, present.gateways, present.accounts, present.sessions) == ("public", 0, 0, 0)
    assert "networks" in present.tables
    await put(database, EMPTY)
    await put(database, "CREATE TABLE others ()")
    assert await run(database, look) == Present(present.server, "public", ["others"], 0)


@ensureDeferred
async def test_no_server_gets_in_while_a_backup_is_restored(database: Database, dsn: str) -> None:
    """One that is there already is noticed; one that starts waits, and finds a database as it should be."""

    async def meanwhile(cursor: Cursor) -> bool:
        assert await keep_servers_out(cursor) is False
        server.start(dsn)
        preparing.append(deferred(migrate(server)))
        waiting = 0
        while not waiting:
            await cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            [(waiting,)] = cursor.fetchall()
        return preparing[0].called

    server, preparing = Database(clock=reactor), []  # type: ignore[arg-type, var-annotated]
    try:
        assert await within(20, database.transaction(meanwhile)) is False
        await within(20, preparing[0])
    finally:
        await within(10, server.stop())
