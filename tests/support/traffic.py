"""What the server sends to PostgreSQL, counted where it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from twisted.internet.defer import Deferred

from wifidogd.store.driver.connection import Connection


@dataclass
class Traffic:
    """Transactions that were begun, and messages whose answers were waited for."""

    transactions: int = 0
    round_trips: int = 0

    @property
    def counted(self) -> tuple[int, int]:
        """Transactions and round trips."""
        return self.transactions, self.round_trips


@contextmanager
def traffic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traffic]:
    """Count what is sent on all connections of this process."""
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
