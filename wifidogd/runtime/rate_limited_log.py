"""Log lines that cannot fill a disk, however often their cause recurs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

PAUSE = 5.0
"""Seconds between two lines of the same kind."""


class RateLimitedLog:
    """
    Logs at most once in L{PAUSE} seconds for each format, and counts the rest.

    Formats are constants of the program, so what is remembered is bounded.
    """

    def __init__(self, log: Logger, clock: IReactorTime) -> None:
        self._log = log
        self._clock = clock
        self._silent_until: dict[str, float] = {}
        self._skipped: dict[str, int] = {}

    def warn(self, message: str, **fields: object) -> None:
        """
        Log a warning, or count it for the next of the same format.

        @param message: a format of L{Logger.warn}.
        @param fields: may hold what strangers sent; control characters are escaped.
        """
        self._emit(self._log.warn, message, fields)

    def info(self, message: str, **fields: object) -> None:
        """Log what is no trouble, but can be caused by others as often as they like; as L{warn}."""
        self._emit(self._log.info, message, fields)

    def _emit(self, emit: Callable[..., None], message: str, fields: Mapping[str, object]) -> None:
        skipped = self._skipped_until_now(message)
        if skipped is not None:
            harmless = {name: _harmless(value) for name, value in fields.items()}
            emit(_counting(message, skipped), skipped=skipped, **harmless)

    def failure(self, message: str, failure: Failure) -> None:
        """Log a traceback, under the same limit."""
        skipped = self._skipped_until_now(message)
        if skipped is not None:
            self._log.failure(_counting(message, skipped), failure, skipped=skipped)

    def _skipped_until_now(self, message: str) -> int | None:
        """Return how many lines of a format were skipped, if it may be logged again; None if it may not."""
        now = self._clock.seconds()
        if now < self._silent_until.get(message, now):
            self._skipped[message] = self._skipped.get(message, 0) + 1
            return None
        self._silent_until[message] = now + PAUSE
        return self._skipped.pop(message, 0)


def _harmless(value: object) -> object:
    """Return a value with control characters and the like escaped as in Python source."""
    text = str(value)
    if text.isprintable():
        return value
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def _counting(message: str, skipped: int) -> str:
    return message + " ({skipped} more like it since)" if skipped else message
