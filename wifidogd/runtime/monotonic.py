"""Makes timers and deadlines independent of the wall clock, which can be set."""

from __future__ import annotations

from time import monotonic
from typing import Any


def go_by_steady_time(reactor: Any) -> None:
    """
    Make a reactor count seconds by the monotonic clock.

    Twisted's own reactor uses the wall clock (twisted#2424): when that is set
    forward by an hour, every timer is due at once; when it is set back by an
    hour, none is for an hour.  Delayed calls that exist keep their delay.
    Afterwards C{reactor.seconds()} measures time, and does not tell it.

    @param reactor: one of Twisted's; delayed calls may exist, but nothing else that has read its seconds.
    """
    ahead = monotonic() - reactor.seconds()
    for call in reactor.getDelayedCalls():
        call.time += ahead
        call.seconds = monotonic
    reactor.seconds = monotonic
