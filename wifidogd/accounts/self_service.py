"""What owners of accounts do themselves: ask for a mail again, change password and address."""

from __future__ import annotations

from enum import Enum

from wifidogd.access.open_session import Refusal, Refused
from wifidogd.access.password_check import PasswordCheck, refuse_password
from wifidogd.access.throttle import count, mails_from
from wifidogd.accounts.mails import MailComposer, MailKind, Reader
from wifidogd.domain.addresses import read_mail_address
from wifidogd.domain.errors import Overloaded
from wifidogd.domain.guests import Account
from wifidogd.domain.sessions import UtcNow
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.accounts.accounts import fetch_account, set_password
from wifidogd.store.accounts.email_links import Purpose, remove_links
from wifidogd.store.accounts.mail_limits import PAUSE, count_mail_of
from wifidogd.store.driver.database import Cursor, Database


class Outcome(Enum):
    """What came of a request."""

    MAIL_SENT = "mail sent, if there is such an account"
    VALIDATED = "address validated"
    ADDRESS_CHANGED = "address changed"
    PASSWORD_CHANGED = "password changed"
    ASK_CONFIRMATION = "the address is to be confirmed"
    ASK_CONFIRMATION_OF_MOVE = "the new address is to be confirmed"
    ASK_PASSWORD = "a new password is to be chosen"
    USED = "what the link is for has been done"
    NO_LINK = "no link that is good"


class SelfService:
    """
    Does what owners ask for, once they have shown that the account is theirs.

    Only the reader of an address's mail learns whether the address is known.
    """

    def __init__(self, database: Database, passwords: Passwords, mails: MailComposer, *, utc_now: UtcNow) -> None:
        self._database = database
        self._passwords = passwords
        self._check = PasswordCheck(database, passwords, utc_now=utc_now)
        self._mails = mails
        self._utc_now = utc_now

    async def write_again(self, kind: MailKind, typed: str, reader: Reader, source: str) -> Outcome | Refused:
        """
        Send the owner of an address a mail, unless they were sent too many lately; the answer is the same.

        @param kind: L{MailKind.RECOVER} for the user name and a link to choose a new password, or
            L{MailKind.VALIDATE} for the link that validates an address which is not validated yet.
        @param source: address of the browser's connection.
        @raise StoreError: as L{Database.transaction}.
        """
        address = read_mail_address(typed)
        if address is None:
            return Refused(Refusal.NO_ADDRESS)

        async def write(cursor: Cursor) -> Outcome | Refused:
            counted = await count(cursor, mails_from(source), self._utc_now())
            if counted.wait is not None:
                return Refused(Refusal.TOO_MANY_TRIES, counted.wait)
            account = await fetch_account(cursor, address)
            if account is not None and account.email == address and _may_have(account, kind):
                await self._mails.send(cursor, kind, account, address, reader, source=source)
            return Outcome.MAIL_SENT

        try:
            return await self._database.transaction(write)
        except Overloaded:
            return Refused(Refusal.BUSY)

    async def change_password(self, name: str, password: str, new: str, source: str | None = None) -> Outcome | Refused:
        """
        Replace the password of an account for a guest who knows the old one.

        @param source: as in L{PasswordCheck.identify}.
        @raise StoreError: as L{Database.transaction}.
        """
        if refused := refuse_password(new):
            return refused
        known = await self._check.identify(name, password, source=source)
        if isinstance(known, Refused):
            return known
        try:
            account, password_hash = known, await self._passwords.hash(new, source)
        except Overloaded:
            return Refused(Refusal.BUSY)
        return await self._database.transaction(lambda cursor: replace_password(cursor, account, password_hash))

    async def change_address(
        self, name: str, password: str, typed: str, reader: Reader, source: str | None = None
    ) -> Outcome | Refused:
        """
        Send a link to another address, which becomes the account's once it is confirmed there.

        An account whose present address is not confirmed cannot have any written to.

        @param typed: the new address; if it belongs to somebody, nothing is sent and nobody is told.
        @param source: as in L{PasswordCheck.identify}.
        @raise StoreError: as L{Database.transaction}.
        """
        address = read_mail_address(typed)
        if address is None:
            return Refused(Refusal.NO_ADDRESS)
        known = await self._check.identify(name, password, source=source)
        if isinstance(known, Refused):
            return known
        if known.validated_at is None:
            return Refused(Refusal.UNCONFIRMED)
        account = known
        try:
            return await self._database.transaction(lambda cursor: self._move(cursor, account, address, reader, source))
        except Overloaded:
            return Refused(Refusal.BUSY)

    async def _move(
        self, cursor: Cursor, account: Account, address: str, reader: Reader, source: str | None
    ) -> Outcome | Refused:
        now = self._utc_now()
        if source is not None and (counted := await count(cursor, mails_from(source), now)).wait is not None:
            return Refused(Refusal.TOO_MANY_TRIES, counted.wait)
        if not await count_mail_of(cursor, account.account_id, now):
            return Refused(Refusal.TOO_MANY_TRIES, PAUSE)
        if await fetch_account(cursor, address) is not None:
            return Outcome.MAIL_SENT
        is_sent = await self._mails.send(cursor, MailKind.ADDRESS, account, address, reader, source=source)
        if is_sent and account.email is not None:
            await self._mails.send(cursor, MailKind.MOVED, account, account.email, reader, source=source)
        return Outcome.MAIL_SENT


def _may_have(account: Account, kind: MailKind) -> bool:
    return not account.disabled and (kind is not MailKind.VALIDATE or account.validated_at is None)


async def replace_password(cursor: Cursor, account: Account, password_hash: str) -> Outcome:
    """Set a password and revoke all links for another password or address, which somebody else may have asked for."""
    await set_password(cursor, account.name, password_hash)
    await remove_links(cursor, account.account_id, Purpose.PASSWORD, Purpose.ADDRESS)
    return Outcome.PASSWORD_CHANGED
