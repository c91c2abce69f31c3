"""What the reader of a mail may do with its link: confirm an address, or choose a password."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from wifidogd.access.open_session import Refusal, Refused
from wifidogd.access.password_check import PasswordCheck, refuse_password
from wifidogd.accounts.self_service import Outcome, replace_password
from wifidogd.domain.errors import Overloaded
from wifidogd.domain.guests import Account
from wifidogd.domain.sessions import UtcNow
from wifidogd.domain.tokens import hash_secret
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.accounts.accounts import fetch_account_by_id
from wifidogd.store.accounts.confirmations import set_email, validate
from wifidogd.store.accounts.email_links import Link, Purpose, find_link, remove_links, use_link, use_links_like
from wifidogd.store.driver.database import Cursor, Database

_ASKED = {
    Purpose.VALIDATE: Outcome.ASK_CONFIRMATION,
    Purpose.PASSWORD: Outcome.ASK_PASSWORD,
    Purpose.ADDRESS: Outcome.ASK_CONFIRMATION_OF_MOVE,
}


class MailedLinks:
    """
    Does what links are for.

    A link alone confirms nothing, since programs that scan mails open it, and
    since a stranger may have typed the address: whoever confirms an address
    types the password of the account, or chooses another one, which locks the
    stranger out.
    """

    def __init__(self, database: Database, passwords: Passwords, *, utc_now: UtcNow) -> None:
        self._database = database
        self._passwords = passwords
        self._check = PasswordCheck(database, passwords, utc_now=utc_now)
        self._utc_now = utc_now

    async def look(self, secret: str) -> Outcome:
        """
        Return what a link asks for, without using it up; C{USED} or C{NO_LINK} if it asks for nothing.

        @raise StoreError: as L{Database.transaction}.
        """
        link_hash, now = hash_secret(secret), self._utc_now()
        link = await self._database.transaction(lambda cursor: find_link(cursor, link_hash, now))
        if link is None or link.is_used:
            return Outcome.NO_LINK if link is None else Outcome.USED
        return _ASKED[link.purpose]

    async def confirm(self, secret: str, password: str, source: str) -> Outcome | Refused:
        """
        Confirm the address that a link was sent to.

        @param password: of the account, as a guess at which this counts.
        @param source: as in L{PasswordCheck.identify}.
        @raise StoreError: as L{Database.transaction}.
        """
        found = await self._find(secret, Purpose.VALIDATE, Purpose.ADDRESS)
        if isinstance(found, Outcome):
            return found
        known = await self._check.identify(found.name, password, source=source)
        if isinstance(known, Refused):
            return known

        async def confirm(cursor: Cursor) -> Outcome:
            link = await use_link(cursor, hash_secret(secret), self._utc_now())
            return Outcome.USED if link is None else await _confirm(cursor, link, self._utc_now())

        return await self._database.transaction(confirm)

    async def choose_password(self, secret: str, password: str, source: str) -> Outcome | Refused:
        """
        Replace the password of an account by a link that proves the address too.

        The link that was sent for confirmation serves as well: its reader may
        not be who signed up, or may not remember the password.

        @param source: address of the connection.
        @raise StoreError: as L{Database.transaction}.
        """
        if refused := refuse_password(password):
            return refused
        found = await self._find(secret, Purpose.PASSWORD, Purpose.VALIDATE)
        if isinstance(found, Outcome):
            return found
        try:
            password_hash = await self._passwords.hash(password, source)
        except Overloaded:
            return Refused(Refusal.BUSY)

        async def choose(cursor: Cursor) -> Outcome:
            now = self._utc_now()
            link = await use_link(cursor, hash_secret(secret), now)
            account = None if link is None else await fetch_account_by_id(cursor, link.account_id)
            if link is None or account is None:
                return Outcome.USED
            outcome = await replace_password(cursor, account, password_hash)
            await _validate(cursor, link, now)
            return outcome

        return await self._database.transaction(choose)

    async def _find(self, secret: str, *purposes: Purpose) -> Account | Outcome:
        """Return whose a good link is; the outcome if it is not good for any of these purposes."""

        async def find(cursor: Cursor) -> Account | Outcome:
            link = await find_link(cursor, hash_secret(secret), self._utc_now())
            account = None if link is None else await fetch_account_by_id(cursor, link.account_id)
            if link is None or account is None or link.purpose not in purposes:
                return Outcome.NO_LINK
            return Outcome.USED if link.is_used else account

        return await self._database.transaction(find)


async def _confirm(cursor: Cursor, link: Link, now: datetime) -> Outcome:
    if link.purpose is Purpose.VALIDATE:
        return Outcome.VALIDATED if await _validate(cursor, link, now) else Outcome.NO_LINK
    if not await set_email(cursor, link.account_id, link.email, now):
        return Outcome.NO_LINK
    await remove_links(cursor, link.account_id, *Purpose)
    return Outcome.ADDRESS_CHANGED


async def _validate(cursor: Cursor, link: Link, now: datetime) -> bool:
    """Record that the address of a link is its reader's; its other links for confirmation then say that it is done."""
    is_right = await validate(cursor, link.account_id, link.email, now)
    if is_right:
        await use_links_like(cursor, replace(link, purpose=Purpose.VALIDATE), now)
    return is_right
