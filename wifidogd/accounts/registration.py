"""Sign-up: guests make an account with their e-mail address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from wifidogd.access.open_session import Admitted, Refusal, Refused, allowance_for, open_account_stay, open_stay
from wifidogd.access.password_check import PasswordCheck
from wifidogd.accounts.mails import MailComposer, MailKind, Reader
from wifidogd.domain.addresses import neighbourhood, read_mail_address
from wifidogd.domain.decisions import TRIES_WINDOW, wait_after
from wifidogd.domain.errors import Overloaded
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import AllowanceOwner
from wifidogd.domain.sessions import LoginQuery, UtcNow
from wifidogd.domain.tokens import hash_secret, is_acceptable, mint_token
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.access.rate_limits import count_try, forgive_try, of_account, of_sign_ups
from wifidogd.store.accounts.accounts import Account, fetch_account, forget_unvalidated, sign_up
from wifidogd.store.accounts.email_links import forget_links
from wifidogd.store.driver.database import Cursor, Database

MOST_AT_GATEWAY = 1_000
"""Sign-ups at one gateway in a window: so much above the next, that a stranger cannot close it to its guests alone."""

MOST_FROM_SOURCE = 300
"""The same from one source, whichever gateways it names: a conference arrives at a site, a stranger has no more."""

MOST_ON_DEVICE = 5
"""The same on one device, which may belong to a family."""

MOST_TO_ADDRESS = 3
"""Mails that an address can be sent in a window by whoever types it."""

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
        directory: Registry,
        passwords: Passwords,
        correspondence: MailComposer,
        *,
        utc_now: UtcNow,
        mint: Callable[[], str] = mint_token,
    ) -> None:
        """@param mint: makes fresh tokens."""
        self._database = database
        self._directory = directory
        self._passwords = passwords
        self._check = PasswordCheck(database, passwords, utc_now=utc_now)
        self._correspondence = correspondence
        self._utc_now = utc_now
        self._mint = mint

    async def sign_up(
        self,
        gateway: Gateway,
        visitor: LoginQuery,
        typed: str,
        password: str,
        language: str,
        source: str | None = None,
    ) -> Admitted | Refused:
        """
        Make an account and admit its guest for the network's grace period.

        A guest who types address and password of an existing account has pressed the
        button twice, or forgotten that they have one: they are signed in to it.
        Guessing passwords here is limited as it is at the sign-in.

        @param typed: the address.
        @param language: tag of the language of the mail.
        @param source: address of the connection; None for none.
        @raise StoreError: as L{Database.transaction}.
        """
        address = read_mail_address(typed)
        if address is None:
            return Refused(Refusal.NO_ADDRESS)
        if not is_acceptable(password):
            return Refused(Refusal.WEAK_PASSWORD)
        refused = await self._database.transaction(
            lambda cursor: self._begin(cursor, gateway, visitor, address, source)
        )
        if refused is not None:
            return refused
        try:
            password_hash = await self._passwords.hash(password)
            known = await self._check.identify(address, password)
            if isinstance(known, Refused) and known.why is not Refusal.WRONG_PASSWORD:
                return known
            reader = Reader(self._directory.network(gateway.network), language)

            async def finish(cursor: Cursor) -> Admitted | Refused:
                if await sign_up(cursor, address, password_hash, self._utc_now()) is not None:
                    await forgive_try(cursor, [of_account(address)])
                    return await self._welcome(cursor, gateway, visitor, address, reader)
                if isinstance(known, Account):
                    return await self._welcome(cursor, gateway, visitor, known.name, reader)
                return await self._pretend(cursor, gateway, visitor, address, reader)

            return await self._database.transaction(finish)
        except Overloaded:
            return Refused(Refusal.BUSY)

    async def forget(self) -> None:
        """Remove expired links, and accounts whose address was not validated for L{KEEP_UNVALIDATED}."""
        now = self._utc_now()
        count = ROWS
        while count >= ROWS:
            count = await self._database.transaction(lambda cursor: forget_links(cursor, now, ROWS))
        before = now - KEEP_UNVALIDATED
        count = ROWS
        while count >= ROWS:
            count = await self._database.transaction(lambda cursor: forget_unvalidated(cursor, before, ROWS))

    async def _begin(
        self, cursor: Cursor, gateway: Gateway, visitor: LoginQuery, address: str, source: str | None
    ) -> Refused | None:
        """Count the sign-up, which may write a mail."""
        now = self._utc_now()
        limits = [(f"sign-up gateway {gateway.gw_id}", MOST_AT_GATEWAY), (f"mail {address}", MOST_TO_ADDRESS)]
        if source is not None:
            limits.insert(0, (f"sign-up source {neighbourhood(source)}", MOST_FROM_SOURCE))
        if visitor.mac is not None:
            limits.insert(0, (of_sign_ups(gateway.gw_id, visitor.mac), MOST_ON_DEVICE))
        for subject, most in limits:
            wait = wait_after(await count_try(cursor, [subject], now, now - TRIES_WINDOW), now, most)
            if wait is not None:
                return Refused(Refusal.TOO_MANY_TRIES, wait)
        return None

    async def _welcome(
        self, cursor: Cursor, gateway: Gateway, visitor: LoginQuery, name: str, reader: Reader
    ) -> Admitted | Refused:
        """Admit the owner of an account, and write to them if their address is not validated."""
        account = await fetch_account(cursor, name)
        if account is None:
            return Refused(Refusal.BUSY)
        if account.validated_at is None and account.email is not None:
            await self._correspondence.send(cursor, MailKind.VALIDATE, account, account.email, reader)
        return await open_account_stay(
            cursor, gateway, reader.network, visitor, account, now=self._utc_now(), mint=self._mint
        )

    async def _pretend(
        self, cursor: Cursor, gateway: Gateway, visitor: LoginQuery, address: str, reader: Reader
    ) -> Admitted | Refused:
        """Treat somebody who typed a known address as a new guest, and tell its owner."""
        now, network = self._utc_now(), reader.network
        account = await fetch_account(cursor, address)
        if account is not None and account.email == address and not account.disabled:
            await self._correspondence.send(cursor, MailKind.KNOWN, account, address, reader)
        allowance = None
        if network.plan is not None:
            # The address is not kept in the clear: nobody has shown that it is theirs.
            owner = AllowanceOwner(address_hash=hash_secret(address))
            allowance = await allowance_for(cursor, owner, network, network.plan, now)
        return await open_stay(
            cursor,
            gateway,
            network,
            visitor,
            allowance=allowance,
            probation_until=now + network.grace,
            now=now,
            mint=self._mint,
        )
