"""Counts transactions and round trips to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from twisted.internet.defer import Deferred

from wifidogd.store.driver.connection import Connection


@dataclass
class Traffic:
    """Counts transactions that began, and messages whose answers were awaited."""

    transactions: int = 0
    round_trips: int = 0

    @property
    def counted(self) -> tuple[int, int]:
        """Return the numbers of transactions and of round trips."""
        return self.transactions, self.round_trips


@contextmanager
def traffic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traffic]:
    """Count what all connections of this process send while the block runs."""
    seen, execute = Traffic(), Connection.execute

    def counted(
        self: Connection, cursor: object, statement: str | bytes, parameters: Mapping[str, object] | None = None
    ) -> Deferred[object]:
        seen.round_trips += 1
        seen.transactions += statement.startswith(b"BEGIN") if isinstance(statement, bytes) else 0
        return execute(self, cursor, statement, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "execute", counted)
        yield seen
