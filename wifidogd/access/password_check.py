"""Passwords, checked with limited tries: the one place, whatever they are typed for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wifidogd.access.open_session import Refusal, Refused, refuse_if_online
from wifidogd.access.throttle import Counted, count, forgive, passwords_from, passwords_of, tries_of_device
from wifidogd.domain.errors import Overloaded
from wifidogd.domain.guests import Account, GuestRequest
from wifidogd.domain.sessions import UtcNow
from wifidogd.domain.tokens import PasswordFlaw, flaw_of, fold_name, is_name, normal_password
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.accounts.accounts import fetch_account
from wifidogd.store.driver.database import Cursor, Database

_FLAWS = {
    PasswordFlaw.SHORT: Refusal.WEAK_PASSWORD,
    PasswordFlaw.LONG: Refusal.LONG_PASSWORD,
    PasswordFlaw.PADDED: Refusal.PADDED_PASSWORD,
    PasswordFlaw.UNSEEN: Refusal.UNSEEN_PASSWORD,
}


@dataclass(frozen=True, slots=True)
class Identified:
    """
    The owner of an account has typed its password.

    @ivar counted: the try, which the next transaction is to forgive.
    @ivar is_stale: True if the stored hash is not of the password's normal form in argon2id, and should be replaced.
    """

    account: Account
    counted: Counted
    is_stale: bool = False


class PasswordCheck:
    """
    Checks names, or addresses, and passwords.

    Tries count against the account, however it is called; against what was
    typed where there is none, so that the answers are the same; against the
    device at its gateway; and, with a limit for a whole site, against the
    source that they come from.
    """

    def __init__(self, database: Database, passwords: Passwords, *, utc_now: UtcNow) -> None:
        self._database = database
        self._passwords = passwords
        self._utc_now = utc_now

    async def identify(
        self,
        typed: str,
        password: str,
        *,
        source: str | None = None,
        even_locked: bool = False,
        asker: str | None = None,
    ) -> Account | Refused:
        """
        Find the account of a name and its password, for a guest who may be anywhere.

        @param source: address of the connection; None where tries are limited otherwise.
        @param even_locked: whether the operator's lock does not matter.
        @param asker: address of the connection, where tries are not counted by it.
        @raise StoreError: as L{Database.transaction}.
        """
        outcome = await self.check(typed, password, source=source, even_locked=even_locked, asker=asker)
        if isinstance(outcome, Refused):
            return outcome
        await self._forgive(outcome.counted)
        return outcome.account

    async def check(
        self,
        typed: str,
        password: str,
        *,
        request: GuestRequest | None = None,
        source: str | None = None,
        even_locked: bool = False,
        asker: str | None = None,
    ) -> Identified | Refused:
        """
        Find the account of a name and its password, and leave it to the caller to forgive the try.

        Unknown, locked and wrong are one answer that takes the same time.

        @param request: of a guest at a gateway, who is refused when online; the try then counts against the device too.
        @raise StoreError: as L{Database.transaction}.
        """
        now, name = self._utc_now(), typed if is_name(fold_name(typed)) else ""
        begun = await self._database.transaction(lambda cursor: self._begin(cursor, name, request, source, now))
        if isinstance(begun, Refused):
            return begun
        account, counted = begun
        if counted.wait is not None:
            return Refused(Refusal.TOO_MANY_TRIES, counted.wait)
        try:
            is_right, is_stale = await self._verify(account, password, source or asker)
        except Overloaded:
            await self._forgive(counted)
            return Refused(Refusal.BUSY)
        if account is None or not is_right or (account.disabled and not even_locked):
            flaw = flaw_of(password)
            return Refused(Refusal.WRONG_PASSWORD, flaw=None if flaw is PasswordFlaw.SHORT else flaw)
        return Identified(account, counted, is_stale)

    async def _verify(self, account: Account | None, password: str, asker: str | None) -> tuple[bool, bool]:
        """
        Return whether a password is right, and whether the hash that says so is to be replaced.

        Hashes of before passwords were hashed in their normal form get a second
        try, with what was typed.  What was typed decides about that, never the
        account, so that the time it takes tells nothing.
        """
        new, old = (None, None) if account is None else (account.password_hash, account.old_hash)
        for number, form in enumerate(dict.fromkeys((normal_password(password), password))):
            if await self._passwords.verify(new, form, old, asker):
                return True, new is None or number > 0
        return False, False

    async def _begin(
        self, cursor: Cursor, name: str, request: GuestRequest | None, source: str | None, now: datetime
    ) -> tuple[Account | None, Counted] | Refused:
        """Find the account and count the try, unless the guest is online already."""
        refused = None if request is None else await refuse_if_online(cursor, request)
        if refused is not None:
            return refused
        account = await fetch_account(cursor, name)
        subjects = [passwords_of(account, fold_name(name))]
        if request is not None and request.mac is not None:
            subjects.append(tries_of_device(request.gateway.gw_id, request.mac))
        if source is not None:
            subjects += passwords_from(source)
        return account, await count(cursor, subjects, now)

    async def _forgive(self, counted: Counted) -> None:
        async def forgive_it(cursor: Cursor) -> None:
            forgive(cursor, counted)

        await self._database.transaction(forgive_it)


def refuse_password(password: str) -> Refused | None:
    """Refuse a password that somebody wants to choose and cannot; None for one that they can."""
    flaw = flaw_of(password)
    return None if flaw is None else Refused(_FLAWS[flaw])
