"""Guests: what a request of theirs is about, and what is known and shown of them; frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import LoginQuery, Octets, Reason


@dataclass(frozen=True, slots=True)
class GuestRequest:
    """
    What a guest at the login page asks for, and where.

    @ivar query: the gateway's redirect, as the guest's browser repeats it: hints, never proof.
    @ivar now: when the request came.
    @ivar source: address of the connection, which all guests of a site may share; None when unknown.
    @ivar device_key: from the browser's cookie for this network; None for none.
    @ivar wants_remembering: True when the guest wants this device to be remembered.
    @ivar even_if_online: True when the guest insists on signing in although the device is online.
    """

    gateway: Gateway
    network: Network
    query: LoginQuery
    now: datetime
    source: str | None = None
    device_key: str | None = field(default=None, repr=False)
    wants_remembering: bool = False
    even_if_online: bool = False

    @property
    def mac(self) -> str | None:
        """The device, as the redirect claims; None when it names none."""
        return self.query.mac


@dataclass(frozen=True, slots=True)
class DeviceCookie:
    """
    What a browser keeps of a remembered device.

    @ivar key: 32 of C{[0-9a-z]}; whoever has it is that device.
    @ivar until: when it is no longer good.
    """

    key: str = field(repr=False)
    until: datetime


@dataclass(frozen=True, slots=True)
class EndNotice:
    """
    Why a limit ended a device's session, for the next page its guest sees.

    @ivar back_at: when the guest may come back; None when that limit never lifts by itself.
    """

    gw_id: str
    mac: str
    reason: Reason
    ended_at: datetime
    back_at: datetime | None


@dataclass(frozen=True, slots=True)
class RememberedDevice:
    """
    A device that may come back without a form, and whose guest it is.

    @ivar mac: as a gateway reported it; None until then, or when the gateway could not tell.
    @ivar account_id: None unless its guest signed in by account.
    @ivar voucher_id: None unless its guest signed in by voucher; one of both is known.
    @ivar remembered_at: when its guest signed in with a form.
    @ivar plan: of the account or voucher; None for that of the network.
    @ivar valid_until: of the voucher; None for no end of its own.
    @ivar is_welcome: False while the account is locked or its address not validated, or the voucher was revoked.
    """

    device_id: int
    mac: str | None
    account_id: int | None
    voucher_id: int | None
    remembered_at: datetime
    expires_at: datetime
    plan: str | None = None
    valid_until: datetime | None = None
    is_welcome: bool = True


@dataclass(frozen=True, slots=True)
class OtherDevice:
    """
    Another device that is online on the same allowance.

    @ivar mac: None when the gateway could not tell.
    @ivar since: when it got online.
    @ivar is_ending: True once it was asked to leave.
    """

    session_id: int
    mac: str | None
    since: datetime
    used: Octets
    is_ending: bool


@dataclass(frozen=True, slots=True)
class GuestSession:
    """
    An open session as its guest may see it.

    @ivar activated_at: None while pending.
    @ivar is_ending: True once it was asked to end.
    @ivar allowance_id: the allowance it draws on; None for none.
    @ivar has_account: True when the guest signed in by account, and did not come in by the MAC alone.
    @ivar device: the remembered device it belongs to, which may have expired; None for none.
    @ivar other_devices: those online on the same allowance, the longest online first, 100 at most.
    """

    gw_id: str
    ip: str | None
    mac: str | None
    url: str | None
    activated_at: datetime | None
    expires_at: datetime | None
    time_limit: timedelta | None
    quota_octets: int | None
    used: Octets
    is_ending: bool
    allowance_id: int | None
    has_account: bool = False
    device: RememberedDevice | None = None
    other_devices: tuple[OtherDevice, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """
    A guest with a password.

    @ivar name: lower-case and normalized; the address itself for guests who signed up.
    @ivar password_hash: argon2id, in its own PHC string format; None while only C{old_hash} is known.
    @ivar disabled: True while the operator has locked it.
    @ivar email: lower-case; None for accounts that the operator made without.
    @ivar validated_at: when the guest showed that the address is theirs, or the operator made the account.
    @ivar plan: what it allows; None for the plan of the network.
    @ivar old_hash: of an account that was imported and not used since.
    """

    account_id: int
    name: str
    password_hash: str | None = field(repr=False)
    disabled: bool
    created_at: datetime
    email: str | None = None
    validated_at: datetime | None = None
    plan: str | None = None
    old_hash: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StoredSession:
    """
    A session in the guest's own data.

    @ivar url: the page first wanted; kept of open sessions only.
    @ivar ended_at: None for an open one.
    @ivar reason: why it ended, or is about to; None while it continues.
    """

    gw_id: str
    mac: str | None
    ip: str | None
    url: str | None
    opened_at: datetime
    activated_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    used: Octets


@dataclass(frozen=True, slots=True)
class StoredDevice:
    """A remembered device in the guest's own data; C{mac} is None until a gateway has reported it."""

    network: str
    mac: str | None
    remembered_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StoredData:
    """
    All that is stored about a guest.

    @ivar account: None for a guest who signed in without one, or came in by the MAC alone.
    @ivar sessions: open sessions, that of the token first, then past ones of the account, the latest first.
    @ivar by_mac: True if the guest came in by the MAC alone, so that this session is all that is shown.
    """

    account: Account | None
    sessions: tuple[StoredSession, ...]
    devices: tuple[StoredDevice, ...]
    by_mac: bool = False
