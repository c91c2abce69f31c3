"""Mails to guests: templates give the words, this module the links and how long they work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from enum import Enum
from typing import Protocol

from wifidogd.domain.addresses import LONGEST_STORED, delegation_of, quoted_mail_address, read_mail_address
from wifidogd.domain.errors import Overloaded
from wifidogd.domain.guests import Account
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import UtcNow
from wifidogd.domain.tokens import hash_secret, mint_token
from wifidogd.store.accounts.email_links import Link, Purpose, add_link
from wifidogd.store.accounts.mail_limits import count_mail_to
from wifidogd.store.accounts.outbox import queue_mail
from wifidogd.store.driver.database import Cursor

MOST_LINKS = 5
"""Working links for one purpose of one account; while there are as many, no more mails are sent."""

LIFETIMES = {
    Purpose.VALIDATE: timedelta(hours=24),
    Purpose.PASSWORD: timedelta(hours=1),
    Purpose.ADDRESS: timedelta(hours=24),
}


class MailKind(Enum):
    """What may be written to guests."""

    VALIDATE = "validate"
    KNOWN = "known"
    RECOVER = "recover"
    ADDRESS = "address"
    MOVED = "moved"


_PURPOSES = {
    MailKind.VALIDATE: Purpose.VALIDATE,
    MailKind.KNOWN: Purpose.PASSWORD,
    MailKind.RECOVER: Purpose.PASSWORD,
    MailKind.ADDRESS: Purpose.ADDRESS,
}


class Writer(Protocol):
    """Something that puts mails into words."""

    def write(self, kind: MailKind, language: str, **values: object) -> tuple[str, str]:
        """
        Return the subject, one line, and the text of a mail.

        @param language: tag of one of ours.
        """


@dataclass(frozen=True, slots=True)
class Reader:
    """
    Whom a mail is written to.

    @ivar network: whose guest they are; its title stands as the sender.
    @ivar language: tag of the language they read.
    """

    network: Network
    language: str


class MailComposer:
    """Writes mails into the outbox, with links that work once and not for long."""

    def __init__(
        self,
        writer: Writer,
        *,
        sender: str,
        base: str,
        utc_now: UtcNow,
        mint: Callable[[], str] = mint_token,
    ) -> None:
        """
        @param sender: the address that mails come from.
        @param base: what the secret of a link is appended to; from the operator, never from a browser.
        @param mint: makes fresh secrets.
        """
        self._writer = writer
        self._sender = sender
        self._base = base
        self._utc_now = utc_now
        self._mint = mint

    async def send(
        self,
        cursor: Cursor,
        kind: MailKind,
        account: Account,
        recipient: str,
        reader: Reader,
        *,
        source: str | None = None,
    ) -> bool:
        """
        Queue a mail, to be sent once the transaction is committed.

        @param source: address of the connection that had it written; None when unknown.
        @return: False if the mail is not to be sent: the address is none, as those of accounts from elsewhere may be;
            it was sent too many lately; or L{MOST_LINKS} links of this kind work.
        @raise Overloaded: if too many mails are waiting.
        """
        now, purpose, secret = self._utc_now(), _PURPOSES.get(kind), self._mint()
        if read_mail_address(recipient, LONGEST_STORED) != recipient or not await count_mail_to(cursor, recipient, now):
            return False
        if purpose is not None:
            link = Link(account.account_id, purpose, recipient)
            expires_at = now + LIFETIMES[purpose]
            if not await add_link(cursor, hash_secret(secret), link, now=now, expires_at=expires_at, most=MOST_LINKS):
                return False
        # What a stranger may have chosen, such as the name of an account, is for those only whose address is proven.
        is_proven = account.validated_at is not None and recipient == account.email
        subject, text = self._writer.write(
            kind,
            reader.language,
            title=reader.network.title,
            name=account.name if is_proven else None,
            link=self._base + secret,
            minutes=reader.network.grace // timedelta(minutes=1),
        )
        message = self._compose(recipient, reader, subject, text, now)
        if not await queue_mail(cursor, recipient, message, now, None if source is None else delegation_of(source)):
            raise Overloaded("too many mails are waiting to be sent")
        return True

    def _compose(self, recipient: str, reader: Reader, subject: str, text: str, now: datetime) -> str:
        """
        Return a text with a head; Python's own policy refuses a header with a line end.

        C{Auto-Submitted} keeps vacation responders from answering (RFC 3834).
        """
        message = EmailMessage()
        message["From"] = Address(_one_line(reader.network.title), addr_spec=self._sender)
        message["To"] = quoted_mail_address(recipient)
        message["Subject"] = _one_line(subject)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{self._mint()}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text, cte="quoted-printable")
        message["Content-Language"] = reader.language
        return message.as_string()


def _one_line(text: str) -> str:
    return " ".join(text.split())
