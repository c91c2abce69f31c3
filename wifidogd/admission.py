"""Guests signing in: check who they are, mint a token, open a pending session."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from wifidogd.model import Gateway, Network, Octets


class Refusal(Enum):
    """Why a guest may not come in."""

    WRONG_PASSWORD = "wrong password"
    TOO_MANY_TRIES = "too many tries"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Admitted:
    """
    The guest may go to the gateway.

    @ivar token: 32 of C{[0-9a-z]}, to be shown once, to this guest only.
    """

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """
    The guest must try again.

    @ivar wait: how long until another try is allowed; None when it is allowed now.
    """

    why: Refusal
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """
    What a guest may know of their open session.

    @ivar online: False while the gateway has not asked about the token, and once the session is ending.
    @ivar since: when the guest got online; None while pending.
    @ivar octets_left: None for no limit.
    @ivar time_left: None for no limit.
    @ivar url: the page the guest first wanted; None when unknown.
    """

    gateway: Gateway
    network: Network
    online: bool
    mac: str | None
    ip: str | None
    since: datetime | None
    used: Octets
    octets_left: int | None
    time_left: timedelta | None
    url: str | None
