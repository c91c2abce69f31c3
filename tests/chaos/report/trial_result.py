"""What a trial says in the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import fill


@dataclass(frozen=True, slots=True)
class TrialResult:
    """
    A line of the table in docs/reliability.md.

    @ivar fault: what was broken, e.g. C{"PostgreSQL frozen for 30 s"}.
    @ivar load: what went on meanwhile, as measured, e.g. C{"212 requests a second of 90 gateways"}.
    @ivar promised: what must hold.
    @ivar seen: what was measured.
    @ivar missed: the promises that were not kept, in words.
    """

    fault: str
    load: str
    promised: str
    seen: str
    missed: Sequence[str] = field(default=())

    @property
    def held(self) -> bool:
        """Whether every promise was kept."""
        return not self.missed

    def text(self) -> str:
        """Write it for people at a terminal."""
        lines = [f"{'HELD  ' if self.held else 'MISSED'} {self.fault}"]
        for name, words in (("load", self.load), ("promised", self.promised), ("seen", self.seen)):
            lines.append(fill(words, 120, initial_indent=f"  {name:9}", subsequent_indent=" " * 11))
        return "\n".join([*lines, *(fill(why, 120, initial_indent="  MISSED   ") for why in self.missed)])


def write(file: Path, rows: Sequence[TrialResult]) -> None:
    """Write rows for programs."""
    found = [{**asdict(row), "held": row.held} for row in rows]
    file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
