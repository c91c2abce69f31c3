"""Many guests at once: in order, a few at a time, and gateways in between."""

from __future__ import annotations

from functools import partial
from typing import Any

from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock

from tests.support.deadline import within
from tests.support.raw_http import connect
from tests.web.server.test_site import LAST_HELLO, RunningSite, close
from wifidogd.web.server.page_scheduler import MOST_A_TURN, PageScheduler


class Guest:
    """The part of a request that the scheduler uses; C{channel} is None once its client has gone."""

    def __init__(self) -> None:
        self.channel: object | None = self


class Turning(Clock):
    """A clock on which no two turns of the reactor happen at the same time."""

    def callLater(self, when: float, *call: Any, **named: Any) -> Any:
        """As L{Clock.callLater}."""
        return super().callLater(when + 1, *call, **named)

    def turn(self, times: int = 1) -> None:
        """Advance the clock by one turn, or several."""
        self.pump([1] * times)


class Crowd:
    """
    A scheduler, and the guests who ask it for pages.

    @ivar inside: numbers of the guests whose pages were started, in this order.
    """

    def __init__(self, guests: int) -> None:
        self.clock = Turning()
        self.inside: list[int] = []
        self.guests = [Guest() for _ in range(guests)]
        self._scheduler = PageScheduler(clock=self.clock)

    def come(self) -> None:
        """Schedule the requests of all guests at once."""
        for number, guest in enumerate(self.guests):
            request: Any = guest
            self._scheduler.schedule(request, partial(self.inside.append, number))


def test_a_few_are_let_in_at_once_and_the_others_by_turns() -> None:
    """First come, first served."""
    crowd = Crowd(3 * MOST_A_TURN)
    crowd.come()
    assert crowd.inside == list(range(MOST_A_TURN))
    crowd.clock.turn()
    assert crowd.inside == list(range(2 * MOST_A_TURN))
    crowd.clock.turn(2)
    assert crowd.inside == list(range(3 * MOST_A_TURN))
    assert crowd.clock.getDelayedCalls() == []


def test_who_has_gone_is_passed_over() -> None:
    """Their request does not count towards the turn."""
    crowd = Crowd(MOST_A_TURN + 3)
    crowd.come()
    crowd.guests[MOST_A_TURN].channel = None
    crowd.clock.turn()
    assert crowd.inside == [*range(MOST_A_TURN), MOST_A_TURN + 1, MOST_A_TURN + 2]


@ensureDeferred
async def test_a_gateway_is_answered_among_a_hundred_guests() -> None:
    """Before most of those who asked ahead of it; all of them are answered in the end."""
    running = RunningSite()
    guests = await within(20, gatherResults([Deferred.fromCoroutine(connect(running.port)) for _ in range(100)]))
    gateway = await connect(running.port)
    for guest in guests:
        guest.say(LAST_HELLO.replace(b"auth", b"login"))
    gateway.say(LAST_HELLO)
    assert (await gateway.ends()).endswith(b"gateway auth 0")
    assert sum(b"guest" in guest.heard for guest in guests) <= 50
    for guest in guests:
        assert (await guest.ends()).endswith(b"guest login 0")
    close(running)
