"""What every server is held to under each load: the limits of A1 to A11, and of A5 for longer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.output.table import Limit

Statistics = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Bound:
    """
    One limit.

    @ivar figure: name of what is measured, as it heads a column.
    @ivar most: an upper bound, or None.
    @ivar least: a lower bound, or None.
    """

    figure: str
    most: float | None = None
    least: float | None = None


NONE = 0.0

BOUNDS: dict[str, tuple[Bound, ...]] = {
    "A1": (Bound("not served", NONE), Bound("p99 to old", 1.0), Bound("CPU to old", 1 / 3)),
    "A2": (Bound("not served", NONE), Bound("rate to old", least=5.0), Bound("CPU to old", 1 / 6)),
    "A3": (Bound("not served", NONE), Bound("cost to day one", 1.1)),
    "A4": (Bound("not served", NONE), Bound("CPU % in silence", 1.0), Bound("descriptors left", NONE)),
    "A5": (Bound("not served", NONE), Bound("p50 ms more", 10.0), Bound("p99 ms more", 50.0), Bound("CPU %", 10.0)),
    "A5+": (Bound("served after s", 15.0),),
    "A6": (Bound("not served", NONE), Bound("unasked s", 12.0), Bound("unread s", 45.0)),
    "A7": (Bound("CPU %", 10.0), Bound("log kB", 100.0), Bound("served after s", 15.0)),
    "A8": (Bound("not served", NONE),),
    "A9": (
        Bound("not told", NONE),
        Bound("slowest ms", 1000.0),
        Bound("CPU %", 10.0),
        Bound("pages late", NONE),
        Bound("back after s", 2.0),
    ),
    "A10": (
        Bound("not told", NONE),
        Bound("thrown off", NONE),
        Bound("slowest ms", 1000.0),
        Bound("CPU %", 10.0),
        Bound("back after s", 5.0),
    ),
    "A11": (Bound("not served", NONE), Bound("slowest ms", 1000.0), Bound("CPU % then", 10.0)),
}
"""
By load.  Where the words of the limits leave room, the room is here:

 - A1: the CPU is compared with the least of the old servers', the p99 with their middle one: the best p99 is luck.
 - A4: C{not served} counts the probes after the silence, too.
 - A5: "p99 as without" means a median 10 ms and a p99, the worst of 35, 50 ms above; disks are not steadier.
   The CPU is ours to ask: Waitress 3.0.0 begins to spin here, and still serves everybody.
 - A6: 10 s for who does not ask to the end, 10 s + 30 s for who does not read, and a moment for timers.
 - A9, A10: 0.7 s until a gateway is told C{Auth: -1}, and a moment; a page without a query is late beyond 100 ms.
 - A11: C{CPU % then} is after the last who wants a voucher has given up.
"""


def judge(load: str, figures: Statistics) -> list[Limit]:
    """
    Compare what was measured with the bounds of a load.

    @param figures: by name; a bound whose figure is not there does not apply.
    """
    return [
        Limit(f"{load}: {bound.figure}", figures[bound.figure], bound.most, bound.least)
        for bound in BOUNDS[load]
        if bound.figure in figures
    ]
