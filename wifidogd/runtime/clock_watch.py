"""Since when this process has missed nothing, and the wall clock was not set."""

from __future__ import annotations

from datetime import datetime, timedelta

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wifidogd.domain.sessions import UtcNow

log = Logger()

LOOK = timedelta(seconds=1)
"""How often to look at the clocks."""

MISSED = 5.0
"""Seconds between two looks that mean that the process was stopped, blocked or suspended: nobody could be heard."""

STEP = 1.0
"""Seconds by which the wall clock may come to differ from a look to the next; what is more was set, not slewed."""


class ClockWatch:
    """
    Knows since when gateways could be heard, and what they said be compared with now.

    What they said while a process was stopped waits in its sockets, and is as old as the break when it is heard.

    Whoever judges by silence, by instants of the wall clock, needs both: after
    a process was stopped for an hour, or the clock was set forward by one, all
    have been silent for an hour, and nobody has.
    """

    def __init__(self, clock: IReactorTime, utc_now: UtcNow) -> None:
        """
        @param clock: one that is never set.
        """
        self._clock = clock
        self._utc_now = utc_now
        self._since = self._looked_at = clock.seconds()
        self._wall = utc_now()
        self._woke_at: float | None = None
        self._set_at: float | None = None

    @property
    def set_at(self) -> datetime | None:
        """When the wall clock was last set, as it tells now; None if it never was."""
        self._look()
        if self._set_at is None:
            return None
        return self._wall - timedelta(seconds=self._looked_at - self._set_at)

    @property
    def woke_at(self) -> float | None:
        """Seconds of the clock, when this process went on after it had been stopped; None if it never was."""
        if self._clock.seconds() - self._looked_at > MISSED:
            self._look()
        return self._woke_at

    @property
    def since(self) -> float:
        """Seconds of the clock, since when there was no such break."""
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
                "the clock of this machine was set {direction} by {seconds} s; nobody is ended for silence "
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
