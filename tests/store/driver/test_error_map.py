"""What drivers raise, where no server is needed to say it; the rest is in test_store_database."""

from __future__ import annotations

import psycopg2
import pytest
from psycopg2 import errors, extensions
from twisted.internet.defer import CancelledError
from txpostgres import txpostgres

from wifidogd.domain.errors import StoreConflict, StoreRefused, StoreUnavailable
from wifidogd.store.driver.error_map import translated

GARBAGE = UnicodeDecodeError("utf8", b"\xff", 0, 1, "invalid start byte")


@pytest.mark.parametrize(
    ("raised", "meaning"),
    [
        (CancelledError(), StoreUnavailable),
        (extensions.QueryCanceledError("canceling statement"), StoreUnavailable),
        (errors.LockNotAvailable("canceling statement due to lock timeout"), StoreUnavailable),
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
