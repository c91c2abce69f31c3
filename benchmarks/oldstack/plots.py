"""
Draws the plots of docs/why-100-percent.md and of the bench C{soak} from the figures of a run.

C{python -m benchmarks.oldstack.plots FIGURES DIRECTORY}, where FIGURES is what C{--json FIGURES} wrote.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.output.svg import Axis, Chart, Line
from benchmarks.plots import write

CPU = Axis("percent of a core", (0, 25, 50, 75, 100))
SHOWN = ("Waitress 3.0.0", "cheroot 11.1.2", "Gunicorn x4", "wifidogd")
SOAKED = {
    "RSS MB": "memory (RSS)",
    "PSS MB": "memory (PSS)",
    "CPU ms": "CPU of a request",
    "descriptors": "descriptors",
}


def main(figures: str, directory: str) -> None:
    """Write every plot whose load was run."""
    results = {result["name"]: result["figures"] for result in json.loads(Path(figures).read_text())["results"]}
    loads = results.get("oldstack", {})
    if "A4" in loads:
        title = "400 clients a second vanish for 6 s, then nobody is there"
        write(Path(directory) / "why-vanishing-clients.svg", cpu(title, loads["A4"]))
    if "A7" in loads:
        write(Path(directory) / "why-silent-clients.svg", cpu("1,100 silent clients, ulimit -n 1024", loads["A7"]))
    if "soak" in results:
        write(Path(directory) / "soak.svg", soak(results["soak"]["minutes"]))


def cpu(title: str, rows: Mapping[str, Mapping[str, Any]]) -> Chart:
    """Show who uses the CPU, second by second."""
    shown = {name: rows[name]["seconds"] for name in SHOWN if name in rows}
    longest = max(map(len, shown.values()))
    lines = [Line(name, list(enumerate(seconds, 1))) for name, seconds in shown.items()]
    return Chart(title, Axis("seconds", range(0, longest + 5, 5)), CPU, lines)


def soak(minutes: Sequence[Mapping[str, float]]) -> Chart:
    """Show what was to stay as it was, each in percent of its own median."""
    lines = [
        Line(words, [(each["minute"], 100 * each[name] / median(one[name] for one in minutes)) for each in minutes])
        for name, words in SOAKED.items()
    ]
    longest = max(each["minute"] for each in minutes)
    x = Axis("minutes", range(0, int(longest) + 5, 5))
    return Chart("Half an hour with bad clients", x, Axis("percent of the median", (0, 50, 100, 150, 200)), lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
