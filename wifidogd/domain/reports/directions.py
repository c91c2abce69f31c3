"""What the packets of guests show of the directions that a gateway counts in; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from wifidogd.domain.sessions import Counters, Report

ENOUGH_OCTETS = 1_000_000
"""Of a guest, in both directions, before the sizes of their packets show anything."""

ENOUGH_PACKETS = 100
"""In each direction, likewise."""

ENOUGH_GUESTS = 3
"""Who must agree: one may send a film instead of watching one."""

_TIMES_LARGER = 2
"""What is downloaded comes in full packets, and what is sent meanwhile acknowledges them in small ones."""

_MAJORITY = 4
"""Guests to one who show the same."""


def opposite(counters: Counters) -> Counters:
    """Return the other meaning of what a gateway calls incoming; C{AUTO} for C{AUTO}."""
    return {Counters.STRAIGHT: Counters.SWAPPED, Counters.SWAPPED: Counters.STRAIGHT}.get(counters, counters)


def shown_by(report: Report) -> Counters | None:
    """
    Return the meaning of C{incoming} by which a guest has downloaded more than sent.

    @return: None where packets are not counted, or do not tell.
    """
    octets, packets = report.octets, report.packets
    if octets is None or packets is None or octets.total < ENOUGH_OCTETS:
        return None
    if min(packets.incoming, packets.outgoing) < ENOUGH_PACKETS:
        return None
    to_guest, from_guest = octets.incoming / packets.incoming, octets.outgoing / packets.outgoing
    if to_guest >= _TIMES_LARGER * from_guest:
        return report.read_as
    return opposite(report.read_as) if from_guest >= _TIMES_LARGER * to_guest else None


def agreed(votes: Iterable[Counters]) -> Counters | None:
    """Return what guests of one gateway show; None while they are too few, or do not agree."""
    [(first, most), *others] = Counter(votes).most_common() or [(Counters.AUTO, 0)]
    fewest = others[0][1] if others else 0
    return first if most >= ENOUGH_GUESTS and most >= _MAJORITY * fewest else None


def is_exchanged(report: Report, meant: Counters, seen: Counters | None) -> bool:
    """
    Return whether a report means the opposite of what its dialect's names were taken for.

    @param meant: the setting of its gateway.
    @param seen: what the packets of its guests show; it counts for dialects that count packets.
    """
    if meant is Counters.AUTO:
        meant = seen if seen is not None and report.packets is not None else report.read_as
    return meant is not report.read_as
