"""
Guests and their sessions: frozen values that every room may hold.

Instants are timezone-aware UTC datetimes, lengths of time are timedeltas, sizes are whole octets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, IntEnum
from typing import NamedTuple

UtcNow = Callable[[], datetime]
"""Returns the wall clock's time, as aware UTC."""

MAX_OCTETS = 2**63 - 1
"""The largest count that fits PostgreSQL's bigint; sums stop there instead of failing."""


def add_octets(one: int, other: int) -> int:
    """Return the sum, L{MAX_OCTETS} at most."""
    total = one + other
    return total if total < MAX_OCTETS else MAX_OCTETS


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
    """
    The gateway software that asks; it decides names of parameters, units and how long it waits.

    The values are stored.
    """

    WIFIDOG = "wifidog"
    APFREE = "apfree"
    WIFIDOG_NG_1 = "wifidog-ng 1"
    WIFIDOG_NG_2 = "wifidog-ng 2"
    OTHER = "other"


class Counters(Enum):
    """What a gateway's C{incoming} counts: octets to the guest (straight), or from the guest (swapped)."""

    AUTO = "auto"
    STRAIGHT = "straight"
    SWAPPED = "swapped"


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
    DAY_IS_SPENT = "used up for the day"
    SPAN_IS_SPENT = "used up for a while"
    CLOSED = "outside the opening hours"
    NOT_VALID = "not valid at this time"
    REVOKED = "taken back by the operator"
    NOT_VALIDATED = "address not validated in time"
    ERASED = "erased by the guest"
    DEVICES = "too many devices"
    PASSWORD_CHANGED = "password changed"
    LEFT = "left the gateway"
    ROAMED = "went to another gateway"


class Place(NamedTuple):
    """
    What a gateway lists a guest by: guests behind one repeater share a MAC, and one address is another guest's later.

    @ivar ip: None where the gateway does not say.
    """

    gw_id: str
    mac: str
    ip: str | None


@dataclass(frozen=True, slots=True)
class Octets:
    """
    Octets counted in both directions, as the guest sees them.

    @ivar incoming: to the guest (download), 0 to L{MAX_OCTETS}.
    @ivar outgoing: from the guest (upload), 0 to L{MAX_OCTETS}.
    """

    incoming: int = 0
    outgoing: int = 0

    def __add__(self, other: Octets) -> Octets:
        """Return the sum in each direction, L{MAX_OCTETS} at most."""
        return Octets(add_octets(self.incoming, other.incoming), add_octets(self.outgoing, other.outgoing))

    @property
    def total(self) -> int:
        """Both directions together, L{MAX_OCTETS} at most."""
        return add_octets(self.incoming, self.outgoing)

    @property
    def exchanged(self) -> Octets:
        """The same with each direction in the place of the other."""
        return Octets(self.outgoing, self.incoming)


@dataclass(frozen=True, slots=True)
class Report:
    """
    What a gateway reports about one guest.

    @ivar token: as sent; anything but a token of ours is unknown, not an error.
    @ivar gw_id: None from gateways older than wifidog 1.1.5, which do not name themselves.
    @ivar mac: lower-case with colons; None when the gateway could not tell.
    @ivar octets: cumulative totals since the gateway listed the guest, as it prints them: from -2^31, which stands
        for a counter of 32 bits printed as signed; None when it sent no usable data.
    @ivar key: the secret from the path of a keyed gateway; None when it sent none.
    @ivar packets: counted as C{octets} are, and in the same two directions; None where the gateway counts none.
    @ivar read_as: what its dialect's names of counters were taken for.
    @ivar is_exchanged: whether this gateway means the opposite, so that C{octets} has to be taken the other way round.
    """

    stage: Stage
    dialect: Dialect
    token: str = field(repr=False)
    gw_id: str | None = None
    mac: str | None = None
    ip: str | None = None
    octets: Octets | None = None
    key: str | None = field(default=None, repr=False)
    packets: Octets | None = None
    read_as: Counters = Counters.STRAIGHT
    is_exchanged: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """
    The session of one guest, while it is open.

    @ivar token_hash: SHA-256 of the token that names it.
    @ivar mac: None until a gateway has reported one.
    @ivar activated_at: None while pending, that is until a gateway has asked about the token.
    @ivar reported_at: the last report of any stage; None while pending.
    @ivar used: octets of this session, over all restarts of the gateway's counters.
    @ivar last: the gateway's raw totals at the last report, or those inherited from a replaced session.
    @ivar doubtful: totals lower than C{last} that came after them, and may have been late; None normally.
    @ivar time_limit: how long the session may last once activated; None for no limit.
    @ivar quota_octets: both directions together; None for no limit.
    @ivar expires_at: when C{time_limit} is over; None for no limit, and while pending unless it continues another.
    @ivar ending: why the next report must end the session (asked for by guest or operator); None normally.
    @ivar allowance_id: the allowance it draws on; None for a session with limits of its own only.
    @ivar claimed_mac: the MAC that the login page was opened with, which must turn out to be the guest's; None if
        it named none.
    @ivar probation_until: until when the guest is online on trust; None for others.
    @ivar roamed_from: SHA-256 of the token of the session at another gateway that it continues; None for none.
    @ivar left_ip: the address before C{ip}, under which the gateway may still list the guest; None for none.
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
    allowance_id: int | None = None
    claimed_mac: str | None = None
    probation_until: datetime | None = None
    left_ip: str | None = None
    doubtful: Octets | None = None
    roamed_from: bytes | None = field(default=None, repr=False)


def count_anew(session: Session, clock_set_at: datetime) -> Session:
    """
    Restart the lifetime of a token that was minted before the clock was set: nobody knows how much of it has passed.

    @return: the session to judge by; what is stored does not change.
    """
    if session.activated_at is None and session.opened_at < clock_set_at:
        return replace(session, opened_at=clock_set_at)
    return session


@dataclass(frozen=True, slots=True)
class Ended:
    """A session as it stood when it ended, when that was, and why."""

    session: Session
    at: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class LoginQuery:
    """
    A guest at the login page, as the gateway's redirect describes them: hints from a URL, never proof.

    @ivar gw_address: None when the gateway did not say.
    @ivar mac: lower-case with colons; None when absent or unreadable.
    @ivar url: the page first wanted, http or https, at most 1,000 characters; None when absent, ours or a probe.
    @ivar device_id: the device that the gateway is on; None when absent or unreadable.
    """

    gw_id: str
    gw_address: str | None = None
    gw_port: int | None = None
    mac: str | None = None
    ip: str | None = None
    url: str | None = None
    device_id: str | None = None
