"""What owners of accounts do themselves: follow links, replace forgotten passwords, change password and address."""

from __future__ import annotations

from enum import Enum

from wifidogd.access.open_session import Refusal, Refused
from wifidogd.access.password_check import PasswordCheck
from wifidogd.access.throttle import count, mails_from, mails_to
from wifidogd.accounts.mails import MailComposer, MailKind, Reader
from wifidogd.domain.addresses import read_mail_address
from wifidogd.domain.errors import Overloaded
from wifidogd.domain.guests import Account
from wifidogd.domain.sessions import UtcNow
from wifidogd.domain.tokens import hash_secret, is_acceptable
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.accounts.accounts import (
    fetch_account,
    fetch_account_by_id,
    set_email,
    set_password,
    validate,
)
from wifidogd.store.accounts.email_links import Link, Purpose, find_link, remove_links, use_link
from wifidogd.store.driver.database import Cursor, Database


class Outcome(Enum):
    """What came of a request."""

    MAIL_SENT = "mail sent, if there is such an account"
    VALIDATED = "address validated"
    ADDRESS_CHANGED = "address changed"
    PASSWORD_CHANGED = "password changed"
    ASK_PASSWORD = "a new password is to be chosen"
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
        Send the owner of an address a mail.

        @param kind: L{MailKind.RECOVER} for the user name and a link to choose a new password, or
            L{MailKind.VALIDATE} for the link that validates an address which is not validated yet.
        @param source: address of the browser's connection.
        @raise StoreError: as L{Database.transaction}.
        """
        address = read_mail_address(typed)
        if address is None:
            return Refused(Refusal.NO_ADDRESS)

        async def write(cursor: Cursor) -> Outcome | Refused:
            counted = await count(cursor, [*mails_from(source), mails_to(address)], self._utc_now())
            if counted.wait is not None:
                return Refused(Refusal.TOO_MANY_TRIES, counted.wait)
            account = await fetch_account(cursor, address)
            if account is not None and account.email == address and _may_have(account, kind):
                await self._mails.send(cursor, kind, account, address, reader)
            return Outcome.MAIL_SENT

        try:
            return await self._database.transaction(write)
        except Overloaded:
            return Refused(Refusal.BUSY)

    async def follow(self, secret: str) -> Outcome:
        """
        Do what the link of a mail is for; one for a new password waits for L{choose_password}.

        @raise StoreError: as L{Database.transaction}.
        """
        link_hash, now = hash_secret(secret), self._utc_now()

        async def follow(cursor: Cursor) -> Outcome:
            link = await find_link(cursor, link_hash, now)
            if link is not None and link.purpose is Purpose.PASSWORD:
                return Outcome.ASK_PASSWORD
            link = await use_link(cursor, link_hash, now)
            return Outcome.NO_LINK if link is None else await self._act(cursor, link)

        return await self._database.transaction(follow)

    async def choose_password(self, secret: str, password: str) -> Outcome | Refused:
        """
        Replace the password of an account by the link of a mail, which proves the address too.

        @raise StoreError: as L{Database.transaction}.
        """
        if not is_acceptable(password):
            return Refused(Refusal.WEAK_PASSWORD)
        link_hash, now = hash_secret(secret), self._utc_now()
        if await self._database.transaction(lambda cursor: find_link(cursor, link_hash, now)) is None:
            return Outcome.NO_LINK
        try:
            password_hash = await self._passwords.hash(password)
        except Overloaded:
            return Refused(Refusal.BUSY)

        async def replace(cursor: Cursor) -> Outcome:
            link = await use_link(cursor, link_hash, now)
            account = None if link is None else await fetch_account_by_id(cursor, link.account_id)
            if link is None or account is None or link.purpose is not Purpose.PASSWORD:
                return Outcome.NO_LINK
            await validate(cursor, account.account_id, link.email, now)
            return await _replace_password(cursor, account, password_hash)

        return await self._database.transaction(replace)

    async def change_password(self, name: str, password: str, new: str, source: str | None = None) -> Outcome | Refused:
        """
        Replace the password of an account for a guest who knows the old one.

        @param source: as in L{PasswordCheck.identify}.
        @raise StoreError: as L{Database.transaction}.
        """
        if not is_acceptable(new):
            return Refused(Refusal.WEAK_PASSWORD)
        known = await self._check.identify(name, password, source=source)
        if isinstance(known, Refused):
            return known
        try:
            account, password_hash = known, await self._passwords.hash(new)
        except Overloaded:
            return Refused(Refusal.BUSY)
        return await self._database.transaction(lambda cursor: _replace_password(cursor, account, password_hash))

    async def change_address(
        self, name: str, password: str, typed: str, reader: Reader, source: str | None = None
    ) -> Outcome | Refused:
        """
        Send a link to another address, which becomes the account's once the link is followed.

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
        account = known
        try:
            return await self._database.transaction(lambda cursor: self._move(cursor, account, address, reader))
        except Overloaded:
            return Refused(Refusal.BUSY)

    async def _move(self, cursor: Cursor, account: Account, address: str, reader: Reader) -> Outcome | Refused:
        counted = await count(cursor, [mails_to(address)], self._utc_now())
        if counted.wait is not None:
            return Refused(Refusal.TOO_MANY_TRIES, counted.wait)
        if await fetch_account(cursor, address) is None:
            await self._mails.send(cursor, MailKind.ADDRESS, account, address, reader)
            if account.email is not None:
                await self._mails.send(cursor, MailKind.MOVED, account, account.email, reader)
        return Outcome.MAIL_SENT

    async def _act(self, cursor: Cursor, link: Link) -> Outcome:
        now = self._utc_now()
        if link.purpose is Purpose.VALIDATE:
            if not await validate(cursor, link.account_id, link.email, now):
                return Outcome.NO_LINK
            await remove_links(cursor, link.account_id, Purpose.VALIDATE)
            return Outcome.VALIDATED
        if not await set_email(cursor, link.account_id, link.email, now):
            return Outcome.NO_LINK
        await remove_links(cursor, link.account_id, *Purpose)
        return Outcome.ADDRESS_CHANGED


def _may_have(account: Account, kind: MailKind) -> bool:
    return not account.disabled and (kind is not MailKind.VALIDATE or account.validated_at is None)


async def _replace_password(cursor: Cursor, account: Account, password_hash: str) -> Outcome:
    """Set a password and revoke all links for another password or address, which somebody else may have asked for."""
    await set_password(cursor, account.name, password_hash)
    await remove_links(cursor, account.account_id, Purpose.PASSWORD, Purpose.ADDRESS)
    return Outcome.PASSWORD_CHANGED
