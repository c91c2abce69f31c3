"""Passwords, checked with limited tries: the one place, whatever they are typed for."""

from __future__ import annotations

from datetime import timedelta

from wifidogd.access.open_session import Refusal, Refused
from wifidogd.domain.decisions import TRIES_WINDOW, wait_after
from wifidogd.domain.errors import Overloaded
from wifidogd.domain.sessions import LoginQuery, UtcNow
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.access.rate_limits import count_try, forgive_try, of_account, of_device, of_source
from wifidogd.store.accounts.accounts import Account, fetch_account, fold_name
from wifidogd.store.driver.database import Cursor, Database

LONGEST_NAME = 100

MOST_FROM_SOURCE = 300
"""
Wrong passwords in a window from one source, for whatever accounts.

All guests of a site may share it, hence many; who tries one password on every account would otherwise be stopped by
nothing, as a device is what a URL claims.
"""


class PasswordCheck:
    """
    Tells who somebody is by name, or address, and password.

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
        visitor: LoginQuery | None = None,
        source: str | None = None,
        even_locked: bool = False,
    ) -> Account | Refused:
        """
        Find the account of a name and its password.

        Unknown, locked and wrong are one answer that takes the same time.

        @param visitor: whose device the try counts against, too; None for somebody who may be anywhere.
        @param source: address of the connection; None where tries are limited otherwise.
        @param even_locked: whether the operator's lock does not matter.
        @raise StoreError: as L{Database.transaction}.
        """
        now, name = self._utc_now(), _known_form(typed)
        device = [] if visitor is None or visitor.mac is None else [of_device(visitor.gw_id, visitor.mac)]

        async def begin(cursor: Cursor) -> tuple[Account | None, list[str], timedelta | None]:
            account = await fetch_account(cursor, name)
            subjects = [of_account(name if account is None else account.name), *device]
            wait = wait_after(await count_try(cursor, subjects, now, now - TRIES_WINDOW), now)
            if wait is None and source is not None:
                subjects.append(of_source(source))
                tries = await count_try(cursor, subjects[-1:], now, now - TRIES_WINDOW)
                wait = wait_after(tries, now, MOST_FROM_SOURCE)
            return account, subjects, wait

        account, subjects, wait = await self._database.transaction(begin)
        if wait is not None:
            return Refused(Refusal.TOO_MANY_TRIES, wait)
        hashes = (None, None) if account is None else (account.password_hash, account.old_hash)
        try:
            is_right = await self._passwords.verify(hashes[0], password, hashes[1])
        except Overloaded:
            await self._database.transaction(lambda cursor: forgive_try(cursor, subjects))
            return Refused(Refusal.BUSY)
        if account is None or not is_right or (account.disabled and not even_locked):
            return Refused(Refusal.WRONG_PASSWORD)
        await self._database.transaction(lambda cursor: forgive_try(cursor, subjects))
        return account


def _known_form(typed: str) -> str:
    """Bring a name into the form accounts are stored in; one that no account can have becomes empty."""
    name = fold_name(typed)
    return name if len(name) <= LONGEST_NAME and name.isprintable() else ""
