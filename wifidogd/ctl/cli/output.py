"""Tables for people and JSON for scripts, both on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """
    Print aligned columns under their headings.

    Text comes from gateways and guests too: what a terminal would obey is
    replaced.
    """
    lines = [list(headings), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(document: object) -> None:
    """Print one JSON document, ASCII only."""
    print(json.dumps(document, indent=2))


def complain(sentence: str) -> None:
    """Print a sentence to standard error that is no result."""
    print(f"wifidogctl: {sentence}", file=sys.stderr)


def printable(text: str) -> str:
    """Replace control characters and the like with C{?}."""
    return "".join(character if character.isprintable() else "?" for character in text)


def instant(at: datetime | None) -> str | None:
    """Write an instant for scripts: ISO 8601, UTC, whole seconds."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(length: timedelta | None) -> int | None:
    """Write a length of time for scripts."""
    return None if length is None else int(length.total_seconds())


def count(number: int, noun: str) -> str:
    """Write a number of things, like C{1 session} or C{2 sessions}."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
