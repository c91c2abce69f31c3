"""Columns that need no quoting, as PostgreSQL reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from tests.support.builders import NOON, rows
from wifidogd.domain.sessions import MAX_OCTETS
from wifidogd.store.driver.array_literals import of_addresses, of_counts, of_instants, of_octets
from wifidogd.store.driver.database import Database

EVERY_OCTET = bytes(range(256))

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "kind", "read"),
    [
        (of_octets([]), "bytea", []),
        (of_octets([b"", EVERY_OCTET, b'\\"{},NULL']), "bytea", [b"", EVERY_OCTET, b'\\"{},NULL']),
        (of_counts([]), "bigint", []),
        (of_counts([0, 7, MAX_OCTETS]), "bigint", [0, 7, MAX_OCTETS]),
        (of_instants([]), "timestamptz", []),
        (of_instants([None, NOON, LONG_AGO, FAR_AHEAD]), "timestamptz", [None, NOON, LONG_AGO, FAR_AHEAD]),
        (of_instants([NOON.astimezone(timezone(timedelta(hours=-7)))]), "timestamptz", [NOON]),
        (of_addresses([]), "inet", []),
        (of_addresses([None, "10.0.0.9", "2001:db8::1"]), "inet", [None, "10.0.0.9", "2001:db8::1"]),
        (of_addresses(["02:ab:cd:ef:01:01", None]), "macaddr", ["02:ab:cd:ef:01:01", None]),
    ],
)
@ensureDeferred
async def test_what_is_written_is_read_again(database: Database, written: str, kind: str, read: list[Any]) -> None:
    """In order, to the octet and the microsecond."""
    found = await rows(database, f"SELECT value FROM unnest(%(written)s::{kind}[]) AS value", {"written": written})
    assert [row[0] for row in found] == read
