"""Which of our errors an exception of psycopg2 or txpostgres becomes."""

from __future__ import annotations

import re

import psycopg2
from psycopg2 import errors, extensions
from twisted.internet.defer import CancelledError
from txpostgres import txpostgres

from wifidogd.domain.errors import StoreConflict, StoreError, StoreLocked, StoreRefused, StoreUnavailable

READ_ONLY = "25006"
"""SQLSTATE of a write to a standby: what happens after a fail-over."""


_REFUSALS = re.compile(
    r"(authentication failed|no password supplied|no pg_hba\.conf entry|not permitted to log in|permission denied"
    r"|(role|database) .* does not exist)"
)
"""What a server, or libpq, says of a login that will not succeed until somebody changes something; in English."""


def is_refusal(said: str) -> bool:
    """
    Return whether the attempts to connect have failed because the server refuses us, whichever host was asked.

    There is no SQLSTATE before a connection is open, and servers may speak other languages: then nobody can tell.

    @param said: what each host said, with semicolons between them.
    """
    return all(_REFUSALS.search(each) for each in said.split("; "))


def translated(error: Exception) -> StoreError | None:
    """
    Return the error of ours that an exception of C{execute} becomes.

    txpostgres turns a statement_timeout into a CancelledError.  Lost connections come in many classes, mostly without
    an SQLSTATE.  Text that PostgreSQL cannot hold (a NUL, a lone surrogate) is a ValueError before anything is sent.

    @return: None if it is not about the database but an error in our own code.
    """
    text = str(error).partition("\n")[0]
    match error:
        case CancelledError() | extensions.QueryCanceledError():
            return StoreUnavailable("a statement took longer than statement_timeout")
        case extensions.TransactionRollbackError() | errors.UniqueViolation():
            return StoreConflict(text)
        case errors.LockNotAvailable():
            return StoreLocked(text)
        case psycopg2.OperationalError() | psycopg2.InterfaceError() | UnicodeDecodeError() | OSError():
            return StoreUnavailable(text)
        case txpostgres.UnexpectedPollResult() | txpostgres.AlreadyPolling() | txpostgres.RollbackFailed():
            return StoreUnavailable(text)
        case psycopg2.Error() if _is_trouble_of_the_server(error):
            return StoreUnavailable(text)
        case psycopg2.Error() | ValueError():
            return StoreRefused(text)
    return None


def _is_trouble_of_the_server(error: psycopg2.Error) -> bool:
    """Return whether the server failed (no SQLSTATE, an internal error, a standby) and not the statement."""
    if error.pgcode is None:
        return type(error) is psycopg2.DatabaseError
    return is_read_only(error) or error.pgcode.startswith("XX")


def is_read_only(error: Exception) -> bool:
    """Return whether a statement failed because its server accepts no writes, now or for good."""
    return isinstance(error, psycopg2.Error) and error.pgcode == READ_ONLY
