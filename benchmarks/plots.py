"""
Draws the plots of docs/scaling.md from the figures of a run.

C{python -m benchmarks.plots FIGURES DIRECTORY}, where FIGURES is what C{make bench ARGS="--json FIGURES"} wrote.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.guest_rates import GUESTS, MOST_P99
from benchmarks.output.svg import Axis, Chart, Line


def main(figures: str, directory: str) -> None:
    """Write every plot whose bench was run."""
    results = {result["name"]: result["figures"] for result in json.loads(Path(figures).read_text())["results"]}
    if "guests" in results:
        steps = results["guests"]["steps"]
        write(Path(directory) / "scaling-answers.svg", answers(steps))
        write(Path(directory) / "scaling-cores.svg", cores(steps))


def answers(steps: Sequence[dict[str, Any]]) -> Chart:
    """Show how long gateways wait, by the number of guests."""
    lines = [
        Line(
            "1 worker" if workers == 1 else f"{workers} workers",
            [(step["guests"], step["p99_seconds"] * 1000) for step in steps if step["workers"] == workers],
        )
        for workers in numbers_of_workers(steps)
    ]
    return Chart(
        "How long gateways wait for an answer",
        guests_axis(steps),
        Axis("99 of 100 answers within ms", (1, 10, 100, 1000, 10_000), is_log=True),
        lines,
        [(MOST_P99 * 1000, "what is asked for")],
    )


def cores(steps: Sequence[dict[str, Any]]) -> Chart:
    """Show who takes how much of the machine, by the number of guests, with one worker."""
    held = [step for step in steps if step["workers"] == 1]
    names = {"server": "wifidogd", "postgres": "PostgreSQL", "load": "the load itself"}
    lines = [Line(name, [(step["guests"], step["cores"][key]) for step in held]) for key, name in names.items()]
    return Chart("Cores taken, with one worker", guests_axis(steps), Axis("cores", (0, 0.25, 0.5, 0.75, 1)), lines)


def guests_axis(steps: Sequence[dict[str, Any]]) -> Axis:
    """Make room for the greatest number of guests that was tried."""
    most = max(step["guests"] for step in steps)
    return Axis("guests online, each reported once a minute", range(0, most + GUESTS, GUESTS))


def numbers_of_workers(steps: Sequence[dict[str, Any]]) -> list[int]:
    """List them, each once."""
    return sorted({step["workers"] for step in steps})


def write(path: Path, chart: Chart) -> None:
    """Put a chart into a file."""
    path.write_text(chart.svg(), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
