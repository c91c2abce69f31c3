"""What all ways to sign in share: a place on an allowance, and a pending session with a fresh token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import AllowanceOwner, Network
from wifidogd.domain.quotas import Limit, Verdict, judge
from wifidogd.domain.sessions import LoginQuery
from wifidogd.domain.tokens import hash_secret
from wifidogd.domain.usage import AllowanceUsage
from wifidogd.store.access.guest_sessions import open_session
from wifidogd.store.accounting.recent_use import fetch_slots
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.accounts.accounts import Account
from wifidogd.store.driver.database import Cursor


class Refusal(Enum):
    """Why a guest may not come in."""

    WRONG_PASSWORD = "wrong password"
    TOO_MANY_TRIES = "too many tries"
    BUSY = "busy"
    SPENT = "a limit is reached"
    MISTYPED_CODE = "no code of ours"
    UNKNOWN_CODE = "unknown code"
    REVOKED = "taken back"
    NO_DEVICE = "nobody knows which device it is"
    NOT_VALIDATED = "address not validated in time"
    NO_ADDRESS = "no e-mail address"
    WEAK_PASSWORD = "no password that can be used"


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
    @ivar limit: which one is reached, for L{Refusal.SPENT}; None for others.
    @ivar back_at: when that limit lifts; None when it never does by itself, or nobody knows.
    """

    why: Refusal
    wait: timedelta | None = None
    limit: Limit | None = None
    back_at: datetime | None = None


async def allowance_for(
    cursor: Cursor,
    owner: AllowanceOwner,
    network: Network,
    plan_name: str,
    now: datetime,
    valid_until: datetime | None = None,
) -> AllowanceUsage:
    """
    Return what is used of the allowance of an owner, and hold it until the transaction ends; make it if there is none.

    @param plan_name: the plan that holds from now on.
    @param valid_until: not to be used from then on; None for no end of its own.
    @raise StoreRefused: if there is no such plan.
    """
    return await claim_allowance(cursor, owner, network.name, plan_name, now, valid_until)


async def open_stay(
    cursor: Cursor,
    gateway: Gateway,
    network: Network,
    visitor: LoginQuery,
    *,
    allowance: AllowanceUsage | None,
    now: datetime,
    mint: Callable[[], str],
    account_id: int | None = None,
    probation_until: datetime | None = None,
    is_of_device: bool = False,
) -> Admitted | Refused:
    """
    Open a pending session, unless a limit of its allowance is reached.

    @param allowance: from L{allowance_for} in this transaction; None for a stay that only its own limits bound.
    @param mint: makes a fresh token.
    @param account_id: who signed in; None for others.
    @param probation_until: until when the guest may be online on trust; None for others.
    @param is_of_device: True when the allowance is the device's, so that it must turn out to be that device.
    @raise StoreError: as L{Database.transaction}.
    """
    if allowance is not None:
        verdict = await verdict_on(cursor, allowance, visitor.mac, now)
        if verdict is not None:
            return Refused(Refusal.SPENT, limit=verdict.limit, back_at=verdict.back_at)
    token = mint()
    await open_session(
        cursor,
        hash_secret(token),
        gw_id=gateway.gw_id,
        account_id=account_id,
        url=visitor.url,
        now=now,
        time_limit=network.time_limit,
        quota_octets=network.quota_octets,
        allowance_id=None if allowance is None else allowance.allowance.allowance_id,
        claimed_mac=visitor.mac if is_of_device else None,
        probation_until=probation_until,
        terms_version=network.terms_version if network.terms else None,
    )
    return Admitted(token)


async def open_account_stay(
    cursor: Cursor,
    gateway: Gateway,
    network: Network,
    visitor: LoginQuery,
    account: Account,
    *,
    now: datetime,
    mint: Callable[[], str],
) -> Admitted | Refused:
    """
    Open a pending session of who has shown to be the owner of an account.

    One whose address is not validated yet may be online for the network's
    grace, counted from its sign-up: signing in again brings no more of it.

    @raise StoreError: as L{Database.transaction}.
    """
    probation_until = None if account.validated_at is not None else account.created_at + network.grace
    if probation_until is not None and now >= probation_until:
        return Refused(Refusal.NOT_VALIDATED)
    plan, owner = account.plan or network.plan, AllowanceOwner(account_id=account.account_id)
    return await open_stay(
        cursor,
        gateway,
        network,
        visitor,
        allowance=None if plan is None else await allowance_for(cursor, owner, network, plan, now),
        account_id=account.account_id,
        probation_until=probation_until,
        now=now,
        mint=mint,
    )


async def verdict_on(cursor: Cursor, usage: AllowanceUsage, device: str | None, now: datetime) -> Verdict | None:
    """Return why one device more cannot use an allowance now; None if it can."""
    if usage.judge(now) is not None:
        allowance, span = usage.allowance, usage.allowance.plan.span
        slots = [] if span is None else await fetch_slots(cursor, allowance.allowance_id, now, span)
        return judge(allowance, usage.use, now, slots)
    return Verdict(Limit.DEVICES) if usage.refuses(device) else None
