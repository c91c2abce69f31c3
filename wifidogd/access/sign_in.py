"""Guests signing in: check who they are, mint a token, open a pending session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from wifidogd.access.open_session import (
    Admitted,
    Refusal,
    Refused,
    allowance_for,
    open_account_stay,
    open_stay,
)
from wifidogd.access.password_check import PasswordCheck
from wifidogd.domain.errors import Overloaded, StoreUnavailable
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Allowance, AllowanceOwner, Network
from wifidogd.domain.quotas import Limit, Use, left
from wifidogd.domain.sessions import LoginQuery, Octets, Reason, UtcNow
from wifidogd.domain.tokens import hash_secret, mint_token
from wifidogd.domain.usage import AllowanceUsage
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.access.end_notices import EndNotice, fetch_farewell
from wifidogd.store.access.guest_sessions import GuestSession, ask_to_end, is_online, look_at
from wifidogd.store.accounting.usage import fetch_usage
from wifidogd.store.accounts.accounts import Account, upgrade_password
from wifidogd.store.driver.database import Cursor, Database

TELL_FOR = timedelta(hours=1)
"""How long after the end of a stay its guest is told of the limit that ended it; longer while it holds."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """
    What a guest may know of their open session.

    @ivar online: False while the gateway has not asked about the token, and once the session is ending.
    @ivar since: when the guest got online; None while pending.
    @ivar octets_left: by the tightest limit; None for no limit.
    @ivar time_left: likewise.
    @ivar url: the page the guest first wanted; None when unknown.
    @ivar allowance: what the stay draws on; None when only its own limits bound it.
    @ivar used_of_allowance: by all sessions that draw on it; None for no allowance.
    @ivar octets_limit: which limit of the allowance C{octets_left} is about; None for that of the stay, or none.
    @ivar time_limit: which one C{time_left} is about; likewise.
    @ivar has_account: True for who has signed in by account.
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
    allowance: Allowance | None = None
    used_of_allowance: Use | None = None
    octets_limit: Limit | None = None
    time_limit: Limit | None = None
    has_account: bool = False


class AccountSignIn:
    """
    Lets guests in, shows them their stay and lets them out.

    @param mint: makes a fresh token.
    """

    def __init__(
        self,
        database: Database,
        directory: Registry,
        passwords: Passwords,
        *,
        utc_now: UtcNow,
        mint: Callable[[], str] = mint_token,
    ) -> None:
        self._database = database
        self._directory = directory
        self._passwords = passwords
        self._check = PasswordCheck(database, passwords, utc_now=utc_now)
        self._utc_now = utc_now
        self._mint = mint

    async def splash(self, gateway: Gateway, visitor: LoginQuery) -> Admitted | Refused:
        """
        Admit anybody who accepts the terms.

        In a network with a plan the allowance is the device's, so its gateway
        must have named one.

        @raise StoreError: as L{Database.transaction}.
        """
        network = self._directory.network(gateway.network)
        if network.plan is not None and visitor.mac is None:
            return Refused(Refusal.NO_DEVICE)
        return await self._database.transaction(lambda cursor: self._open(cursor, gateway, visitor, None))

    async def account(
        self, gateway: Gateway, visitor: LoginQuery, name: str, password: str, source: str | None = None
    ) -> Admitted | Refused:
        """
        Admit who knows the password of an account.

        @param name: as L{PasswordCheck.identify} takes it, who says how tries are limited; C{source} too.
        @raise StoreError: as L{Database.transaction}.
        """
        known = await self._check.identify(name, password, visitor=visitor, source=source)
        if isinstance(known, Refused):
            return known
        account, upgraded = known, await self._upgraded(known, password)

        async def finish(cursor: Cursor) -> Admitted | Refused:
            if upgraded is not None:
                await upgrade_password(cursor, account, upgraded)
            return await self._open(cursor, gateway, visitor, account)

        return await self._database.transaction(finish)

    async def _upgraded(self, account: Account, password: str) -> str | None:
        """
        Hash the right password anew for an account that was imported.

        @return: None where there is nothing to upgrade, or no time for it now: the next sign-in will do.
        """
        if account.password_hash is not None:
            return None
        try:
            return await self._passwords.hash(password)
        except Overloaded:
            return None

    async def is_online(self, gateway: Gateway, mac: str) -> bool:
        """
        Tell whether a device is online at a gateway, as far as its reports say.

        @raise StoreError: as L{Database.transaction}.
        """
        now = self._utc_now()
        since = now - 3 * gateway.interval
        return await self._database.transaction(lambda cursor: is_online(cursor, gateway.gw_id, mac, now, since))

    async def stay(self, token: str) -> SessionView | None:
        """
        Look at the open session of a token.

        @return: None if the token names none.
        @raise StoreError: as L{Database.transaction}.
        """
        return await self._database.transaction(lambda cursor: self._look(cursor, token))

    async def log_out(self, token: str) -> SessionView | None:
        """
        Ask for the end of a session: the gateway's next report settles its last octets and ends it.

        @return: what it was until then; None if the token names no open session.
        @raise StoreError: as L{Database.transaction}.
        """

        async def end(cursor: Cursor) -> SessionView | None:
            await ask_to_end(cursor, hash_secret(token), Reason.LOGOUT)
            return await self._look(cursor, token)

        return await self._database.transaction(end)

    async def farewell(self, gateway: Gateway, mac: str) -> EndNotice | None:
        """
        Say which limit last ended a stay of a device at a gateway, while its guest should know.

        @raise StoreError: as L{Database.transaction}.
        """
        now = self._utc_now()
        since = now - TELL_FOR
        return await self._database.transaction(lambda cursor: fetch_farewell(cursor, gateway.gw_id, mac, now, since))

    async def _open(
        self, cursor: Cursor, gateway: Gateway, visitor: LoginQuery, account: Account | None
    ) -> Admitted | Refused:
        """Open a stay of an account, or of a device."""
        network, now = self._directory.network(gateway.network), self._utc_now()
        if account is not None:
            return await open_account_stay(cursor, gateway, network, visitor, account, now=now, mint=self._mint)
        plan, owner = network.plan, AllowanceOwner(mac=visitor.mac)
        return await open_stay(
            cursor,
            gateway,
            network,
            visitor,
            allowance=None if plan is None else await allowance_for(cursor, owner, network, plan, now),
            is_of_device=plan is not None,
            now=now,
            mint=self._mint,
        )

    async def _look(self, cursor: Cursor, token: str) -> SessionView | None:
        if not self._directory.loaded:
            raise StoreUnavailable("which gateways are adopted is not known yet")
        found = await look_at(cursor, hash_secret(token))
        gateway = None if found is None else self._directory.gateway(found.gw_id)
        if found is None or gateway is None:
            return None
        now = self._utc_now()
        stay = _own_stay(found, gateway, self._directory.network(gateway.network), now)
        if found.allowance_id is None:
            return stay
        return _bounded(stay, await fetch_usage(cursor, found.allowance_id, now), now)


def _own_stay(found: GuestSession, gateway: Gateway, network: Network, now: datetime) -> SessionView:
    """Show an open session with the limits that are its own."""
    time_left = found.time_limit if found.expires_at is None else found.expires_at - now
    return SessionView(
        gateway=gateway,
        network=network,
        online=found.activated_at is not None and not found.is_ending,
        mac=found.mac,
        ip=found.ip,
        since=found.activated_at,
        used=found.used,
        octets_left=None if found.quota_octets is None else max(0, found.quota_octets - found.used.total),
        time_left=None if time_left is None else max(timedelta(), time_left),
        url=found.url,
        has_account=found.has_account,
    )


def _bounded(stay: SessionView, tally: AllowanceUsage, now: datetime) -> SessionView:
    """Show what its allowance leaves of a stay."""
    rest = left(tally.allowance, tally.use, now)
    stay = replace(stay, allowance=tally.allowance, used_of_allowance=tally.use)
    if rest.time is not None and (stay.time_left is None or rest.time <= stay.time_left):
        stay = replace(stay, time_left=rest.time, time_limit=rest.time_limit)
    if rest.octets is not None and (stay.octets_left is None or rest.octets <= stay.octets_left):
        stay = replace(stay, octets_left=rest.octets, octets_limit=rest.octets_limit)
    return stay
