"""
Puts the figures of a run into the tables of docs/why-100-percent.md, between C{<!-- A4 -->} and C{<!-- end -->}.

C{python -m benchmarks.oldstack.pages FIGURES PAGE}, where FIGURES is what C{--json FIGURES} wrote.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.loads.load_result import cell, told

SERVED = "good requests served"
OUTCOMES = "what gateways heard"

COLUMNS: dict[str, Mapping[str, str]] = {
    "A1": {"p99 ms": "p99 ms", "CPU %": "CPU, % of a core", "PostgreSQL %": "PostgreSQL, %", "PSS MB": "memory, MB"},
    "A2": {
        "requests/s": "requests/s",
        "connections": "with so many connections",
        "CPU s/1000": "CPU s for 1,000",
        "PostgreSQL s/1000": "PostgreSQL s for 1,000",
    },
    "A3": {
        SERVED: SERVED,
        "CPU s/1000 day one": "CPU s for 1,000 on day one",
        "CPU s/1000": "with much history",
        "PostgreSQL s/1000": "PostgreSQL then",
        "cost to day one": "both, to day one",
    },
    "A4": {
        SERVED: SERVED,
        "p99 ms": "p99 ms",
        "CPU % in silence": "CPU % in the silence",
        "descriptors left": "connections never closed",
    },
    "A5": {
        SERVED: SERVED,
        "p50 ms": "half of them within ms",
        "p99 ms": "all within ms",
        "CPU %": "CPU %",
    },
    "A5+": {SERVED: SERVED, "served after s": "all well after s", "sent away": "silent ones sent away"},
    "A6": {
        SERVED: SERVED,
        "p99 ms": "p99 ms",
        "came": "bad clients",
        "sent away": "seen to be sent away",
        "unasked s": "who does not ask is gone after s",
        "unread s": "who does not read, after s",
    },
    "A7": {
        SERVED: SERVED,
        "served after s": "all well after s",
        "CPU %": "CPU %",
        "log kB": "log, kB",
        "fds most": "descriptors",
    },
    "A8": {SERVED: SERVED, "p99 ms": "p99 ms"},
    "A9": {
        OUTCOMES: OUTCOMES,
        "slowest ms": "slowest, ms",
        "pages late": "pages without a query that were late",
        "CPU %": "CPU %",
    },
    "A10": {
        OUTCOMES: OUTCOMES,
        "slowest ms": "slowest, ms",
        "CPU %": "CPU %",
        "log kB": "log, kB",
        "back after s": "back after s",
    },
    "A11": {
        SERVED: SERVED,
        "CPU %": "CPU %",
        "slowest ms": "who wants a voucher waits ms",
        "CPU % then": "CPU % when they have given up",
    },
}
"""By load, which figures are worth a column, and what it is called there."""


def main(figures: str, page: str) -> None:
    """Renew every table whose load was run."""
    results = {result["name"]: result["figures"] for result in json.loads(Path(figures).read_text())["results"]}
    path = Path(page)
    text = path.read_text(encoding="utf-8")
    for load, rows in results["oldstack"].items():
        pattern = re.compile(rf"(<!-- {re.escape(load)} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = pattern.sub(lambda found, table=table(load, rows): f"{found[1]}{table}{found[2]}", text)
    path.write_text(text, encoding="utf-8")


def table(load: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Write a table as Markdown."""
    columns = COLUMNS[load]
    lines = [["", *columns.values()], ["---"] * (len(columns) + 1)]
    lines += [[name, *(value(row, column) for column in columns)] for name, row in rows.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def value(row: Mapping[str, Any], column: str) -> str:
    """Write one cell."""
    outcomes = row["outcomes"]
    if column == SERVED:
        return f"{outcomes.get('Auth: 1', 0)} of {sum(outcomes.values())}"
    if column == OUTCOMES:
        return told(outcomes)
    return cell(row["figures"].get(column))


if __name__ == "__main__":
    main(*sys.argv[1:])
