"""The embedded PostgreSQL: it comes up, survives, ends with us, and never loses or overwrites anything."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, capturedLogs

from tests.support.checkout import ROOT
from tests.support.deadline import within
from tests.support.postgres import newest_binaries
from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.embedded import binaries, cluster, commands, launch
from wifidogd.store.embedded.cluster import Cluster
from wifidogd.store.embedded.data_directory import dsn_of
from wifidogd.store.embedded.ownership import Owner, choose_owner
from wifidogd.store.embedded.stale_servers import processes_on, seen_by_proc, seen_by_ps, server_pid, signal_all

NewCluster = Callable[..., Cluster]
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def scratch(scratch: Path) -> Iterator[Path]:
    """A directory that every user may enter; whatever PostgreSQL a test leaves there is killed."""
    yield scratch
    for directory in [*scratch.rglob("postgresql"), *scratch.rglob("postgresql.new")]:
        while left := processes_on(directory):
            signal_all(left, signal.SIGKILL)
            time.sleep(0.02)


@pytest.fixture
def data_dir(scratch: Path) -> Path:
    """The path of a data directory that does not exist yet."""
    return scratch / "data"


@pytest.fixture
def owner(data_dir: Path) -> Owner:
    """Return the user that PostgreSQL runs as."""
    return choose_owner(data_dir / "postgresql")


@pytest_twisted.async_yield_fixture
async def new_cluster(scratch: Path) -> AsyncIterator[NewCluster]:
    """Make L{Cluster}s, which are stopped before their place goes."""
    made: list[Cluster] = []

    def make(data_dir: Path, **options: bool) -> Cluster:
        made.append(Cluster(data_dir, reactor=reactor, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        await within(10, each.stop())


async def refusal(cluster: Cluster) -> str:
    """Start in vain, and return the sentence that the operator reads."""
    with pytest.raises(ConfigurationError) as problem:
        await within(30, cluster.start())
    return str(problem.value)


def ask(dsn: str, statement: str) -> Any:
    """Run one statement on a connection of its own, blocking, and return the first value."""
    connection = psycopg2.connect(dsn, connect_timeout=10)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something has happened outside."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not happen"
        await deferLater(reactor, 0.02)  # type: ignore[arg-type]


def answers(dsn: str) -> bool:
    """Return whether a server accepts connections."""
    try:
        return bool(ask(dsn, "SELECT true"))
    except psycopg2.OperationalError:
        return False


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


class Host:
    """Another process that runs a L{Cluster}, and can be killed."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.programs.cluster_host", data_dir, *options],
            cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    async def said(self) -> dict[str, str]:
        """Await its DSN or refusal."""
        assert self.process.stdout is not None
        line = await within(30, deferToThread(self.process.stdout.readline))
        answer: dict[str, str] = json.loads(line)
        return answer

    async def ended(self) -> int:
        """Await its exit status."""
        return await within(20, deferToThread(self.process.wait, 20))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def host(data_dir: Path) -> Iterator[Callable[..., Host]]:
    """Start hosts on the data directory; none outlives the test."""
    hosts: list[Host] = []

    def start(*options: str) -> Host:
        hosts.append(Host(data_dir, *options))
        return hosts[-1]

    yield start
    for each in hosts:
        each.kill()
        assert each.process.stdout is not None
        each.process.stdout.close()


# Starting


@ensureDeferred
async def test_a_missing_data_directory_becomes_a_private_database(
    new_cluster: NewCluster, data_dir: Path, owner: Owner
) -> None:
    """Nobody but its user, which is not root, can look into it or connect to it."""
    umask = os.umask(0o077)
    server = new_cluster(data_dir / "new")
    dsn = await within(60, server.start())
    os.umask(umask)
    assert dsn == dsn_of(data_dir / "new")
    assert ask(dsn, "SELECT current_user") == "wifidogd"
    pid = server_pid(data_dir / "new" / "postgresql")
    assert pid is not None
    assert Path(f"/proc/{pid}").stat().st_uid == owner.uid != 0
    assert os.getsid(pid) != os.getsid(0)
    for name in ("postgresql", "run"):
        assert (data_dir / "new" / name).stat().st_uid == owner.uid
        assert mode(data_dir / "new" / name) == "0o700"
    assert mode(data_dir) == mode(data_dir / "new") == "0o711"
    await within(10, server.stop())
    assert not answers(dsn)


@ensureDeferred
async def test_a_database_is_there_again_after_a_restart(new_cluster: NewCluster, data_dir: Path) -> None:
    """And it was made by the book: durable, UTF-8, no network."""
    server = new_cluster(data_dir)
    dsn = await within(60, server.start())
    ask(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    await within(10, server.stop())
    await within(60, server.start())
    assert ask(dsn, "SELECT answer FROM kept") == 42
    expected = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "listen_addresses": "",
                "server_encoding": "UTF8", "lc_collate": "C", "jit": "off", "TimeZone": "UTC"}  # fmt: skip
    names = ask(dsn, "SELECT json_object_agg(name, setting) FROM pg_settings")
    assert {name: names.get(name, "C") for name in expected} == expected


@pytest.mark.parametrize("name", ['it\'s a "data" dir', "with, comma", "Käsekuchen", "x" * 120])
@ensureDeferred
async def test_any_directory_name_will_do(new_cluster: NewCluster, scratch: Path, name: str) -> None:
    """Even those that do not fit into a socket's address or a DSN."""
    data_dir = scratch / name / "data"
    server = new_cluster(data_dir)
    try:
        dsn = await within(60, server.start())
        assert ask(dsn, "SELECT 1") == 1
        assert dsn == dsn_of(data_dir)
    finally:
        await within(10, server.stop())
        if commands.socket_directory(data_dir).parent == commands.SHORT_PLACE:
            shutil.rmtree(commands.socket_directory(data_dir))


@pytest.mark.parametrize("trap", ["a symbolic link", "a file", "open to others"])
@ensureDeferred
async def test_a_short_socket_directory_that_is_not_ours_is_refused(
    new_cluster: NewCluster, scratch: Path, trap: str
) -> None:
    """Others can write to /tmp too: a server of theirs must not get our secrets, nor our chown reach their target."""
    data_dir = scratch / ("x" * 120)
    directory = commands.socket_directory(data_dir)
    target = scratch / "target"
    target.mkdir(mode=0o700)
    (target / commands.SOCKET_NAME).touch()
    match trap:
        case "a symbolic link":
            directory.symlink_to(target)
        case "a file":
            directory.touch()
        case _:
            directory.mkdir()
            directory.chmod(0o777)
    before = directory.lstat(), target.stat()
    try:
        assert str(directory) in await refusal(new_cluster(data_dir))
        assert (directory.lstat(), target.stat()) == before
    finally:
        shutil.rmtree(directory) if trap == "open to others" else directory.unlink()


@ensureDeferred
async def test_a_place_out_of_reach_is_refused(new_cluster: NewCluster, scratch: Path) -> None:
    """Root could write anywhere, but the user that PostgreSQL runs as could not follow."""
    closed = scratch / "closed"
    closed.mkdir(mode=0o700 if IS_ROOT else 0o500)
    sentence = await refusal(new_cluster(closed / "data"))
    assert "choose another --data-dir" in sentence
    assert f"may not enter {closed}:" in sentence if IS_ROOT else "cannot be made" in sentence


@ensureDeferred
async def test_a_file_in_the_way_is_named(new_cluster: NewCluster, scratch: Path) -> None:
    """A typing error in --data-dir must not end in a traceback."""
    (scratch / "file").touch()
    assert f"{scratch}/file" in await refusal(new_cluster(scratch / "file"))
    assert f"{scratch}/file" in await refusal(new_cluster(scratch / "file" / "data"))


@ensureDeferred
async def test_somebody_elses_data_directory_is_refused(data_dir: Path, host: Callable[..., Host]) -> None:
    """Without root, and without the right to write."""
    data_dir.mkdir(mode=0o555)
    answer = await host(*as_unprivileged(data_dir.parent)).said()
    assert "is not writable" in answer["refusal"]


def as_unprivileged(scratch: Path) -> tuple[str, ...]:
    """Ask a L{Host} to be an ordinary user: another one for root, ourselves otherwise."""
    user = choose_owner(scratch / "none")
    python = Path(sys.executable).resolve()  # .venv/bin/python may stand below /root
    if not user.can_execute(python):
        python = Path("/usr/bin/python3")
    launcher = scratch / "launch.py"
    shutil.copy(launch.__file__, launcher)
    launcher.chmod(0o644)
    return ("--as", str(user.uid), str(user.gid), str(python), str(launcher)) if IS_ROOT else ()


@ensureDeferred
async def test_an_ordinary_user_runs_it_as_themselves(data_dir: Path, owner: Owner, host: Callable[..., Host]) -> None:
    """Root is needed for nothing."""
    data_dir.mkdir(mode=0o700)
    os.chown(data_dir, owner.uid, owner.gid)
    server = host(*as_unprivileged(data_dir.parent))
    answer = await server.said()
    assert ask(answer["dsn"], "SELECT 1") == 1
    assert (data_dir / "postgresql").stat().st_uid == owner.uid
    server.process.terminate()
    assert await server.ended() == 0


@ensureDeferred
async def test_programs_out_of_reach_are_copied(
    new_cluster: NewCluster, scratch: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the wheel in a virtual environment that only root can read; others run it where it is."""
    source = next(path for path in binaries.wheel_directories() if path.is_dir()).parent
    package = scratch / "closed" / binaries.WHEEL
    shutil.copytree(source.parent.parent / f"{binaries.WHEEL}.libs", scratch / "closed" / f"{binaries.WHEEL}.libs")
    shutil.copytree(source, package / source.name)
    (scratch / "closed").chmod(0o700)
    monkeypatch.setattr(binaries, "system_directories", list)
    monkeypatch.setattr(binaries, "wheel_directories", lambda: [package / source.name / "bin"])
    server = new_cluster(data_dir)
    dsn = await within(60, server.start())
    assert ask(dsn, "SELECT 1") == 1
    assert bool(list(data_dir.glob("binaries-*"))) is IS_ROOT


# Two of them, and what is left of one


@ensureDeferred
async def test_a_second_wifidogd_is_refused(new_cluster: NewCluster, data_dir: Path, host: Callable[..., Host]) -> None:
    """It must neither share nor hurt the first one's database."""
    server = new_cluster(data_dir)
    dsn = await within(60, server.start())
    assert f"(process {os.getpid()})" in (await host().said())["refusal"]
    assert f"(process {os.getpid()})" in await refusal(new_cluster(data_dir))
    assert answers(dsn)


@ensureDeferred
async def test_a_refused_restart_does_not_hurt_the_server_of_another(
    new_cluster: NewCluster, data_dir: Path, host: Callable[..., Host]
) -> None:
    """What was ours once is theirs now."""
    server = new_cluster(data_dir)
    await within(60, server.start())
    await within(10, server.stop())
    dsn = (await host().said())["dsn"]
    await refusal(server)
    await within(10, server.stop())
    assert answers(dsn)


@ensureDeferred
async def test_whoever_the_directory_belongs_to_can_come_back(
    new_cluster: NewCluster, data_dir: Path, owner: Owner, host: Callable[..., Host]
) -> None:
    """After root has used it, for a backup, say."""
    data_dir.mkdir(mode=0o711)
    os.chown(data_dir, owner.uid, owner.gid)
    server = new_cluster(data_dir)
    await within(60, server.start())
    await within(10, server.stop())
    theirs = host(*as_unprivileged(data_dir.parent))
    assert ask((await theirs.said())["dsn"], "SELECT 1") == 1
    theirs.process.terminate()
    assert await theirs.ended() == 0


@ensureDeferred
async def test_an_orphan_is_stopped_first(
    new_cluster: NewCluster, data_dir: Path, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A PostgreSQL that runs on the directory without a wifidogd, whoever started it.

    It shuts down in order, because nobody but itself tells its processes to end.
    """
    signals = []

    def note(pids: list[int], number: signal.Signals) -> None:
        signals.append((pids, number))
        signal_all(pids, number)

    monkeypatch.setattr("wifidogd.store.embedded.stale_servers.signal_all", note)
    server = new_cluster(data_dir)
    dsn = await within(60, server.start())
    await within(10, server.stop())
    orphan = subprocess.Popen(
        [newest_binaries() / "postgres", "-D", data_dir / "postgresql", "-k", data_dir / "run", "-h", ""],
        stderr=subprocess.DEVNULL, **become(owner),
    )  # fmt: skip
    try:
        await until(lambda: answers(dsn))
        await within(60, server.start())
        assert await within(10, deferToThread(orphan.wait, 10)) == 0
        assert signals == [([orphan.pid], signal.SIGINT)]
        assert answers(dsn)
    finally:
        orphan.kill()
        orphan.wait()


def become(owner: Owner) -> dict[str, Any]:
    """Arguments for L{subprocess.Popen} that make the child another user's, if they can."""
    return {"user": owner.uid, "group": owner.gid, "extra_groups": []} if IS_ROOT else {}


@ensureDeferred
async def test_a_stale_pid_file_is_not_believed(new_cluster: NewCluster, data_dir: Path, owner: Owner) -> None:
    """After a power cut its process id may be another program's of the same user, which is left alone."""
    server = new_cluster(data_dir)
    dsn = await within(60, server.start())
    written = (data_dir / "postgresql" / "postmaster.pid").read_text().split("\n", 1)[1]
    await within(10, server.stop())
    bystander = subprocess.Popen(["/bin/sleep", "60"], **become(owner))
    try:
        for name in ("postgresql/postmaster.pid", "run/.s.PGSQL.5432.lock"):
            (data_dir / name).write_text(f"{bystander.pid}\n{written}")
            os.chown(data_dir / name, owner.uid, owner.gid)
        await within(60, server.start())
        assert answers(dsn)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@ensureDeferred
async def test_processes_are_found_with_and_without_proc(new_cluster: NewCluster, data_dir: Path) -> None:
    """The server and its children, and nothing else, by either way."""
    server = new_cluster(data_dir)
    dsn = await within(60, server.start())
    connection = psycopg2.connect(dsn)
    directory = data_dir / "postgresql"
    found = set(seen_by_proc(directory))
    assert found == set(seen_by_ps(directory))
    assert {server_pid(directory), connection.info.backend_pid} < found
    connection.close()
    await within(10, server.stop())
    assert not {*seen_by_proc(directory), *seen_by_ps(directory)}


@ensureDeferred
async def test_an_interrupted_initdb_is_begun_again(
    new_cluster: NewCluster, data_dir: Path, host: Callable[..., Host]
) -> None:
    """kill -9 of wifidogd while it makes the cluster."""
    first = host()
    await until(lambda: (data_dir / "postgresql.new" / "PG_VERSION").exists())
    first.kill()
    server = new_cluster(data_dir)
    dsn = await within(60, server.start())
    assert ask(dsn, "SELECT 1") == 1
    assert not (data_dir / "postgresql.new").exists()


@ensureDeferred
async def test_half_a_cluster_is_made_again(new_cluster: NewCluster, data_dir: Path, owner: Owner) -> None:
    """After a power cut in the middle of making it."""
    unfinished = data_dir / "postgresql.new"
    (unfinished / "global").mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("15\n")
    unfinished.chmod(0o700)
    os.chown(unfinished, owner.uid, owner.gid)
    assert answers(await within(60, new_cluster(data_dir).start()))
    assert not unfinished.exists()


@ensureDeferred
async def test_whatever_is_not_a_cluster_is_left_alone(new_cluster: NewCluster, data_dir: Path, owner: Owner) -> None:
    """It could be all that is left of somebody's database."""
    directory = data_dir / "postgresql"
    directory.mkdir(parents=True)
    (directory / "base").mkdir()
    os.chown(directory, owner.uid, owner.gid)
    assert f"{directory} is in the way" in await refusal(new_cluster(data_dir))
    assert (directory / "base").is_dir()


@ensureDeferred
async def test_an_older_cluster_is_refused(new_cluster: NewCluster, data_dir: Path) -> None:
    """PostgreSQL 9.6 had another format."""
    server = new_cluster(data_dir)
    await within(60, server.start())
    await within(10, server.stop())
    version = data_dir / "postgresql" / "PG_VERSION"
    version.write_text("11\n")
    assert "made by PostgreSQL 11 and needs that version" in await refusal(server)


# Death


@pytest.mark.parametrize("options", [(), ("--guarded",)])
@ensureDeferred
async def test_kill_9_of_wifidogd_leaves_no_postgresql(
    data_dir: Path, host: Callable[..., Host], options: tuple[str, ...]
) -> None:
    """By the kernel or by the guardian; it shuts down cleanly all the same."""
    server = host(*options)
    dsn = (await server.said())["dsn"]
    assert len(processes_on(data_dir / "postgresql")) > 1
    server.kill()
    await until(lambda: not processes_on(data_dir / "postgresql"), 10)
    assert not answers(dsn)
    assert not (data_dir / "postgresql" / "postmaster.pid").exists()


@pytest.mark.parametrize("options", [(), ("--guarded",)])
@ensureDeferred
async def test_kill_9_loses_no_acknowledged_row(
    data_dir: Path, host: Callable[..., Host], options: tuple[str, ...]
) -> None:
    """Three times in the middle of writing, and started again at once."""
    acknowledged: list[int] = []

    def write(dsn: str, round_: int) -> None:
        """Insert one row after the other until the server is gone."""
        connection = psycopg2.connect(dsn)
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE IF NOT EXISTS written (number integer PRIMARY KEY)")
        try:
            for number in range(1_000_000 * round_, 10**9):
                cursor.execute("INSERT INTO written VALUES (%s)", [number])
                acknowledged.append(number)
        except psycopg2.OperationalError:
            connection.close()

    for round_ in range(3):
        server = host(*options)
        writing = deferToThread(write, (await server.said())["dsn"], round_)
        known = len(acknowledged)
        await until(lambda known=known: len(acknowledged) > known + 200)  # type: ignore[misc]
        server.kill()
        await within(20, writing)
    survivor = host(*options)
    found = ask((await survivor.said())["dsn"], "SELECT array_agg(number) FROM written")
    assert set(acknowledged) <= set(found)
    survivor.process.terminate()
    assert await survivor.ended() == 0


@ensureDeferred
async def test_ctrl_c_reaches_wifidogd_only(data_dir: Path, host: Callable[..., Host]) -> None:
    """The terminal signals a whole group; PostgreSQL is not in it and is shut down in order."""
    server = host()
    dsn = (await server.said())["dsn"]
    pid = server_pid(data_dir / "postgresql")
    assert pid is not None
    assert os.getpgid(pid) != os.getpgid(server.process.pid)
    os.killpg(os.getpgid(server.process.pid), signal.SIGINT)
    assert await server.ended() == 0
    assert not answers(dsn)
    assert not processes_on(data_dir / "postgresql")


@pytest.mark.parametrize("guarded", [False, True])
@ensureDeferred
async def test_a_postgresql_that_dies_is_started_again(new_cluster: NewCluster, data_dir: Path, guarded: bool) -> None:
    """Also when a busy child of the dead one is still at work, and ever later when it dies again and again."""
    server = new_cluster(data_dir, guarded=guarded)
    dsn = await within(60, server.start())
    busy = psycopg2.connect(dsn, async_=True)
    await until(lambda: busy.poll() == psycopg2.extensions.POLL_OK)
    busy.cursor().execute("SELECT count(*) FROM generate_series(1, 10000000000)")
    with capturedLogs() as events:
        for _ in range(2):
            pid = server_pid(data_dir / "postgresql")
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: server_pid(data_dir / "postgresql") != pid and answers(dsn))  # type: ignore[misc]
    ends = [event for event in events if event["log_level"] is LogLevel.error]
    assert [event["pause"] for event in ends] == [0.0, 1.0]
    assert all("ready to accept connections" in event["last_words"] for event in ends)
    busy.close()
    await within(10, server.stop())
    assert not processes_on(data_dir / "postgresql")


@ensureDeferred
async def test_a_postgresql_that_cannot_start_is_tried_for_ever_and_told_of_seldom(
    new_cluster: NewCluster, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a full disk, which must not get fuller by it; once the cause is gone it is soon back."""
    monkeypatch.setattr(cluster, "BACK_OFF", (0.0, 0.01))
    server = new_cluster(data_dir)
    dsn = await within(60, server.start())
    settings = data_dir / "postgresql" / "postgresql.conf"
    sound = settings.read_text()
    settings.write_text(f"{sound}\nno_such_setting = 1\n")
    pid = server_pid(data_dir / "postgresql")
    assert pid is not None
    with capturedLogs() as events:
        os.kill(pid, signal.SIGKILL)
        await until(lambda: any(event.get("failures", 0) > cluster.SELDOM for event in events))
        settings.write_text(sound)
        await until(lambda: answers(dsn))
    told = [event["failures"] for event in events if "starting it again" in event.get("log_format", "")]
    assert told[:3] == [1, 2, cluster.SELDOM + 1]
    assert len(told) <= 4


@ensureDeferred
async def test_a_guardian_that_dies_is_replaced(new_cluster: NewCluster, data_dir: Path) -> None:
    """What it guarded is an orphan, stopped before a new server starts."""
    server = new_cluster(data_dir, guarded=True)
    dsn = await within(60, server.start())
    pid = server_pid(data_dir / "postgresql")
    guardian = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    assert guardian != os.getpid()
    os.kill(guardian, signal.SIGKILL)
    await until(lambda: server_pid(data_dir / "postgresql") not in (None, pid) and answers(dsn))
    await within(10, server.stop())
    assert not processes_on(data_dir / "postgresql")


# Stopping


@ensureDeferred
async def test_stopping_twice_at_once_or_never_started_is_fine(new_cluster: NewCluster, data_dir: Path) -> None:
    """Whoever stops everything need not know what runs."""
    await within(10, new_cluster(data_dir).stop())
    assert not data_dir.exists()
    server = new_cluster(data_dir)
    await within(60, server.start())
    both = [defer.ensureDeferred(server.stop()) for _ in range(2)]
    await within(10, defer.gatherResults(both))
    await within(10, server.stop())
    assert not processes_on(data_dir / "postgresql")


@pytest.mark.parametrize("stage", ["postgresql.new", "postgresql.new/base", "postgresql/postmaster.pid"])
@ensureDeferred
async def test_stopping_while_it_starts_leaves_nothing(new_cluster: NewCluster, data_dir: Path, stage: str) -> None:
    """However far it came, the next one works."""
    server = new_cluster(data_dir)
    starting = defer.ensureDeferred(server.start())
    await until((data_dir / stage).exists)
    await within(10, server.stop())
    with contextlib.suppress(defer.CancelledError):
        await within(1, starting)
    assert not processes_on(data_dir / "postgresql")
    assert not processes_on(data_dir / "postgresql.new")
    dsn = await within(60, server.start())
    assert answers(dsn)


@ensureDeferred
async def test_a_start_that_its_caller_gives_up_leaves_nothing(new_cluster: NewCluster, data_dir: Path) -> None:
    """Cancelling the awaited start is as good as stopping."""
    server = new_cluster(data_dir)
    starting = defer.ensureDeferred(server.start())
    await until((data_dir / "postgresql.new" / "base").exists)
    starting.cancel()
    with pytest.raises(defer.CancelledError):
        await within(10, starting)
    await within(10, server.stop())
    assert not processes_on(data_dir / "postgresql.new")


@ensureDeferred
async def test_a_frozen_postgresql_is_stopped_too(new_cluster: NewCluster, data_dir: Path) -> None:
    """Without its consent, but within ten seconds, and it recovers at the next start."""
    server = new_cluster(data_dir)
    await within(60, server.start())
    for pid in processes_on(data_dir / "postgresql"):
        os.kill(pid, signal.SIGSTOP)
    await within(10, server.stop())
    assert not processes_on(data_dir / "postgresql")
    assert answers(await within(60, server.start()))


@ensureDeferred
async def test_stopping_does_not_wait_for_a_restart(
    new_cluster: NewCluster, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the restart happen afterwards, until one is asked for."""
    monkeypatch.setattr(cluster, "BACK_OFF", (3600.0,))
    server = new_cluster(data_dir)
    dsn = await within(60, server.start())
    pid = server_pid(data_dir / "postgresql")
    assert pid is not None
    with capturedLogs() as events:
        os.kill(pid, signal.SIGKILL)
        await until(lambda: any("starting it again" in event.get("log_format", "") for event in events))
    await within(10, server.stop())
    assert not answers(dsn)
    assert answers(await within(60, server.start()))


# Programs that misbehave


@pytest.fixture
def fake(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Replace PostgreSQL by shell scripts: what initdb does, and what postgres does."""

    def install(initdb: str, postgres: str) -> None:
        directory = scratch / "fake"
        directory.mkdir()
        version = 'if [ "$1" = --version ]; then echo "postgres (PostgreSQL) 15.0"; exit; fi'
        for name, script in (("initdb", initdb), ("postgres", postgres)):
            (directory / name).write_text(f"#!/bin/sh\n{version}\n{script}\n")
            (directory / name).chmod(0o755)
        monkeypatch.setattr(binaries, "system_directories", lambda: [directory])

    return install


LOOKS_LIKE_A_CLUSTER = 'mkdir "$2/global" && echo 15 > "$2/PG_VERSION" && touch "$2/global/pg_control"'


@ensureDeferred
async def test_what_initdb_says_reaches_the_operator(
    new_cluster: NewCluster, data_dir: Path, fake: Callable[[str, str], None]
) -> None:
    """A full disk, say."""
    fake("echo initdb: error: No space left on device >&2; exit 1", "exit 3")
    sentence = await refusal(new_cluster(data_dir))
    assert "initdb ended with exit status 1" in sentence
    assert "No space left on device" in sentence
    assert not (data_dir / "postgresql").exists()


@ensureDeferred
async def test_a_start_that_is_stopped_ends_as_cancelled(
    new_cluster: NewCluster, data_dir: Path, fake: Callable[[str, str], None]
) -> None:
    """It is nobody's mistake, so there is no sentence."""
    fake('touch "$2/begun"; exec sleep 1000', "exit 3")
    server = new_cluster(data_dir)
    starting = defer.ensureDeferred(server.start())
    await until((data_dir / "postgresql.new" / "begun").exists)
    stopping = defer.ensureDeferred(server.stop())
    with pytest.raises(defer.CancelledError):
        await within(10, starting)
    await within(10, stopping)


@ensureDeferred
async def test_what_postgresql_says_at_its_end_reaches_the_operator(
    new_cluster: NewCluster, data_dir: Path, fake: Callable[[str, str], None]
) -> None:
    """Its last lines, without the first thousand."""
    fake(LOOKS_LIKE_A_CLUSTER, "i=0; while [ $i -lt 1000 ]; do echo line $i >&2; i=$((i+1)); done; exit 3")
    sentence = await refusal(new_cluster(data_dir))
    assert f"PostgreSQL in {data_dir} ended with exit status 3" in sentence
    assert "line 999" in sentence
    assert "line 900" not in sentence


@ensureDeferred
async def test_a_start_that_takes_too_long_is_given_up(
    new_cluster: NewCluster, data_dir: Path, fake: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it said meanwhile; nothing goes on behind our back."""
    monkeypatch.setattr(cluster, "START_DEADLINE", 1.0)
    fake(LOOKS_LIKE_A_CLUSTER, "echo still thinking >&2; exec sleep 1000")
    sentence = await refusal(new_cluster(data_dir))
    assert "did not start within 1 s" in sentence
    assert "still thinking" in sentence


@ensureDeferred
async def test_children_get_a_minimal_environment(
    new_cluster: NewCluster, data_dir: Path, fake: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """wifidogd's own may hold secrets, or settings that confuse PostgreSQL."""
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("WIFIDOGD_DATABASE", "password=secret")
    fake("env; umask; ls -l /proc/self/fd | wc -l; exit 1", "exit 3")
    _, _, said = (await refusal(new_cluster(data_dir))).partition("It said:\n")
    names = {line.partition("=")[0] for line in said.splitlines() if "=" in line}
    assert names <= {"PATH", "LC_ALL", "TZ", "PWD", "OLDPWD", "SHLVL", "_"}
    assert "0077" in said.splitlines()
