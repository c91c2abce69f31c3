"""Tables for people and JSON for scripts, both on standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from typing import TextIO

from wifidogd.ctl.cli.command import ExitCode


@contextmanager
def printing() -> Iterator[None]:
    """
    Provide standard output that suits any terminal and any pipe, while a command runs.

    Letters that the terminal has not appear as C{?}.  A reader that has seen enough, such as C{head}, ends the command
    as it ends other programs; a full disk ends it with a sentence.

    @raise SystemExit: when nothing more can be printed.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        _print_nothing_more()
        sys.exit(ExitCode.NOBODY_READS)
    except OSError as error:
        _print_nothing_more()
        complain(f"The output cannot be written: {error.strerror}.")
        sys.exit(ExitCode.REFUSED)


def _print_nothing_more() -> None:
    """Discard what could not be written, which Python would try to write again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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


def in_utf8() -> TextIO:
    """Return standard output for a file that other programs read, whatever the encoding of the terminal is."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    return sys.stdout


def complain(*sentences: str) -> None:
    """Print sentences to standard error that are no result."""
    for sentence in sentences:
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
