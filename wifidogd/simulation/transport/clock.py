"""Time in the simulation, which may run faster than ours."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from wifidogd.domain.errors import WifidogdError


class ClosingTime(WifidogdError):
    """The simulation is over: everybody goes home."""


class ScaledClock:
    """
    Lets gateways and guests rest, until the simulation is over.

    @ivar speed: simulated seconds to a second.
    """

    def __init__(self, speed: float, *, clock: IReactorTime) -> None:
        self.speed = speed
        self._clock = clock
        self._started = clock.seconds()
        self._resting: dict[Deferred[None], IDelayedCall] = {}
        self._closed = False

    @property
    def now(self) -> float:
        """Simulated seconds since the start."""
        return (self._clock.seconds() - self._started) * self.speed

    @property
    def is_closed(self) -> bool:
        """Whether the simulation is over."""
        return self._closed

    async def rest(self, seconds: float) -> None:
        """
        Let simulated seconds pass.

        @raise ClosingTime: when the simulation ends meanwhile.
        """
        if self._closed:
            raise ClosingTime
        rested: Deferred[None] = Deferred()
        self._resting[rested] = self._clock.callLater(seconds / self.speed, self._wake, rested)
        await rested

    def close(self) -> None:
        """Wake everybody with L{ClosingTime}."""
        self._closed = True
        while self._resting:
            rested, call = self._resting.popitem()
            call.cancel()
            rested.errback(ClosingTime())

    def _wake(self, rested: Deferred[None]) -> None:
        del self._resting[rested]
        rested.callback(None)
