"""What is mutated, and which tests must notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.checkout import ROOT


@dataclass(frozen=True, slots=True)
class Room:
    """
    A folder of wifidogd.

    @ivar tests: folders with its tests, relative to the checkout.
    @ivar goal: percent of the mutants that tests must kill.
    @ivar needs_database: whether tests use PostgreSQL, which is then started once for all mutants.
    """

    name: str
    tests: Sequence[str]
    goal: float
    needs_database: bool = True

    @property
    def files(self) -> list[Path]:
        """Its modules."""
        folder = ROOT / "wifidogd" / self.name
        return sorted(path for path in folder.rglob("*.py") if path.name != "__init__.py")


ROOMS = {
    room.name: room
    for room in (
        Room("domain", ["tests/domain"], 95.0, needs_database=False),
        Room("accounting", ["tests/accounting"], 90.0),
        Room("access", ["tests/access"], 90.0),
        Room("web/gateway", ["tests/web/gateway"], 90.0),
    )
}
