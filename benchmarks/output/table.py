"""Results: ratios of pairs, limits that hold or not, text tables, JSON."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from tests.support.checkout import ROOT

T = TypeVar("T")


LIBRARIES = ("twisted", "klein", "txpostgres", "psycopg2-binary")


@dataclass(frozen=True, slots=True)
class Table:
    """
    Statistics side by side.

    @ivar rows: cells as they are printed; see L{number}.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Align the columns: the first to the left, figures to the right."""
        lines = [list(self.columns), *map(list, self.rows)]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.columns))]
        rendered = [
            "  ".join(
                cell.rjust(width) if at else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, "", rendered[0], "  ".join("-" * width for width in widths), *rendered[1:]])


@dataclass(frozen=True, slots=True)
class Limit:
    """
    What must hold.

    @ivar name: a sentence without its end, e.g. C{"CPU per request, wifidogd to Klein"}.
    @ivar most: an upper bound, or None.
    @ivar least: a lower bound, or None.
    """

    name: str
    value: float
    most: float | None = None
    least: float | None = None

    @property
    def is_held(self) -> bool:
        """Return whether the value is within its inclusive bounds."""
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    @property
    def bounds(self) -> str:
        """Return the requirement in words."""
        asked = [("at most", self.most), ("at least", self.least)]
        return ", ".join(f"{words} {number(bound)}" for words, bound in asked if bound is not None)


@dataclass(frozen=True, slots=True)
class Result:
    """
    What a bench has found.

    @ivar figures: for JSON: everything that tables show, unrounded, and more.
    @ivar notes: sentences to be read with the tables.
    """

    name: str
    tables: Sequence[Table]
    limits: Sequence[Limit] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def is_held(self) -> bool:
        """Return whether all limits hold."""
        return all(limit.is_held for limit in self.limits)

    def text(self) -> str:
        """Print everything but the JSON."""
        parts = [table.text() for table in self.tables]
        if self.limits:
            rows = [
                [limit.name, number(limit.value), limit.bounds, "held" if limit.is_held else "MISSED"]
                for limit in self.limits
            ]
            parts.append(Table("Limits", ("", "measured", "asked for", ""), rows).text())
        return "\n\n".join([f"=== {self.name}", *parts, *self.notes]) + "\n"

    def json(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {
            "name": self.name,
            "is_held": self.is_held,
            "limits": [asdict(limit) | {"is_held": limit.is_held} for limit in self.limits],
            "tables": [asdict(table) for table in self.tables],
            "figures": dict(self.figures),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure that was taken several times: its median, least and greatest."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.least)}-{number(self.most)})"


def spread(values: Sequence[float]) -> Spread:
    """Sum up repeated measurements."""
    return Spread(median(values), min(values), max(values))


def ratios(these: Sequence[float], those: Sequence[float]) -> Spread:
    """Compare two sides pair by pair, so that what disturbs the machine for a while disturbs both of a pair."""
    return spread([this / that for this, that in zip(these, those, strict=True)])


def alternate(rounds: int, sides: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """
    Measure several sides in turns: A B, then A B again, and so on.

    @return: by side, what it gave in each round.
    """
    found: dict[str, list[T]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            found[name].append(measure())
    return found


def number(value: float) -> str:
    """Write a figure with three digits that matter, and thousands apart."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if abs(value) < 10 else 1}f}" if abs(value) >= 0.1 else f"{value:.2g}"


def surroundings(postgres: str) -> dict[str, Any]:
    """
    Tell what figures depend on besides the code.

    @param postgres: its version.
    """
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_octets": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgresql": postgres,
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def commit() -> str:
    """Return the commit of the checkout, with a plus if something was changed; C{unknown} without git."""
    try:
        return _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    answer = subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True)
    return answer.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
