"""
What guests are offered: networks, plans and what is left of them.

Lengths of time are timedeltas, sizes whole octets; None is no limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from wifidogd.domain.sessions import Octets


class SignInMethod(Enum):
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
class AllowanceOwner:
    """
    Whose an allowance is: a voucher's, or in one network an account's, a device's or an e-mail address's.

    Exactly one attribute is set; none for an allowance that is nobody's any more, or of one session only.

    @ivar mac: of a device whose guest has neither voucher nor account.
    @ivar address_hash: SHA-256 of an address that somebody signed up with who has not shown that it is theirs.
    """

    voucher_id: int | None = None
    account_id: int | None = None
    mac: str | None = None
    address_hash: bytes | None = None


NOBODY = AllowanceOwner()


@dataclass(frozen=True, slots=True)
class Allowance:
    """
    What somebody may still use, and what their ended sessions have used of it.

    @ivar network: where it may be used.
    @ivar time_zone: of that network; IANA name.
    @ivar first_used_at: when a session first drew on it; None until then.
    @ivar valid_until: not to be used from then on, whatever the plan says; None for no end of its own.
    @ivar used_time: of ended sessions, as is C{used}.
    @ivar revoked: True when the operator has taken it back.
    """

    allowance_id: int
    owner: AllowanceOwner
    network: str
    time_zone: str
    plan: Plan
    first_used_at: datetime | None = None
    valid_until: datetime | None = None
    used_time: timedelta = timedelta()
    used: Octets = field(default_factory=Octets)
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """
    What a group of gateways offers to guests.

    @ivar name: the key, chosen by the operator.
    @ivar title: what guests read.
    @ivar time_limit: of one session; None for no limit.
    @ivar quota_octets: of one session; None for no limit.
    @ivar stale_after: a session without a report for this long has ended, but never sooner than 3 intervals.
    @ivar methods: how guests may sign in, one at least, in the order they are offered.
    @ivar terms: the operator's terms of use by language (C{en}, C{zh-Hans}), plain text; empty for none.
    @ivar terms_version: grows when the terms change.
    @ivar retention: how long history is kept; None for ever.
    @ivar plan: what guests without a plan of their own get; None for no limits over several sessions.
    @ivar time_zone: IANA name; days and opening hours are counted there.
    @ivar sign_up: whether guests may make an account with their e-mail address.
    @ivar grace: how long a guest may be online before the address is validated.
    @ivar remember: how long a device may come back without a form; None for never.
    @ivar remember_random: the same for a locally administered MAC.
    @ivar remember_mac: whether the MAC that the gateway reports is enough to be remembered by.
    @ivar mail_access: how long a guest who is not signed in may have the internet, to read their mail; None for never.
    @ivar roaming: whether a guest who is online at one gateway is let in at another without a form.
    @ivar lets_known_through: whether the login page lets known devices through without a tap, at gateways with a key.
    @ivar colour: main colour of the pages, C{#rrggbb}; empty for ours.
    @ivar logo: PNG or SVG beside the title, 4,096 octets at most; None for none.
    """

    name: str
    title: str
    methods: tuple[SignInMethod, ...] = (SignInMethod.SPLASH,)
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
    mail_access: timedelta | None = None
    roaming: bool = True
    lets_known_through: bool = False
    colour: str = ""
    logo: bytes | None = field(default=None, repr=False)

    @property
    def recognizes_macs(self) -> bool:
        """Whether a device may come back by its MAC alone."""
        return self.remember_mac and self.remember is not None

    @property
    def limits_devices(self) -> bool:
        """Whether there are guests whose allowance is that of their device."""
        return self.plan is not None and SignInMethod.SPLASH in self.methods
