"""What drivers raise, where no server is needed to say it; the rest is in test_store_database."""

from __future__ import annotations

import psycopg2
import pytest
from psycopg2 import errors, extensions
from twisted.internet.defer import CancelledError
from txpostgres import txpostgres

from wifidogd.domain.errors import StoreConflict, StoreLocked, StoreRefused, StoreUnavailable
from wifidogd.store.driver.error_map import is_refusal, translated

GARBAGE = UnicodeDecodeError("utf8", b"\xff", 0, 1, "invalid start byte")


@pytest.mark.parametrize(
    ("raised", "meaning"),
    [
        (CancelledError(), StoreUnavailable),
        (extensions.QueryCanceledError("canceling statement"), StoreUnavailable),
        (errors.LockNotAvailable("canceling statement due to lock timeout"), StoreLocked),
        (psycopg2.OperationalError("server closed the connection"), StoreUnavailable),
        (psycopg2.InterfaceError("connection already closed"), StoreUnavailable),
        (psycopg2.DatabaseError("lost synchronization with server"), StoreUnavailable),
        (txpostgres.RollbackFailed(None, None), StoreUnavailable),
        (ConnectionAbortedError("the server is stopping"), StoreUnavailable),
        (ConnectionResetError("the connection to PostgreSQL hung up"), StoreUnavailable),
        (TimeoutError("PostgreSQL does not answer"), StoreUnavailable),
        (GARBAGE, StoreUnavailable),
        (errors.DeadlockDetected("deadlock detected"), StoreConflict),
        (errors.SerializationFailure("could not serialize"), StoreConflict),
        (errors.UniqueViolation("duplicate key"), StoreConflict),
        (errors.ForeignKeyViolation("violates foreign key"), StoreRefused),
        (errors.UndefinedTable("does not exist"), StoreRefused),
        (psycopg2.ProgrammingError("can't adapt"), StoreRefused),
        (ValueError("NUL"), StoreRefused),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_every_exception_has_one_meaning(raised, meaning):
    """Subclasses come before their bases: a cancelled query and a deadlock are OperationalErrors too."""
    assert type(translated(raised)) is meaning


@pytest.mark.parametrize("raised", [KeyError("name"), TypeError("no")], ids=["KeyError", "TypeError"])
def test_mistakes_of_ours_have_none(raised):
    """They pass unchanged, and the log shows where they come from."""
    assert translated(raised) is None


def test_the_message_is_one_line():
    """PostgreSQL's detail may quote values."""
    assert str(translated(errors.CheckViolation("violates check\nDETAIL:  secret"))) == "violates check"


@pytest.mark.parametrize(
    ("said", "refuses"),
    [
        (
            'server at "192.0.2.1", port 5432 failed: FATAL:  password authentication failed for user "x"',
            True,
        ),
        ('FATAL:  role "x" does not exist', True),
        ('FATAL:  database "x" does not exist', True),
        ("fe_sendauth: no password supplied", True),
        ('FATAL:  no pg_hba.conf entry for host "192.0.2.1", user "x", database "x", no encryption', True),
        ("Connection refused", False),
        ("FATAL:  the database system is starting up", False),
        ("FATAL:  sorry, too many clients already", False),
        ("no connection within 5 s", False),
        ('connection to server on socket "/x/.s.PGSQL.5432" failed: No such file or directory', False),
        ('a port 5432: FATAL:  role "x" does not exist; b port 5432: Connection refused', False),
        ('a port 5432: FATAL:  role "x" does not exist; b port 5432: FATAL:  role "x" does not exist', True),
    ],
)
def test_a_server_that_refuses_us_is_told_from_one_that_is_away(said: str, refuses: bool) -> None:
    """Of several hosts, one that is away may still be the right one."""
    assert is_refusal(said) is refuses
