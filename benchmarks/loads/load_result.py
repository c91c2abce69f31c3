"""What a load has found about one server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.loads.limits import BOUNDS, judge
from benchmarks.output.table import Limit, Table, number


@dataclass(frozen=True, slots=True)
class LoadResult:
    """
    A server under a load.

    @ivar load: A1 to A11.
    @ivar server: its name.
    @ivar outcomes: of the good requests, by what came of them.
    @ivar figures: everything else, by name; what is limited has the names of L{BOUNDS}.
    @ivar seconds: percent of a core that the server used in each second of the load; empty where nobody asks.
    """

    load: str
    server: str
    outcomes: Mapping[str, int]
    figures: Mapping[str, float]
    seconds: Sequence[float] = ()

    @property
    def limits(self) -> list[Limit]:
        """Judge it."""
        return judge(self.load, self.figures)

    @property
    def verdict(self) -> str:
        """Return C{held}, or what was missed; a server that others are compared with gets no verdict."""
        if len(self.limits) < len(BOUNDS[self.load]):
            return "-"
        missed = [limit.name.partition(": ")[2] for limit in self.limits if not limit.is_held]
        return "MISSED: " + ", ".join(missed) if missed else "held"

    def as_json(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {
            "outcomes": dict(self.outcomes),
            "figures": dict(self.figures),
            "seconds": list(self.seconds),
            "verdict": self.verdict,
        }


def tabulate(title: str, rows: Sequence[LoadResult]) -> Table:
    """Put the rows of one load side by side: outcomes, figures, verdict."""
    named = list(dict.fromkeys(name for row in rows for name in row.figures))
    limited = [bound.figure for bound in BOUNDS[rows[0].load]]
    figures = sorted(named, key=lambda name: (name in limited, named.index(name)))
    lines = [
        [row.server, told(row.outcomes)] + [cell(row.figures.get(name)) for name in figures] + [row.verdict]
        for row in rows
    ]
    return Table(title, ("", "outcomes", *figures, "limits"), lines)


def cell(figure: float | None) -> str:
    """Write a figure, or that there is none; what was counted is told to the last."""
    if figure is None:
        return "-"
    return f"{figure:,}" if isinstance(figure, int) else number(figure)


def told(outcomes: Mapping[str, int]) -> str:
    """List outcomes, the most frequent first."""
    ordered = sorted(outcomes.items(), key=lambda item: -item[1])
    return ", ".join(f"{count} {name}" for name, count in ordered) or "none"
