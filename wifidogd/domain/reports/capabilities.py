"""What each dialect lets the server do to a guest who is online, and when; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from wifidogd.domain.sessions import Dialect


class Bites(Enum):
    """When a decision to end a session reaches the gateway that lets the guest through."""

    NEXT_REPORT = "when the gateway next reports the guest"
    NEVER = "not before the guest asks the gateway for a login again"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """
    What a gateway of a dialect does (docs/protocol.md 6.13).

    @ivar reports_use: whether it reports octets, and that a guest is still there.
    @ivar kick: when the end of a session, by an operator, the guest, or a limit, takes the guest off the network.
    """

    reports_use: bool
    kick: Bites


_REPORTING = Capabilities(reports_use=True, kick=Bites.NEXT_REPORT)

CAPABILITIES: dict[Dialect, Capabilities] = {
    Dialect.WIFIDOG: _REPORTING,
    Dialect.APFREE: _REPORTING,
    Dialect.WIFIDOG_NG_1: _REPORTING,
    Dialect.WIFIDOG_NG_2: Capabilities(reports_use=False, kick=Bites.NEVER),
    Dialect.OTHER: _REPORTING,
}


def effect_of_ending(dialect: Dialect | None, interval: timedelta, *, is_connected: bool) -> str:
    """
    Return when a guest goes offline whose session is ended, for operators.

    @param interval: the gateway's CheckInterval.
    @param is_connected: whether its router keeps a WebSocket open.
    """
    seconds = int(interval.total_seconds())
    if is_connected:
        return "within a second, by the WebSocket of the router"
    if capabilities_of(dialect).kick is Bites.NEVER:
        return "only when they log out: the router reports nobody, and lets the guest through until then"
    if dialect is Dialect.WIFIDOG_NG_1:
        return "when the router next sends counters, within 30 seconds"
    if dialect is Dialect.APFREE:
        return f"when the router next lists its clients, within {seconds} seconds"
    return f"when the router next reports the guest, within {seconds} seconds"


def capabilities_of(dialect: Dialect | None) -> Capabilities:
    """Return what a gateway can do; of one that has not reported a guest yet (None), what most can."""
    return CAPABILITIES[dialect or Dialect.OTHER]
