"""Time that nobody can set: what timers and deadlines go by."""

from __future__ import annotations

from time import monotonic
from typing import Any


def go_by_steady_time(reactor: Any) -> None:
    """
    Have a reactor count its seconds by a clock that is never set.

    Twisted's own goes by the wall clock (twisted#2424): set forward an hour,
    every timer and deadline is due at once; set back an hour, none is for an
    hour.  What is already to be called later keeps its delay.  From then on
    C{reactor.seconds()} tells how much time has passed, and not what time it is.

    @param reactor: one of Twisted's; nothing that counts by its seconds may have begun, but for delayed calls.
    """
    ahead = monotonic() - reactor.seconds()
    for call in reactor.getDelayedCalls():
        call.time += ahead
        call.seconds = monotonic
    reactor.seconds = monotonic
