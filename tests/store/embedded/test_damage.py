"""A data directory that cannot be used is reported with the way back, and never made anew over what is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, formatEvent

from tests.support.deadline import within
from tests.support.scratch import make_scratch
from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.embedded.cluster import Cluster
from wifidogd.store.embedded.damage import advice, remark
from wifidogd.store.embedded.ownership import Owner

CLUSTER = Path("/srv/data/postgresql")
OWNER = Owner(1000, 1000, "wifidogd")

WAY_BACK = "backup with `wifidogctl --data-dir /srv/data restore FILE`"


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        ('FATAL:  could not write lock file "postmaster.pid": No space left on device', "make room on it"),
        ('PANIC:  could not write to file "pg_wal/xlogtemp.9": No space left on device', "make room on it"),
        (
            "FATAL:  could not extend file: wrote only 4096 of 8192 octets\nHINT:  Check free disk space.",
            "make room on it",
        ),
        ('FATAL:  data directory "/srv/data/postgresql" has invalid permissions', "chmod 700 /srv/data/postgresql)"),
        (
            'FATAL:  data directory "/srv/data/postgresql" has wrong ownership',
            "chown -R wifidogd: /srv/data/postgresql)",
        ),
        ('LOG:  could not open file "x": Permission denied', "chown -R wifidogd:"),
        ('PANIC:  could not read file "global/pg_control": read 0 of 296', WAY_BACK),
        ("FATAL:  database files are incompatible with server\nHINT:  It looks like you need to initdb.", WAY_BACK),
        ('FATAL:  required WAL directory "pg_wal" does not exist', WAY_BACK),
        ("PANIC:  could not locate a valid checkpoint record", WAY_BACK),
        ("FATAL:  could not create shared memory segment", ""),
    ],
)
def test_what_postgresql_says_becomes_what_to_do(said: str, advised: str) -> None:
    """PostgreSQL's own hint would make a new database over the old one."""
    assert advised in advice(CLUSTER, OWNER, said)
    assert bool(advice(CLUSTER, OWNER, said)) is bool(advised)


@pytest.mark.parametrize(
    ("line", "is_damage"),
    [
        ('FATAL:  database "postgres" does not exist', True),
        ('ERROR:  could not open file "base/5/16384": No such file or directory', True),
        ("ERROR:  invalid page in block 7 of relation base/5/16384", True),
        ('PANIC:  could not write to file "pg_wal/xlogtemp.9": No space left on device', False),
        ('ERROR:  relation "gests" does not exist', False),
        ("FATAL:  sorry, too many clients already", False),
    ],
)
def test_what_a_running_server_says_of_damage_is_told_with_the_way_back(line: str, is_damage: bool) -> None:
    """Not what it says of somebody's typing error, nor of a disk that may have room again."""
    assert (WAY_BACK in remark(CLUSTER, line)) is is_damage
    assert bool(remark(CLUSTER, line)) is is_damage


@ensureDeferred
async def test_damage_behind_the_start_is_told_with_the_way_back(sound: Path) -> None:
    """PostgreSQL itself starts without the files of its databases."""
    data_dir = sound / "hollow"
    subprocess.run(["cp", "-a", sound / "sound", data_dir], check=True)
    shutil.rmtree(data_dir / "postgresql" / "base")
    cluster = Cluster(data_dir, reactor=reactor)  # type: ignore[arg-type]
    try:
        with capturedLogs() as events:
            dsn = await within(30, cluster.start())
            with pytest.raises(psycopg2.OperationalError, match="does not exist"):
                psycopg2.connect(dsn)
            while not any("restore FILE" in (formatEvent(event) or "") for event in events):
                await within(10, deferLater(reactor, 0.02))  # type: ignore[arg-type]
    finally:
        await within(20, cluster.stop())
        shutil.rmtree(data_dir)


@pytest.fixture(scope="module")
def sound() -> Iterator[Path]:
    """A scratch place with a data directory that was shut down in order."""
    scratch = make_scratch()
    words = ["-m", "tests.support.programs.cluster_host", scratch / "sound"]
    host = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE)
    assert host.stdout is not None
    host.stdout.readline()
    host.terminate()
    assert host.wait(20) == 0
    host.stdout.close()
    yield scratch
    shutil.rmtree(scratch)


def all_files(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Read a whole directory: owners and contents."""
    if not directory.is_dir():
        return {"": (0, directory.read_bytes())}
    found = [
        path for path in directory.rglob("*") if path.is_file() and not path.name.startswith(("postmaster.", "pgstat."))
    ]
    return {str(path): (path.stat().st_uid, path.read_bytes()) for path in found}


def replaced_by_a_file(cluster: Path) -> None:
    shutil.rmtree(cluster)
    cluster.write_text("what is this?")


DAMAGES = {
    "PG_VERSION is gone": (lambda cluster: (cluster / "PG_VERSION").unlink(), "is in the way and is not"),
    "pg_control is gone": (lambda cluster: (cluster / "global/pg_control").unlink(), "is in the way and is not"),
    "pg_control is empty": (lambda cluster: os.truncate(cluster / "global/pg_control", 0), "could not read file"),
    "pg_wal is gone": (lambda cluster: shutil.rmtree(cluster / "pg_wal"), 'WAL directory "pg_wal" does not exist'),
    "pg_xact is gone": (lambda cluster: shutil.rmtree(cluster / "pg_xact"), "pg_xact"),
    "only base is left": (
        lambda cluster: [shutil.rmtree(path) if path.is_dir() else path.unlink()
                         for path in cluster.iterdir() if path.name != "base"],
        "is in the way and is not",
    ),
    "it is a file": (replaced_by_a_file, "is in the way and is not"),
    "it is of another version": (lambda cluster: (cluster / "PG_VERSION").write_text("11\n"), "made by PostgreSQL 11"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
@ensureDeferred
async def test_what_is_damaged_is_left_as_it_is(sound: Path, damage: str) -> None:
    """The sentence says what is wrong and how to come back; not a file is changed, twice."""
    data_dir = sound / "damaged"
    subprocess.run(["cp", "-a", sound / "sound", data_dir], check=True)
    hurt: Callable[[Path], object] = DAMAGES[damage][0]
    try:
        hurt(data_dir / "postgresql")
        before = all_files(data_dir / "postgresql")
        for _ in range(2):
            with pytest.raises(ConfigurationError) as problem:
                await within(30, Cluster(data_dir, reactor=reactor).start())  # type: ignore[arg-type]
            assert DAMAGES[damage][1] in str(problem.value)
            assert "restore FILE" in str(problem.value) or "Install PostgreSQL 11" in str(problem.value)
            assert all_files(data_dir / "postgresql") == before
        assert not (data_dir / "postgresql.new").exists()
    finally:
        shutil.rmtree(data_dir)
