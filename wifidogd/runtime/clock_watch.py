"""Tracks gaps in which this process was suspended, and steps of the wall clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wifidogd.domain.sessions import UtcNow

log = Logger()

LOOK = timedelta(seconds=1)
"""How often to look at the clocks."""

MISSED = 5.0
"""Seconds between two looks from which on the process counts as suspended or blocked: nobody could be heard."""

STEP = 1.0
"""Seconds by which the wall clock may drift between two looks; if it is more, the clock was set, not slewed."""


class ClockWatch:
    """
    Knows when the process was last suspended, and when the wall clock was last set.

    Whoever judges gateways by their silence needs both.  After a process was
    suspended for an hour, or the clock was set forward by one, every gateway
    seems to have been silent for an hour, and none has.  What gateways sent
    while the process was suspended waits in its sockets, and is as old as the
    gap when it is read.
    """

    def __init__(self, clock: IReactorTime, utc_now: UtcNow) -> None:
        """
        @param clock: one that is never set.
        """
        self._clock = clock
        self._utc_now = utc_now
        self.begin()

    def begin(self) -> None:
        """
        Begin to watch; to be called when everything is ready, before L{look} is called every L{LOOK}.

        What came before is a start, however long it took, and no gap: nobody looked at the clocks yet.
        """
        self._since = self._looked_at = self._clock.seconds()
        self._wall = self._utc_now()
        self._woke_at: float | None = None
        self._set_at: float | None = None

    @property
    def set_at(self) -> datetime | None:
        """When the wall clock was last set, in its present time; None if it never was."""
        self._look()
        if self._set_at is None:
            return None
        return self._wall - timedelta(seconds=self._looked_at - self._set_at)

    @property
    def woke_at(self) -> float | None:
        """The clock time in seconds at which the process last resumed; None if it never was suspended."""
        if self._clock.seconds() - self._looked_at > MISSED:
            self._look()
        return self._woke_at

    @property
    def since(self) -> float:
        """The clock time in seconds since which there was neither a gap nor a step."""
        self._look()
        return self._since

    async def look(self) -> None:
        """Look at the clocks; to be called every L{LOOK}."""
        self._look()

    def _look(self) -> None:
        now, wall = self._clock.seconds(), self._utc_now()
        passed = now - self._looked_at
        step = (wall - self._wall).total_seconds() - passed
        if abs(step) > STEP:
            log.warn(
                "the clock of this machine was set {direction} by {seconds} s; no session is ended for silence "
                "until gateways have had time to report again",
                direction="forward" if step > 0 else "back",
                seconds=round(abs(step)),
            )
            self._set_at = now
        if passed > MISSED:
            self._woke_at = now
        if abs(step) > STEP or passed > MISSED:
            self._since = now
        self._looked_at, self._wall = now, wall
