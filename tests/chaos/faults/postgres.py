"""What can happen to a PostgreSQL, each as a context: entered, it has happened; left, it is over."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress

import psycopg2

from tests.support.checkout import ROOT
from tests.support.postgres import ThrowawayPostgres, execute

Fault = Callable[[ThrowawayPostgres, str], AbstractContextManager[None]]
"""Done to a PostgreSQL, whose database with this DSN is in use."""

TERMINATE = """
    SELECT count(pg_terminate_backend(pid))
      FROM pg_stat_activity
     WHERE application_name = 'wifidogd'
"""


@contextmanager
def stopped(postgres: ThrowawayPostgres, dsn: str) -> Iterator[None]:
    """Shut it down, and start it."""
    postgres.stop()
    yield
    postgres.start()


@contextmanager
def killed(postgres: ThrowawayPostgres, dsn: str) -> Iterator[None]:
    """Take all its processes away with SIGKILL, and start it; it recovers from its log."""
    postgres.kill()
    yield
    postgres.start()


@contextmanager
def frozen(postgres: ThrowawayPostgres, dsn: str) -> Iterator[None]:
    """Stop all its processes with SIGSTOP, and let them go on."""
    postgres.freeze()
    yield
    postgres.thaw()


@contextmanager
def terminated(postgres: ThrowawayPostgres, dsn: str) -> Iterator[None]:
    """Terminate the backends of wifidogd; it may have others at once."""
    execute(dsn, TERMINATE)
    yield


@contextmanager
def table_locked(postgres: ThrowawayPostgres, dsn: str) -> Iterator[None]:
    """Hold the strongest lock on the table of sessions, as C{ALTER TABLE} or C{VACUUM FULL} does."""
    with _holding(dsn, "LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"):
        yield


@contextmanager
def rows_locked(postgres: ThrowawayPostgres, dsn: str) -> Iterator[None]:
    """Hold the rows of every other session, as somebody does who has typed BEGIN and UPDATE and gone to lunch."""
    with _holding(dsn, "SELECT token_hash FROM sessions WHERE session_id % 2 = 0 FOR UPDATE"):
        yield


@contextmanager
def gateways_locked(postgres: ThrowawayPostgres, dsn: str) -> Iterator[None]:
    """Hold the strongest lock on the table of gateways, which every sign-in and every end of a session needs."""
    with _holding(dsn, "LOCK TABLE gateways IN ACCESS EXCLUSIVE MODE"):
        yield


@contextmanager
def history_locked(postgres: ThrowawayPostgres, dsn: str) -> Iterator[None]:
    """Hold the lock on the history that C{CREATE INDEX} holds for as long as it takes."""
    with _holding(dsn, "LOCK TABLE past_sessions IN SHARE MODE"):
        yield


@contextmanager
def _holding(dsn: str, statement: str) -> Iterator[None]:
    with closing(psycopg2.connect(dsn)) as connection:
        connection.cursor().execute(statement)
        yield


@contextmanager
def out_of_slots(postgres: ThrowawayPostgres, dsn: str) -> Iterator[None]:
    """Take every connection that it has, those of wifidogd too."""
    with ExitStack() as taken:
        restarter = taken.enter_context(closing(psycopg2.connect(dsn)))
        restarter.autocommit = True
        cursor = restarter.cursor()
        while True:
            _take_all(dsn, taken)
            cursor.execute(TERMINATE)
            if cursor.fetchone() == (0,):
                break
        yield


def _take_all(dsn: str, taken: ExitStack) -> None:
    """Connect until there is no slot left."""
    with suppress(psycopg2.OperationalError):
        while True:
            taken.enter_context(closing(psycopg2.connect(dsn)))


@contextmanager
def replaced(postgres: ThrowawayPostgres, dsn: str) -> Iterator[None]:
    """Put somebody in its place who completes every login and hangs up, as a pooler does that has lost its server."""
    postgres.stop()
    command = [sys.executable, "-m", "tests.chaos.faults.postgres_impostor", str(postgres.socket)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as impostor:
        assert impostor.stdout is not None
        impostor.stdout.readline()
        yield
        impostor.terminate()
    postgres.start()
