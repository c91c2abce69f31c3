"""Of a backup come the rows of our tables, all or none; nothing that it says is done."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.defer import ensureDeferred as deferred
from twisted.internet.task import deferLater

from tests.conftest import make_database
from tests.store.backup.dumps import dump_of, real_archive, scripted_archive
from tests.support.builders import put, rows
from tests.support.deadline import within
from tests.support.old_databases import all_rows, make_old_database
from tests.support.postgres import ThrowawayPostgres
from wifidogd.domain.errors import StoreRefused
from wifidogd.store.backup.archive import Archive, Contents
from wifidogd.store.backup.load import Load
from wifidogd.store.driver.database import Database
from wifidogd.store.migrations import released

NEWEST = released()[-1][0]
ROUTINES = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY proname"
TRIGGERS = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O' ORDER BY tgname"

ATTACK = """
    CREATE TABLE recipes (name text);
    CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DROP TABLE accounts; END $$;
    CREATE TRIGGER evil BEFORE INSERT ON networks FOR EACH ROW EXECUTE FUNCTION evil();
    CREATE OR REPLACE FUNCTION count_directory_change() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN DROP TABLE accounts; END $$;
    CREATE VIEW seen AS SELECT * FROM sessions
"""


def execute(dsn: str, statements: str) -> None:
    """Change a database as its superuser."""
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statements)


async def load(archive: Archive, dsn: str, contents: Contents | None = None) -> list[str]:
    """Restore a backup, and return what was left out."""
    loading = Load(archive, contents or archive.contents(), dsn, reactor)  # type: ignore[arg-type]
    return await within(60, loading.run())


@pytest.mark.parametrize("schema", [number for number, _ in released()])
@ensureDeferred
async def test_every_row_of_every_schema_comes_back(
    postgres: ThrowawayPostgres, dsn: str, tmp_path: Path, schema: int
) -> None:
    """Numbers that were given out are not given out again."""
    source = make_database(postgres)
    make_old_database(source, schema)
    archive = real_archive(await dump_of(source, tmp_path / "backup"))
    assert await load(archive, dsn) == []
    assert all_rows(dsn) == all_rows(source)


@ensureDeferred
async def test_nothing_but_rows_comes_from_a_backup(
    database: Database, postgres: ThrowawayPostgres, dsn: str, tmp_path: Path
) -> None:
    """Functions, triggers, views and tables that are not ours are left out, and the operator hears of tables."""
    source = make_database(postgres)
    make_old_database(source, NEWEST)
    before = await rows(database, ROUTINES), await rows(database, TRIGGERS)
    execute(source, ATTACK)
    archive = real_archive(await dump_of(source, tmp_path / "backup"))
    assert await load(archive, dsn) == ["recipes"]
    assert (await rows(database, ROUTINES), await rows(database, TRIGGERS)) == before
    assert await rows(database, "SELECT to_regclass('recipes'), to_regclass('seen')") == [(None, None)]
    await put(database, "UPDATE networks SET title = 'x'")


@pytest.mark.parametrize(
    "statement",
    [
        "COPY public.waiting_gateways FROM PROGRAM 'touch {marker}'; --",
        "DROP TABLE public.accounts; --",
        "\\! touch {marker}",
        "COPY public.waiting_gateways (gw_id) FROM '/etc/passwd'; --",
    ],
)
@ensureDeferred
async def test_a_changed_backup_is_refused_and_does_nothing(
    database: Database, dsn: str, tmp_path: Path, statement: str
) -> None:
    """Its statements stand in it in the clear, and psql would execute them."""
    marker = Path("marker")
    file = await dump_of(dsn, tmp_path / "backup")
    content = file.read_bytes()
    begin = content.index(b"COPY public.waiting_gateways (")
    end = content.index(b"FROM stdin;\n", begin) + len(b"FROM stdin;")
    changed = statement.format(marker=marker).encode().ljust(end - begin)
    assert len(changed) == end - begin
    file.write_bytes(content[:begin] + changed + content[end:])
    before = all_rows(dsn)
    with pytest.raises(StoreRefused, match="no rows of the table waiting_gateways"):
        await load(real_archive(file), dsn)
    assert all_rows(dsn) == before
    assert not any((directory / marker).exists() for directory in (Path("/"), Path(), tmp_path))


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo 'read error' >&2; exit 1", "read error|no rows"),
        (r"printf 'COPY public.plans (name) FROM stdin;\nx\n'; kill -9 $$", "no rows|break off"),
        (r"printf 'COPY public.servers (nonsense) FROM stdin;\n\\.\n'", "no rows|other columns"),
        ("true", "no rows"),
    ],
)
@ensureDeferred
async def test_a_restore_that_breaks_off_changes_nothing(
    database: Database, dsn: str, tmp_path: Path, script: str, sentence: str
) -> None:
    """Whatever ends it."""
    before = all_rows(dsn)
    contents = Contents(NEWEST, "public", "15.1", 15)
    with pytest.raises(StoreRefused, match=sentence):
        await load(scripted_archive(tmp_path, script), dsn, contents)
    assert all_rows(dsn) == before


@ensureDeferred
async def test_a_restore_that_is_interrupted_changes_nothing(database: Database, dsn: str, tmp_path: Path) -> None:
    """And leaves no program behind that might still do something."""
    before = all_rows(dsn)
    pid = tmp_path / "pid"
    archive = scripted_archive(tmp_path, f"echo $$ >{pid}.new; mv {pid}.new {pid}; exec sleep 60")
    restoring = deferred(Load(archive, Contents(NEWEST, "public", "15.1", 15), dsn, reactor).run())  # type: ignore[arg-type]
    for _ in range(400):
        if pid.exists():
            break
        await deferLater(reactor, 0.05)  # type: ignore[arg-type]
    restoring.cancel()
    with pytest.raises(CancelledError):
        await within(60, restoring)
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()
    assert all_rows(dsn) == before
