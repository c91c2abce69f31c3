"""
Puts what trials have shown into docs/reliability.md: C{python -m tests.chaos.report [FILE ...] [--minutes FILE]}.

Each FILE has rows as C{--json} wrote them.  They are kept in docs/reliability.json, where a row takes the place of an
older one about the same fault, and become the table between the marks of the page.  C{--minutes} is what the soak saw
from minute to minute, and becomes a plot.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.output.svg import Axis, Chart, Line
from benchmarks.plots import write
from tests.support.checkout import ROOT

DOCS = ROOT / "docs"
BEGIN, END = "<!-- tests.chaos.report writes from here -->", "<!-- to here -->"

SHOWN = {"memory": "memory", "cost": "CPU of a request", "descriptors": "descriptors"}

Found = Mapping[str, Any]
"""A row as JSON."""


def merged(kept: Iterable[Found], new: Iterable[Found]) -> list[Found]:
    """Replace older rows by new ones about the same fault; append the others."""
    rows = {row["fault"]: row for row in kept}
    return list((rows | {row["fault"]: row for row in new}).values())


def table(rows: Sequence[Found]) -> str:
    """Write rows for a page: promises first, each once, since many rows share theirs."""
    promises = list(dict.fromkeys(row["promised"] for row in rows))
    lines = [f"{number}. {_capital(promise)}." for number, promise in enumerate(promises, 1)]
    lines += ["", "| fault | load | promised | seen | held |", "|---|---|---|---|---|"]
    for row in rows:
        held = "yes" if row["held"] else f"**no**: {'; '.join(row['missed'])}"
        cells = (row["fault"], row["load"], str(promises.index(row["promised"]) + 1), row["seen"], held)
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines)


def filled(page: str, words: str) -> str:
    """
    Put words between the marks of a page.

    @raise ValueError: if there are no marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no marks between which a table could go")
    return f"{before}{BEGIN}\n\n{words}\n\n{END}{after}"


def plot(minutes: Sequence[Mapping[str, float]]) -> Chart:
    """Show what was to stay as it was, each in percent of its own median."""
    lines = [
        Line(
            words, [(at, 100 * each[name] / median(one[name] for one in minutes)) for at, each in enumerate(minutes, 1)]
        )
        for name, words in SHOWN.items()
    ]
    x = Axis("minutes", range(0, len(minutes) + 5, 5))
    return Chart("A fault and a crowd every minute", x, Axis("percent of the median", (0, 50, 100, 150, 200)), lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Renew the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.report", description="Renew docs/reliability.md.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="rows, as --json writes them")
    parser.add_argument("--minutes", type=Path, metavar="FILE", help="soak-minutes.json, to be drawn")
    asked = parser.parse_args(arguments)
    kept, page = DOCS / "reliability.json", DOCS / "reliability.md"
    rows = json.loads(kept.read_text("utf-8"))
    for file in asked.files:
        rows = merged(rows, json.loads(file.read_text("utf-8")))
    kept.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
    page.write_text(filled(page.read_text("utf-8"), table(rows)), "utf-8")
    if asked.minutes is not None:
        write(DOCS / "reliability-soak.svg", plot(json.loads(asked.minutes.read_text("utf-8"))))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _cell(words: str) -> str:
    """Keep a cell of a table one cell."""
    return words.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    main()
