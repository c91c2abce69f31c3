"""Simulated time, which may run faster than real time."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from wifidogd.domain.errors import WifidogdError


class SimulationOver(WifidogdError):
    """The simulation is over."""


class ScaledClock:
    """
    Lets gateways and guests sleep, until the simulation is over.

    @ivar speed: simulated seconds to a second.
    """

    def __init__(self, speed: float, *, clock: IReactorTime) -> None:
        self.speed = speed
        self._clock = clock
        self._started = clock.seconds()
        self._sleeping: dict[Deferred[None], IDelayedCall] = {}
        self._closing: list[Callable[[], None]] = []
        self._closed = False

    @property
    def now(self) -> float:
        """Simulated seconds since the start."""
        return (self._clock.seconds() - self._started) * self.speed

    @property
    def is_closed(self) -> bool:
        """Whether the simulation is over."""
        return self._closed

    async def sleep(self, seconds: float) -> None:
        """
        Let simulated seconds pass.

        @raise SimulationOver: when the simulation ends meanwhile.
        """
        if self._closed:
            raise SimulationOver
        over: Deferred[None] = Deferred()
        self._sleeping[over] = self._clock.callLater(seconds / self.speed, self._wake, over)
        await over

    def when_closed(self, call: Callable[[], None]) -> None:
        """Have something called when the simulation ends."""
        self._closing.append(call)

    def close(self) -> None:
        """Wake everybody with L{SimulationOver}."""
        self._closed = True
        while self._closing:
            self._closing.pop()()
        while self._sleeping:
            over, call = self._sleeping.popitem()
            call.cancel()
            over.errback(SimulationOver())

    def _wake(self, over: Deferred[None]) -> None:
        del self._sleeping[over]
        over.callback(None)
