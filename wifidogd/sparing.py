"""Warnings that cannot fill a disk, however often their cause recurs."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

PAUSE = 5.0
"""Seconds between two lines of the same kind."""


class SparingLog:
    """
    Warns at most once in L{PAUSE} seconds for each format, and counts the rest.

    Formats are constants of the program, so what is remembered is bounded.
    """

    def __init__(self, log: Logger, clock: IReactorTime) -> None:
        self._log = log
        self._clock = clock
        self._silent_until: dict[str, float] = {}
        self._skipped: dict[str, int] = {}

    def warn(self, message: str, **fields: object) -> None:
        """
        Log a warning, or keep it to a count that the next one of its kind tells.

        @param message: a format of L{Logger.warn}.
        """
        now = self._clock.seconds()
        if now < self._silent_until.get(message, now):
            self._skipped[message] = self._skipped.get(message, 0) + 1
            return
        self._silent_until[message] = now + PAUSE
        skipped = self._skipped.pop(message, 0)
        more = " ({skipped} more like it since)" if skipped else ""
        self._log.warn(message + more, skipped=skipped, **fields)
