"""Guests who sign in by accepting the terms, or by account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from wifidogd.access.open_session import (
    Admitted,
    Refusal,
    Refused,
    open_account_session,
    open_pending_session,
    refuse_if_online,
)
from wifidogd.access.password_check import PasswordCheck
from wifidogd.access.throttle import forgive, spare
from wifidogd.domain.errors import Overloaded
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import AllowanceOwner
from wifidogd.domain.sessions import UtcNow
from wifidogd.domain.tokens import mint_token
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.accounting.usage import claim_allowance, claim_nobodys
from wifidogd.store.accounts.accounts import upgrade_password
from wifidogd.store.driver.database import Cursor, Database


class AccountSignIn:
    """
    Lets guests in by account, and where nothing but the terms is asked.

    @param mint: makes fresh tokens and keys.
    """

    def __init__(
        self, database: Database, passwords: Passwords, *, utc_now: UtcNow, mint: Callable[[], str] = mint_token
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._check = PasswordCheck(database, passwords, utc_now=utc_now)
        self._utc_now = utc_now
        self._mint = mint

    async def splash(self, request: GuestRequest) -> Admitted | Refused:
        """
        Admit anybody who accepts the terms.

        In a network with a plan the allowance is the device's, so its gateway
        must have named one.  Where anybody could report that device, it is the
        session's alone, or a stranger would spend the allowance of others.

        @raise StoreError: as L{Database.transaction}.
        """
        if request.network.plan is not None and request.mac is None and request.gateway.proves_macs:
            return Refused(Refusal.NO_DEVICE)
        return await self._database.transaction(lambda cursor: open_for_device(cursor, request, mint=self._mint))

    async def account(self, request: GuestRequest, name: str, password: str) -> Admitted | Refused:
        """
        Admit a guest who knows the password of an account.

        The password is checked between two transactions.

        @param name: as L{PasswordCheck.check} takes it, which limits tries.
        @raise StoreError: as L{Database.transaction}.
        """
        identified = await self._check.check(name, password, request=request, source=request.source)
        if isinstance(identified, Refused):
            return identified
        account, counted = identified.account, identified.counted
        upgraded = await self._upgraded(password, request.source) if identified.is_stale else None
        checked = replace(request, now=self._utc_now())

        async def finish(cursor: Cursor) -> Admitted | Refused:
            if upgraded is not None:
                upgrade_password(cursor, account, upgraded)
            outcome = await open_account_session(cursor, checked, account, mint=self._mint)
            forgive(cursor, counted)
            spare(cursor, checked)
            return outcome

        return await self._database.transaction(finish)

    async def _upgraded(self, password: str, source: str | None) -> str | None:
        """
        Hash the right password of an account anew.

        @return: None where there is no time for it now: the next sign-in will do.
        """
        try:
            return await self._passwords.hash(password, source)
        except Overloaded:
            return None


async def open_for_device(cursor: Cursor, request: GuestRequest, *, mint: Callable[[], str]) -> Admitted | Refused:
    """Open a pending session of a guest of whom nothing but the device is known, with the network's plan."""
    if refused := await refuse_if_online(cursor, request):
        return refused
    plan, network = request.network.plan, request.network
    if plan is None:
        return await open_pending_session(cursor, request, usage=None, mint=mint)
    if request.gateway.proves_macs:
        owner = AllowanceOwner(mac=request.mac)
        usage = await claim_allowance(cursor, owner, network.name, plan, request.now)
    else:
        usage = await claim_nobodys(cursor, network.name, plan, request.now)
    return await open_pending_session(cursor, request, usage=usage, mint=mint)
