"""C{twistd wifidogd} that cannot start: it ends with a status, and its last line says why, and what to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.checkout import ROOT
from tests.support.postgres import ThrowawayPostgres

TWISTD = [sys.executable, str(Path(sys.executable).with_name("twistd")), "--nodaemon", "--pidfile="]
IS_ROOT = os.geteuid() == 0
AWAY = "host=127.0.0.1 port=1"


def start(*words: str, cwd: Path = Path("/"), twistd: tuple[str, ...] = ()) -> tuple[int, list[str]]:
    """Start a server that ends by itself; return its status and the lines it wrote."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [*TWISTD, *twistd, "wifidogd", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return ended.returncode, (ended.stdout + ended.stderr).splitlines()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens at."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def fails(*words: str, **how: object) -> str:
    """Start a server in vain; return its last line, above which there is nothing to be alarmed by."""
    status, lines = start(*words, **how)  # type: ignore[arg-type]
    noise = [line for line in lines[:-1] if any(word in line for word in ("Traceback", "Deferred", "FATAL", "Error"))]
    assert (status, noise) == (1, [])
    return lines[-1]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_another_program_has(taken: int, workers: str) -> None:
    last = fails("--database", AWAY, "--listen", f"tcp:{taken}:interface=127.0.0.1", "--workers", workers)
    assert last == (
        f"wifidogd cannot start: It cannot listen at 127.0.0.1 port {taken}: another program listens there: stop it, "
        "or choose another port with --listen."
    )


def test_an_address_that_the_machine_does_not_have() -> None:
    last = fails("--database", AWAY, "--listen", "tcp:8080:interface=192.0.2.1")
    assert last.endswith("no interface of this machine has that address: correct --listen.")


def test_a_database_that_does_not_exist(postgres: ThrowawayPostgres) -> None:
    """One that cannot be reached is waited for; one that answers and refuses will not change its mind."""
    last = fails("--database", f"{postgres.dsn} dbname=nowhere", "--listen", "tcp:0:interface=127.0.0.1")
    assert last.startswith("wifidogd cannot start: The database refuses: ")
    assert 'database "nowhere" does not exist' in last
    assert last.endswith("Correct --database, or the database.")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_user_that_the_database_does_not_know(postgres: ThrowawayPostgres, workers: str) -> None:
    dsn = f"{postgres.dsn} user=nobody9"
    last = fails("--database", dsn, "--listen", "tcp:0:interface=127.0.0.1", "--workers", workers)
    assert 'role "nobody9" does not exist' in last


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--listen", "ssl:0:privateKey=/nowhere.pem"), "No such file or directory: '/nowhere.pem'"),
        (("--listen", "tcp:http"), "write a port from 1 to 65535"),
        (("--data-dir", "/dev/null"), "/dev/null is not a directory"),
        (("--database", "postgresql://me:se@cret/x#y@db.example/wifidogd"), "write %40 for @, %2F for /"),
    ],
)
def test_options_that_cannot_be(words: tuple[str, ...], why: str) -> None:
    """Without the help of all of them, and without what may be a part of a password."""
    status, lines = start(*words)
    assert status == 1
    assert why in lines[-1]
    assert len(lines) <= 4
    assert "cret" not in " ".join(lines)


def test_a_data_directory_that_is_somebody_elses(scratch: Path) -> None:
    """PostgreSQL's files in it are left as they are."""
    (scratch / "postgresql").mkdir(mode=0o700)
    (scratch / "postgresql" / "base").touch()
    last = fails("--data-dir", str(scratch), "--listen", "tcp:0:interface=127.0.0.1")
    assert last.startswith("wifidogd cannot start: ")
    assert str(scratch) in last
    assert [each.name for each in (scratch / "postgresql").iterdir()] == ["base"]


@pytest.mark.skipif(not IS_ROOT, reason="only root becomes another user")
def test_root_becomes_another_user_anywhere_or_says_why_not(scratch: Path) -> None:
    """From a directory that this user may not enter; the port is refused last, so everything else was possible."""
    scratch.chmod(0o700)
    last = fails("--database", AWAY, "--listen", "tcp:80:interface=127.0.0.1", cwd=scratch, twistd=("--uid", "nobody"))
    assert "only root may open ports below 1024" in last
