"""
The nouns of the house: frozen values that every room may hold.

Instants are timezone-aware UTC datetimes, lengths of time are timedeltas, sizes are whole octets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """How guests of a network may sign in."""

    SPLASH = "splash"
    ACCOUNT = "account"
    VOUCHER = "voucher"


class TimeCounts(Enum):
    """Which time a plan's limit is about: since first use, or online only."""

    WALL = "wall"
    USED = "used"


class WhenFull(Enum):
    """What becomes of one device more than a plan allows at once."""

    REFUSE = "refuse"
    REPLACE = "replace"


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
    @ivar allowance_id: what it draws on; None for a stay that only its own limits bound.
    @ivar claimed_mac: the MAC that must turn out to be the guest's; None where it does not matter.
    @ivar probation_until: until when the guest is online on trust; None for others.
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


@dataclass(frozen=True, slots=True)
class Ended:
    """A session as it stood when it ended, when that was, and why."""

    session: Session
    at: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Limits over all sessions that draw on an allowance; None means no such limit.

    @ivar name: the key, chosen by the operator.
    @ivar title: what guests read.
    @ivar time_limit: in all, counted as C{time_counts} says.
    @ivar incoming_octets: to the guest; C{outgoing_octets} from the guest; C{total_octets} together.
    @ivar devices: online at the same time.
    @ivar when_full: what becomes of one device more.
    @ivar valid_from: not to be used before; C{valid_until}: not from then on.
    @ivar hours: opening hours in the network's time zone, such as C{mon-fri 08:00-18:00, sat 10:00-14:00}; empty for
        always.
    @ivar day_time: time online in a calendar day of the network's time zone; C{day_octets} both directions in it.
    @ivar span: length of the sliding window in which C{span_time} and C{span_octets} may be used.
    """

    name: str
    title: str
    time_limit: timedelta | None = None
    time_counts: TimeCounts = TimeCounts.WALL
    incoming_octets: int | None = None
    outgoing_octets: int | None = None
    total_octets: int | None = None
    devices: int | None = None
    when_full: WhenFull = WhenFull.REFUSE
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    hours: str = ""
    day_time: timedelta | None = None
    day_octets: int | None = None
    span: timedelta | None = None
    span_time: timedelta | None = None
    span_octets: int | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """
    What somebody may still use, and what their ended sessions have used of it.

    @ivar owner: whose: a voucher, an account or a device.
    @ivar network: where it may be used.
    @ivar time_zone: of that network; IANA name.
    @ivar first_used_at: when a session first drew on it; None until then.
    @ivar valid_until: not to be used from then on, whatever the plan says; None for no end of its own.
    @ivar used_time: of ended sessions, as is C{used}.
    @ivar revoked: True when the operator has taken it back.
    """

    allowance_id: int
    owner: str
    network: str
    time_zone: str
    plan: Plan
    first_used_at: datetime | None = None
    valid_until: datetime | None = None
    used_time: timedelta = timedelta()
    used: Octets = Octets()
    revoked: bool = False


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
    @ivar methods: how guests may sign in, one at least, in the order they are offered.
    @ivar terms: the operator's terms of use by language (C{en}, C{zh-Hans}), plain text; empty for none.
    @ivar terms_version: grows when the terms change.
    @ivar retention: how long history is kept; None for ever.
    @ivar plan: what guests without a plan of their own get; None for no limits over several stays.
    @ivar time_zone: IANA name; days and opening hours are counted there.
    @ivar sign_up: whether guests may make an account with their e-mail address.
    @ivar grace: how long a guest may be online before the address is validated.
    @ivar remember: how long a device may come back without a form; None for never.
    @ivar remember_random: the same for a locally administered MAC.
    @ivar remember_mac: whether the MAC that the gateway reports is enough to be remembered by.
    @ivar colour: main colour of the pages, C{#rrggbb}; empty for ours.
    @ivar logo: PNG or SVG beside the title, 4,096 octets at most; None for none.
    """

    name: str
    title: str
    methods: tuple[SignIn, ...] = (SignIn.SPLASH,)
    time_limit: timedelta | None = None
    quota_octets: int | None = None
    stale_after: timedelta = timedelta(minutes=10)
    terms: Mapping[str, str] = field(default_factory=dict)
    terms_version: int = 1
    retention: timedelta | None = timedelta(days=365)
    plan: str | None = None
    time_zone: str = "UTC"
    sign_up: bool = False
    grace: timedelta = timedelta(minutes=20)
    remember: timedelta | None = None
    remember_random: timedelta | None = None
    remember_mac: bool = False
    colour: str = ""
    logo: bytes | None = field(default=None, repr=False)


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
