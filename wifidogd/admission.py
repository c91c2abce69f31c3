"""Guests signing in: check who they are, mint a token, open a pending session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from wifidogd.credentials import Passwords, hash_secret, mint_token
from wifidogd.directory import Directory
from wifidogd.errors import Overloaded
from wifidogd.model import Gateway, Network, Octets, Reason, UtcNow, Visitor
from wifidogd.opening import Admitted, Refusal, Refused, account_owner, allowance_for, device_owner, open_stay
from wifidogd.rules import TRIES_WINDOW, wait_after
from wifidogd.store.accounts import Account, fetch_account, upgrade_password
from wifidogd.store.attempts import count_try, forgive_try
from wifidogd.store.database import Cursor, Database
from wifidogd.store.stays import OpenStay, ask_to_end, is_online, look_at


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


class Admission:
    """
    Lets guests in, shows them their stay and lets them out.

    @param mint: makes a fresh token.
    """

    def __init__(
        self,
        database: Database,
        directory: Directory,
        passwords: Passwords,
        *,
        utc_now: UtcNow,
        mint: Callable[[], str] = mint_token,
    ) -> None:
        self._database = database
        self._directory = directory
        self._passwords = passwords
        self._utc_now = utc_now
        self._mint = mint

    async def splash(self, gateway: Gateway, visitor: Visitor) -> Admitted | Refused:
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

    async def account(self, gateway: Gateway, visitor: Visitor, name: str, password: str) -> Admitted | Refused:
        """
        Admit who knows the password of an account.

        Unknown, disabled and wrong are one answer that takes the same time.
        Tries count against the account and against the device at this gateway,
        never against an address, which all guests of a site share.

        @param name: compared without regard to case.
        @raise StoreError: as L{Database.transaction}.
        """
        now = self._utc_now()
        name = _known_form(name)
        subjects = [f"account {name}"] + ([f"device {gateway.gw_id} {visitor.mac}"] if visitor.mac else [])

        async def begin(cursor: Cursor) -> tuple[list[tuple[int, datetime]], Account | None]:
            tries = await count_try(cursor, subjects, now, now - TRIES_WINDOW)
            return tries, await fetch_account(cursor, name)

        tries, account = await self._database.transaction(begin)
        wait = wait_after(tries, now)
        if wait is not None:
            return Refused(Refusal.TOO_MANY_TRIES, wait)
        try:
            is_right = await self._is_right(account, password)
        except Overloaded:
            await self._database.transaction(lambda cursor: forgive_try(cursor, subjects))
            return Refused(Refusal.BUSY)
        if account is None or account.disabled or not is_right:
            return Refused(Refusal.WRONG_PASSWORD)
        known, upgraded = account, await self._upgraded(account, password)

        async def finish(cursor: Cursor) -> Admitted | Refused:
            await forgive_try(cursor, subjects)
            if upgraded is not None:
                await upgrade_password(cursor, known, upgraded)
            return await self._open(cursor, gateway, visitor, known)

        return await self._database.transaction(finish)

    async def _is_right(self, account: Account | None, password: str) -> bool:
        """Check a password, with the same work whatever there is to check it against."""
        if account is None:
            return await self._passwords.verify(None, password)
        return await self._passwords.verify(account.password_hash, password, account.old_hash)

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

    async def stay(self, token: str) -> Stay | None:
        """
        Look at the open session of a token.

        @return: None if the token names none.
        @raise StoreError: as L{Database.transaction}.
        """
        return self._stay(await self._database.transaction(lambda cursor: look_at(cursor, hash_secret(token))))

    async def log_out(self, token: str) -> Stay | None:
        """
        Ask for the end of a session: the gateway's next report settles its last octets and ends it.

        @return: what it was until then; None if the token names no open session.
        @raise StoreError: as L{Database.transaction}.
        """

        async def end(cursor: Cursor) -> OpenStay | None:
            await ask_to_end(cursor, hash_secret(token), Reason.LOGOUT)
            return await look_at(cursor, hash_secret(token))

        return self._stay(await self._database.transaction(end))

    async def _open(
        self, cursor: Cursor, gateway: Gateway, visitor: Visitor, account: Account | None
    ) -> Admitted | Refused:
        """Open a stay of an account, or of a device."""
        network, now = self._directory.network(gateway.network), self._utc_now()
        plan = network.plan if account is None or account.plan is None else account.plan
        owner = device_owner(network, visitor.mac or "") if account is None else account_owner(account, network)
        return await open_stay(
            cursor,
            gateway,
            network,
            visitor,
            allowance=None if plan is None else await allowance_for(cursor, owner, network, plan, now),
            is_of_device=plan is not None and account is None,
            account_id=None if account is None else account.account_id,
            now=now,
            mint=self._mint,
        )

    def _stay(self, found: OpenStay | None) -> Stay | None:
        gateway = None if found is None else self._directory.gateway(found.gw_id)
        if found is None or gateway is None:
            return None
        time_left = found.time_limit if found.expires_at is None else found.expires_at - self._utc_now()
        return Stay(
            gateway=gateway,
            network=self._directory.network(gateway.network),
            online=found.activated_at is not None and not found.is_ending,
            mac=found.mac,
            ip=found.ip,
            since=found.activated_at,
            used=found.used,
            octets_left=None if found.quota_octets is None else max(0, found.quota_octets - found.used.total),
            time_left=None if time_left is None else max(timedelta(), time_left),
            url=found.url,
        )


def _known_form(name: str) -> str:
    """Bring a name into the form accounts are stored in; one that no account can have becomes empty."""
    name = name.strip().lower()
    return name if len(name) <= 100 and name.isprintable() else ""
