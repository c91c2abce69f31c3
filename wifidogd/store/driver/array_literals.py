"""
Columns of values as PostgreSQL reads arrays.

psycopg2 quotes the items of a list one by one, which costs more than all the
rest of a batch of reports; what is written here has nothing to quote.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


def of_octets(values: Iterable[bytes]) -> str:
    """Write a C{bytea[]}."""
    return _array([f'"\\\\x{value.hex()}"' for value in values])


def of_counts(values: Iterable[int]) -> str:
    """Write a C{bigint[]}."""
    return _array(map(str, values))


def of_counts_or_null(values: Iterable[int | None]) -> str:
    """Write a C{bigint[]}; None becomes NULL."""
    return _array(["NULL" if value is None else str(value) for value in values])


def of_instants(values: Iterable[datetime | None]) -> str:
    """Write a C{timestamptz[]}; None becomes NULL."""
    return _array(["NULL" if value is None else f'"{value.isoformat()}"' for value in values])


def of_addresses(values: Iterable[str | None]) -> str:
    """
    Write a C{macaddr[]} or C{inet[]}; None becomes NULL.

    @param values: normalised, of digits, letters, dots and colons.
    """
    return _array([value or "NULL" for value in values])


def _array(items: Iterable[str]) -> str:
    return "{" + ",".join(items) + "}"
