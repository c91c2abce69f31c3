"""
The nouns of the house: frozen values that every room may hold.

Instants are timezone-aware UTC datetimes, lengths of time are timedeltas, sizes are whole octets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, IntEnum

UtcNow = Callable[[], datetime]
"""Asks the wall clock: aware UTC."""

MAX_OCTETS = 2**63 - 1
"""The largest count that fits PostgreSQL's bigint; sums stop there instead of failing."""


class AuthCode(IntEnum):
    """The number after C{Auth:} (wifidog-gateway C{src/auth.h}; apfree's code agrees, its document does not)."""

    ERROR = -1
    DENIED = 0
    ALLOWED = 1
    VALIDATION = 5
    VALIDATION_FAILED = 6


class Stage(Enum):
    """Why a gateway asks: the C{stage} parameter."""

    LOGIN = "login"
    COUNTERS = "counters"
    LOGOUT = "logout"


class Dialect(Enum):
    """Which gateway software speaks; it decides names of parameters, units and patience."""

    WIFIDOG = "wifidog"
    APFREE = "apfree"
    OTHER = "other"


class SignIn(Enum):
    """How guests of a network sign in."""

    SPLASH = "splash"
    ACCOUNT = "account"


class Reason(Enum):
    """Why a session ended, as stored in the history."""

    LOGOUT = "logged out"
    REPLACED = "replaced"
    TIME_IS_UP = "time is up"
    QUOTA_IS_SPENT = "quota is spent"
    STALE = "no more reports"
    NEVER_USED = "never used"
    KICKED = "ended by the operator"
    GATEWAY_RESTARTED = "gateway restarted"
    GATEWAY_REMOVED = "gateway removed"


@dataclass(frozen=True, slots=True)
class Octets:
    """
    Bytes counted in both directions, as the guest sees them.

    @ivar incoming: to the guest (download), 0 to L{MAX_OCTETS}.
    @ivar outgoing: from the guest (upload), 0 to L{MAX_OCTETS}.
    """

    incoming: int = 0
    outgoing: int = 0

    @property
    def total(self) -> int:
        """Both directions together; may exceed L{MAX_OCTETS}."""
        return self.incoming + self.outgoing


@dataclass(frozen=True, slots=True)
class Report:
    """
    What a gateway says about one guest.

    @ivar token: as sent; anything else than a token of ours is unknown, not an error.
    @ivar gw_id: None from gateways older than wifidog 1.1.5, which do not name themselves.
    @ivar mac: lower-case with colons; None when the gateway could not tell.
    @ivar octets: cumulative totals since the gateway listed the guest; None when it gave no usable data.
    @ivar key: the secret from the path of a keyed gateway; None when it sent none.
    """

    stage: Stage
    dialect: Dialect
    token: str = field(repr=False)
    gw_id: str | None = None
    mac: str | None = None
    ip: str | None = None
    octets: Octets | None = None
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """
    One stay of one guest, while it is open.

    @ivar token_hash: SHA-256 of the token that names it.
    @ivar mac: None until a gateway has reported one.
    @ivar activated_at: None while pending, that is until a gateway has asked about the token.
    @ivar reported_at: the last report of any stage; None while pending.
    @ivar used: octets of this stay, over all restarts of the gateway's counters.
    @ivar last: the gateway's raw totals at the last report, or those inherited from a replaced session.
    @ivar time_limit: how long the stay may last once activated; None for no limit.
    @ivar quota_octets: both directions together; None for no limit.
    @ivar expires_at: when C{time_limit} is over; None while pending and for no limit.
    @ivar ending: why the next report must end the session (asked for by guest or operator); None normally.
    """

    token_hash: bytes = field(repr=False)
    gw_id: str
    opened_at: datetime
    mac: str | None = None
    ip: str | None = None
    activated_at: datetime | None = None
    reported_at: datetime | None = None
    used: Octets = Octets()
    last: Octets = Octets()
    time_limit: timedelta | None = None
    quota_octets: int | None = None
    expires_at: datetime | None = None
    ending: Reason | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A session as it stood when it ended, when that was, and why."""

    session: Session
    at: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Gateway:
    """
    A router that the operator has adopted.

    @ivar gw_id: 1 to 64 of C{[A-Za-z0-9._:-]} (protocol: the gateway never URL-encodes it).
    @ivar address: literal address of the gateway in the guests' network, where guests are sent.
    @ivar port: of the gateway's own web server, 2060 by default.
    @ivar interval: its CheckInterval, between two reports about a guest.
    @ivar key_hashes: SHA-256 of the keys it may use, newest first, two at most; empty for a gateway without key.
    """

    gw_id: str
    network: str
    address: str
    port: int = 2060
    interval: timedelta = timedelta(seconds=60)
    key_hashes: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Network:
    """
    What a group of gateways offers to guests.

    @ivar name: the key, chosen by the operator.
    @ivar title: what guests read.
    @ivar time_limit: of one stay; None for no limit.
    @ivar quota_octets: of one stay; None for no limit.
    @ivar stale_after: a session without a report for this long has ended, but never sooner than 3 intervals.
    @ivar terms: the operator's terms of use, plain text; empty for none.
    @ivar retention: how long history is kept; None for ever.
    """

    name: str
    title: str
    sign_in: SignIn = SignIn.SPLASH
    time_limit: timedelta | None = None
    quota_octets: int | None = None
    stale_after: timedelta = timedelta(minutes=10)
    terms: str = ""
    retention: timedelta | None = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """
    A gateway's ping.

    @ivar source: address the ping came from.
    @ivar version: the User-Agent, at most 100 characters; None when absent.
    @ivar sys_uptime: of the router; None for no or nonsense data, as for all that follow.
    @ivar memory_free: octets.
    @ivar load: one-minute average.
    @ivar wifidog_uptime: of the gateway software; falls when it restarts.
    """

    gw_id: str
    seen_at: datetime
    source: str
    version: str | None = None
    sys_uptime: timedelta | None = None
    memory_free: int | None = None
    load: float | None = None
    wifidog_uptime: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Visitor:
    """
    A guest at the login page, as the redirect describes them: hints from a URL, never proof.

    @ivar gw_address: None when the gateway did not say.
    @ivar mac: lower-case with colons; None when absent or unreadable.
    @ivar url: the page first wanted, http or https, at most 1,000 characters; None when absent, ours or a probe.
    """

    gw_id: str
    gw_address: str | None = None
    gw_port: int | None = None
    mac: str | None = None
    ip: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class WaitingGateway:
    """
    A gateway that called or sent a guest without having been adopted.

    @ivar address: the C{gw_address} of its guests' redirects; None until it has sent a guest.
    @ivar source: address it (or its guest) called from.
    """

    gw_id: str
    first_seen: datetime
    last_seen: datetime
    source: str
    address: str | None = None
    port: int | None = None
    version: str | None = None
