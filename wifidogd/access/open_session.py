"""What all ways to sign in share: their outcomes, an allowance, and a pending session with a fresh token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from wifidogd.domain.guests import Account, DeviceCookie, GuestRequest
from wifidogd.domain.plans import AllowanceOwner
from wifidogd.domain.quotas import Limit, Verdict, judge
from wifidogd.domain.tokens import PasswordFlaw, hash_secret, hide_token, mint_token
from wifidogd.domain.usage import AllowanceUsage
from wifidogd.store.access.arrivals import is_online
from wifidogd.store.access.guest_sessions import open_session
from wifidogd.store.access.remembered_devices import attach_device, forget_key, remember_device
from wifidogd.store.accounting.recent_use import fetch_slots
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.driver.database import Cursor


class Refusal(Enum):
    """Why a guest may not come in."""

    ALREADY_ONLINE = "already online"
    WRONG_PASSWORD = "wrong password"
    TOO_MANY_TRIES = "too many tries"
    BUSY = "busy"
    SPENT = "a limit is reached"
    MISTYPED_CODE = "no code of ours"
    UNKNOWN_CODE = "unknown code"
    REVOKED = "taken back"
    NO_DEVICE = "nobody knows which device it is"
    NOT_VALIDATED = "address not validated in time"
    UNCONFIRMED = "address not validated yet"
    UNCONFIRMED_TOO_OFTEN = "too many sign-ups without a validated address"
    NO_ADDRESS = "no e-mail address"
    WEAK_PASSWORD = "password too short"
    LONG_PASSWORD = "password too long"
    PADDED_PASSWORD = "password with a blank at its beginning or end"
    UNSEEN_PASSWORD = "password with a character that cannot be seen"


@dataclass(frozen=True, slots=True)
class Admitted:
    """
    The guest may go to the gateway.

    @ivar token: 32 of C{[0-9a-z]}, to be shown once, to this guest only.
    @ivar cookie: by which the browser is known again; None if the device is not to be remembered.
    @ivar browser_secret: by which the browser is known as this session's, here and until a while after its end.
    """

    token: str = field(repr=False)
    cookie: DeviceCookie | None = None
    browser_secret: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """
    The guest may not come in now.

    @ivar wait: how long until another try is allowed; None when it is allowed now.
    @ivar limit: which one is reached, for L{Refusal.SPENT}; None for others.
    @ivar back_at: when that limit lifts; None when it never does by itself, or nobody knows.
    @ivar flaw: what is odd about a wrong password, which may be why it is wrong; None for nothing.
    """

    why: Refusal
    wait: timedelta | None = None
    limit: Limit | None = None
    back_at: datetime | None = None
    flaw: PasswordFlaw | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """
    As whom a guest has signed in; neither account nor voucher for one who has shown nothing.

    @ivar probation_until: until when the guest may be online on trust; None for others.
    @ivar device_id: the remembered device that the guest has come back on; None for others.
    @ivar by_mac: True when the MAC alone says so, which another device may imitate.
    """

    account_id: int | None = None
    voucher_id: int | None = None
    probation_until: datetime | None = None
    device_id: int | None = None
    by_mac: bool = False


UNIDENTIFIED = Identity()


async def refuse_if_online(cursor: Cursor, request: GuestRequest) -> Refused | None:
    """
    Refuse a guest whose device is online at the gateway, as far as its reports show, unless the guest insists.

    An online guest is sent through the gateway again only on request (docs/protocol.md 6.6).

    @return: None for a guest who may sign in; without a round trip if the redirect named no device.
    """
    if request.even_if_online or request.mac is None:
        return None
    reported_since = request.now - 3 * request.gateway.interval
    gw_id, ip = request.gateway.gw_id, request.query.ip
    online = await is_online(cursor, gw_id, request.mac, request.now, reported_since, ip=ip)
    return Refused(Refusal.ALREADY_ONLINE) if online else None


async def open_pending_session(
    cursor: Cursor,
    request: GuestRequest,
    identity: Identity = UNIDENTIFIED,
    *,
    usage: AllowanceUsage | None,
    mint: Callable[[], str],
) -> Admitted | Refused:
    """
    Send a pending session, unless a limit of its allowance is reached, and remember the device if the guest wants that.

    Only the device that the redirect named may use the token, if it named one: a neighbour may hear it.

    All of it is sent with COMMIT.  Remembering cannot fail on its own: it refers to nothing but the new session, its
    network, and an account or voucher that the transaction holds.

    @param usage: from L{claim_allowance<wifidogd.store.accounting.usage.claim_allowance>} in this
        transaction; None for a session that only its own limits bound.
    @param mint: makes fresh tokens and keys.
    """
    if usage is not None:
        verdict = await verdict_on(cursor, usage, request.mac, request.now)
        if verdict is not None:
            return Refused(Refusal.SPENT, limit=verdict.limit, back_at=verdict.back_at)
    token, network, browser_secret = mint(), request.network, mint_token()
    token_hash = hash_secret(token)
    open_session(
        cursor,
        token_hash,
        gw_id=request.gateway.gw_id,
        account_id=identity.account_id,
        url=request.query.url,
        now=request.now,
        time_limit=network.time_limit,
        quota_octets=network.quota_octets,
        allowance_id=None if usage is None else usage.allowance.allowance_id,
        claimed_mac=request.mac,
        by_mac=identity.by_mac,
        probation_until=identity.probation_until,
        terms_version=network.terms_version if network.terms else None,
        browser_hash=hash_secret(browser_secret),
        hidden_token=hide_token(token, browser_secret),
    )
    if identity.device_id is not None:
        attach_device(cursor, token_hash, identity.device_id)
    return Admitted(token, _remember(cursor, request, identity, token_hash, mint), browser_secret)


def _remember(
    cursor: Cursor, request: GuestRequest, identity: Identity, token_hash: bytes, mint: Callable[[], str]
) -> DeviceCookie | None:
    """Remember the device of an account or voucher under a new key; the one before is no longer good then."""
    remember_for = request.network.remember
    if not request.wants_remembering or remember_for is None or identity.device_id is not None:
        return None
    if identity.account_id is None and identity.voucher_id is None:
        return None
    if request.device_key is not None:
        forget_key(cursor, hash_secret(request.device_key))
    cookie = DeviceCookie(mint(), request.now + remember_for)
    remember_device(
        cursor,
        token_hash,
        hash_secret(cookie.key),
        request.network.name,
        account_id=identity.account_id,
        voucher_id=identity.voucher_id,
        now=request.now,
        until=cookie.until,
    )
    return cookie


async def open_account_session(
    cursor: Cursor, request: GuestRequest, account: Account, *, mint: Callable[[], str]
) -> Admitted | Refused:
    """
    Open a pending session of a guest who has shown to be the owner of an account.

    One whose address is not validated yet may be online for the network's
    grace, counted from its sign-up: signing in again brings no more of it.

    @raise StoreError: as L{Database.transaction}.
    """
    network = request.network
    probation_until = None if account.validated_at is not None else account.created_at + network.grace
    if probation_until is not None and request.now >= probation_until:
        return Refused(Refusal.NOT_VALIDATED)
    usage, plan = None, account.plan or network.plan
    if plan is not None:
        owner = AllowanceOwner(account_id=account.account_id)
        usage = await claim_allowance(cursor, owner, network.name, plan, request.now)
    identity = Identity(account_id=account.account_id, probation_until=probation_until)
    return await open_pending_session(cursor, request, identity, usage=usage, mint=mint)


async def verdict_on(cursor: Cursor, usage: AllowanceUsage, device: str | None, now: datetime) -> Verdict | None:
    """Return why one device more cannot use an allowance now; None if it can."""
    if usage.judge(now) is not None:
        allowance, span = usage.allowance, usage.allowance.plan.span
        slots = [] if span is None else await fetch_slots(cursor, allowance.allowance_id, now, span)
        return judge(allowance, usage.use, now, slots)
    return Verdict(Limit.DEVICES) if usage.refuses(device) else None
