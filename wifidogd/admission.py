"""Guests signing in: check who they are, mint a token, open a pending session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from wifidogd.credentials import Passwords, hash_secret, mint_token
from wifidogd.directory import Directory
from wifidogd.errors import Overloaded
from wifidogd.model import Gateway, Network, Octets, Reason, UtcNow, Visitor
from wifidogd.rules import TRIES_WINDOW, wait_after
from wifidogd.store.accounts import Account, fetch_account
from wifidogd.store.attempts import count_try, forgive_try
from wifidogd.store.database import Cursor, Database
from wifidogd.store.stays import OpenStay, ask_to_end, is_online, look_at, open_session


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

    async def splash(self, gateway: Gateway, visitor: Visitor) -> Admitted:
        """
        Admit anybody who accepts the terms.

        @raise StoreError: as L{Database.transaction}.
        """
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
            is_right = await self._passwords.verify(account.password_hash if account is not None else None, password)
        except Overloaded:
            await self._database.transaction(lambda cursor: forgive_try(cursor, subjects))
            return Refused(Refusal.BUSY)
        if account is None or account.disabled or not is_right:
            return Refused(Refusal.WRONG_PASSWORD)
        account_id = account.account_id

        async def finish(cursor: Cursor) -> Admitted:
            await forgive_try(cursor, subjects)
            return await self._open(cursor, gateway, visitor, account_id)

        return await self._database.transaction(finish)

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

    async def _open(self, cursor: Cursor, gateway: Gateway, visitor: Visitor, account_id: int | None) -> Admitted:
        token = self._mint()
        network = self._directory.network(gateway.network)
        await open_session(
            cursor,
            hash_secret(token),
            gw_id=gateway.gw_id,
            account_id=account_id,
            url=visitor.url,
            now=self._utc_now(),
            time_limit=network.time_limit,
            quota_octets=network.quota_octets,
        )
        return Admitted(token)

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
