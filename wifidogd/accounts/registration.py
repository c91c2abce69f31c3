"""Sign-up: guests make an account with their e-mail address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from wifidogd.access.open_session import (
    Admitted,
    Identity,
    Refusal,
    Refused,
    open_account_session,
    open_pending_session,
    refuse_if_online,
)
from wifidogd.access.password_check import PasswordCheck, refuse_password
from wifidogd.access.throttle import count, sign_ups
from wifidogd.accounts.mails import MailComposer, MailKind, Reader
from wifidogd.domain.addresses import delegation_of, read_mail_address
from wifidogd.domain.errors import Overloaded
from wifidogd.domain.guests import Account, GuestRequest
from wifidogd.domain.plans import AllowanceOwner
from wifidogd.domain.sessions import UtcNow
from wifidogd.domain.tokens import hash_secret, mint_token
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.accounts.accounts import fetch_account
from wifidogd.store.accounts.confirmations import forget_unvalidated, sign_up
from wifidogd.store.accounts.email_links import forget_links
from wifidogd.store.accounts.mail_limits import forget_counts
from wifidogd.store.accounts.probations import KEPT, begin_probation, forget_probations
from wifidogd.store.driver.database import Cursor, Database

KEEP_UNVALIDATED = timedelta(days=7)
"""How long an account is kept whose address was never validated."""

ROWS = 500


class Registration:
    """
    Makes accounts, and admits their guests at once, on probation.

    Nobody learns here whether an address is known: a guest who types a known one
    is admitted for as long as any other, and the mail tells its owner the rest.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        mails: MailComposer,
        *,
        utc_now: UtcNow,
        mint: Callable[[], str] = mint_token,
    ) -> None:
        """@param mint: makes fresh tokens."""
        self._database = database
        self._passwords = passwords
        self._check = PasswordCheck(database, passwords, utc_now=utc_now)
        self._mails = mails
        self._utc_now = utc_now
        self._mint = mint

    async def sign_up(self, request: GuestRequest, typed: str, password: str, language: str) -> Admitted | Refused:
        """
        Make an account and admit its guest for the network's grace period.

        A guest who types address and password of an existing account has pressed the
        button twice, or forgotten that they have one: they are signed in to it.
        Guessing passwords here is limited as it is at the sign-in.

        @param typed: the address.
        @param language: tag of the language of the mail.
        @raise StoreError: as L{Database.transaction}.
        """
        address = read_mail_address(typed)
        if address is None:
            return Refused(Refusal.NO_ADDRESS)
        if refused := refuse_password(password):
            return refused
        refused = await self._database.transaction(lambda cursor: self._begin(cursor, request))
        if refused is not None:
            return refused
        try:
            password_hash = await self._passwords.hash(password, request.source)
            known = await self._check.identify(address, password, asker=request.source)
            if isinstance(known, Refused) and known.why is not Refusal.WRONG_PASSWORD:
                return known
            reader = Reader(request.network, language)
            checked = replace(request, now=self._utc_now())

            async def finish(cursor: Cursor) -> Admitted | Refused:
                if isinstance(known, Account):
                    return await self._welcome(cursor, checked, known.name, reader)
                source = None if checked.source is None else delegation_of(checked.source)
                began_at = await begin_probation(cursor, address, checked.mac, checked.now, source)
                if began_at is None:
                    await self._tell_owner(cursor, checked, address, reader)
                    return Refused(Refusal.UNCONFIRMED_TOO_OFTEN)
                if await sign_up(cursor, address, password_hash, began_at) is not None:
                    return await self._welcome(cursor, checked, address, reader)
                await self._tell_owner(cursor, checked, address, reader)
                return await self._pretend(cursor, checked, address, began_at)

            return await self._database.transaction(finish)
        except Overloaded:
            return Refused(Refusal.BUSY)

    async def forget(self) -> None:
        """Remove expired links and counts, and accounts whose address was not validated for L{KEEP_UNVALIDATED}."""
        now = self._utc_now()
        for work, instant in (
            (forget_links, now),
            (forget_counts, now),
            (forget_probations, now - KEPT),
            (forget_unvalidated, now - KEEP_UNVALIDATED),
        ):
            count = ROWS
            while count >= ROWS:
                count = await self._database.transaction(partial(_forget, work, instant))

    async def _begin(self, cursor: Cursor, request: GuestRequest) -> Refused | None:
        """Refuse a guest who is online already, and count the sign-up."""
        if refused := await refuse_if_online(cursor, request):
            return refused
        subjects = sign_ups(request.gateway.gw_id, request.mac, request.source)
        counted = await count(cursor, subjects, self._utc_now())
        return None if counted.wait is None else Refused(Refusal.TOO_MANY_TRIES, counted.wait)

    async def _welcome(self, cursor: Cursor, request: GuestRequest, name: str, reader: Reader) -> Admitted | Refused:
        """Admit the owner of an account, and write to them if their address is not validated."""
        account = await fetch_account(cursor, name)
        if account is None:
            return Refused(Refusal.BUSY)
        if account.validated_at is None and account.email is not None:
            await self._mails.send(cursor, MailKind.VALIDATE, account, account.email, reader, source=request.source)
        return await open_account_session(cursor, request, account, mint=self._mint)

    async def _tell_owner(self, cursor: Cursor, request: GuestRequest, address: str, reader: Reader) -> None:
        """Write to the owner of a known address that somebody has signed up with it, if there is one."""
        account = await fetch_account(cursor, address)
        if account is not None and account.email == address and not account.disabled:
            await self._mails.send(cursor, MailKind.KNOWN, account, address, reader, source=request.source)

    async def _pretend(
        self, cursor: Cursor, request: GuestRequest, address: str, began_at: datetime
    ) -> Admitted | Refused:
        """Treat somebody who typed a known address as a new guest, whose grace began then."""
        now, network, usage = request.now, request.network, None
        if now >= began_at + network.grace:
            return Refused(Refusal.NOT_VALIDATED)
        if network.plan is not None:
            # The address is not kept in the clear: nobody has shown that it is theirs.
            owner = AllowanceOwner(address_hash=hash_secret(address))
            usage = await claim_allowance(cursor, owner, network.name, network.plan, now)
        identity = Identity(probation_until=began_at + network.grace)
        return await open_pending_session(cursor, request, identity, usage=usage, mint=self._mint)


async def _forget(work: Callable[[Cursor, datetime, int], Awaitable[int]], instant: datetime, cursor: Cursor) -> int:
    return await work(cursor, instant, ROWS)
