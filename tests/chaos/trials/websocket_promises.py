"""What routers with WebSockets are promised, held against what they saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.report.trial_result import TrialResult
from tests.chaos.routers.process import Orders
from tests.chaos.routers.router import AGAIN_AFTER_REFUSAL, Guest
from tests.chaos.routers.routers import Told, audit

BACK_WITHIN = 9.0
"""Seconds from the end of a connection, or from when a server serves again, to the next: 5, 2 more if refused, some."""

GONE_WITHIN = 16.0
"""Seconds for guests to be off who must come off with the next list, or by a router that has come back."""

REFUSED_APART = 14.0
"""Seconds between two requests of a router for a WebSocket where there is none: docs/protocol.md 7.1."""

MOST_GROWTH = 32_000_000
"""Octets that the servers may have more meanwhile."""

CLOCKS_DIFFER = 0.1


@dataclass(slots=True)
class Asked:
    """
    Guests who were to be thrown off.

    @ivar at: when; L{time.monotonic}.
    @ivar is_told: whether their routers could be told at once.
    """

    what: str
    at: float
    macs: Sequence[str]
    is_told: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """
    Something that happened, and what was asked for meanwhile.

    @ivar ends: how many connections it must end, and no other.
    @ivar served_at: when the server that was gone served again; 0 if none was gone.
    @ivar growth: octets of memory that the servers which were there at first had more at most.
    @ivar share: percent of a core that they used, all together.
    @ivar has_traceback: whether there is one in a server's log.
    """

    what: str
    began: float
    until: float
    asked: Sequence[Asked]
    ends: int
    served_at: float
    growth: int
    share: float
    has_traceback: bool


def judged(
    orders: Orders, within: float, dsn: str, told: Sequence[Told], events: Sequence[Event], asked: Sequence[Asked]
) -> list[TrialResult]:
    """
    Hold what was seen against what was promised; what cannot be told of one event is held against all.

    @param within: seconds in which a connected router is told.
    """
    everywhere = [*audit(dsn, told, {mac for each in asked for mac in each.macs}), *_hammering(told)]
    lost = sum(router.course.lost for router in told)
    if lost:
        everywhere.append(f"routers did not look at {lost} octets")
    load = (
        f"{orders.routers} routers of two servers with {orders.routers * orders.guests} guests, a list of each every "
        f"{orders.interval:g} s; {orders.misled} more ask for a WebSocket where there is none"
    )
    promised = (
        "no connection ends but those of the server that is gone, or of deaf routers; routers are told within "
        f"{within:g} s of the kick, the log-out or the thaw, and where they cannot be, the guest is off within "
        f"{GONE_WITHIN:g} s; all are back within {BACK_WITHIN:g} s of when they can be; those without a WebSocket ask "
        f"every {REFUSED_APART:g} s at most; nobody else is thrown off; books balance"
    )
    results = []
    for event in events:
        missed = [*_misses(event, told, within), *everywhere[:10]]
        results.append(TrialResult(event.what, load, promised, _seen(event, told), missed))
    return results


def _misses(event: Event, told: Sequence[Told], within: float) -> Iterator[str]:
    guests = {guest.mac: guest for router in told for guest in router.guests}
    for asked in event.asked:
        late = [guests[mac] for mac in asked.macs if not _is_in_time(guests[mac], asked, within)]
        if late:
            longest = max(guest.gone_at - asked.at for guest in late)
            ways = ", ".join(sorted({guest.gone_by or "nothing" for guest in late}))
            yield f"{asked.what}: {len(late)} of {len(asked.macs)} late, by {ways}, after up to {longest:.2f} s"
    closed = _closed(event, told)
    if closed != event.ends:
        yield f"{closed} connections were closed, and not {event.ends}"
    away = [took for took in _away(event, told) if took > BACK_WITHIN]
    if away:
        yield f"{len(away)} routers were away for up to {max(away):.1f} s"
    if event.ends == 0:
        yield from _come_back_too_soon(event, told)
    if event.growth > MOST_GROWTH:
        yield f"{event.growth / 1e6:.1f} MB more"
    if event.has_traceback:
        yield "a traceback in the log"


def _is_in_time(guest: Guest, asked: Asked, within: float) -> bool:
    took = guest.gone_at - asked.at
    return bool(guest.gone_at) and took <= (within if asked.is_told else GONE_WITHIN)


def _closed(event: Event, told: Sequence[Told]) -> int:
    return sum(event.began <= at <= event.until for router in told for at in router.course.closed)


def _away(event: Event, told: Sequence[Told]) -> Iterator[float]:
    """Yield how long each router that was disconnected meanwhile could have been connected, and was not."""
    for router in told:
        for at in router.course.closed:
            if event.began <= at <= event.until:
                back = min((opened for opened in router.course.opened if opened > at), default=event.until)
                yield back - max(at, event.served_at)


def _come_back_too_soon(event: Event, told: Sequence[Told]) -> Iterator[str]:
    """List who asks too often for a WebSocket where there is none, while the server just goes on."""
    for router in told:
        attempts = [at for at in router.course.attempts if event.began <= at <= event.until and not router.guests]
        gaps = [later - sooner for sooner, later in pairwise(attempts)]
        if gaps and min(gaps) < REFUSED_APART:
            yield f"{router.gw_id} came back after {min(gaps):.1f} s"


def _hammering(told: Sequence[Told]) -> Iterator[str]:
    """List who has ever asked for a WebSocket more often than routers do that cannot reach a server."""
    for router in told:
        gaps = [later - sooner for sooner, later in pairwise(router.course.attempts)]
        if gaps and min(gaps) < AGAIN_AFTER_REFUSAL - CLOCKS_DIFFER:
            yield f"{router.gw_id} came back after {min(gaps):.1f} s"


def _seen(event: Event, told: Sequence[Told]) -> str:
    guests = {guest.mac: guest for router in told for guest in router.guests}
    parts = []
    for what in dict.fromkeys(asked.what for asked in event.asked):
        took = [guests[mac].gone_at - each.at for each in event.asked if each.what == what for mac in each.macs]
        ways = [guests[mac].gone_by for each in event.asked if each.what == what for mac in each.macs]
        by_report = ways.count("report")
        parts.append(f"{what}: {len(took)} guests off after up to {max(took, default=0):.2f} s")
        if by_report:
            parts[-1] += f", {by_report} by a list"
    away = list(_away(event, told))
    parts.append(f"{_closed(event, told)} connections closed{_codes(event, told)}")
    if away:
        parts[-1] += f", back {min(away):.1f} to {max(away):.1f} s after they could be"
    attempts = sum(event.began <= at <= event.until for router in told for at in router.course.attempts)
    parts.append(f"{attempts} requests for a WebSocket in {event.until - event.began:.0f} s")
    if not event.served_at:
        parts.append(f"{event.growth / 1e6:+.1f} MB at most, {event.share:.0f}% of a core, lists included")
    return "; ".join(parts)


def _codes(event: Event, told: Sequence[Told]) -> str:
    """Return how many of the connections that were closed had a close frame, in words."""
    pairs = [pair for router in told for pair in zip(router.course.closed, router.course.codes, strict=True)]
    count = sum(event.began <= at <= event.until and code >= 0 for at, code in pairs)
    return f", {count} with a close frame" if count else ""
