"""A guest's own data: shown to them, and erased at their wish."""

from __future__ import annotations

from wifidogd.access.open_session import Refused
from wifidogd.access.password_check import PasswordCheck
from wifidogd.domain.guests import Account, StoredData
from wifidogd.domain.sessions import UtcNow
from wifidogd.domain.tokens import hash_secret
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.accounts.accounts import fetch_account_by_id
from wifidogd.store.accounts.personal_data import Owner, erase_past, erase_rest, find_owner, gather
from wifidogd.store.driver.database import Cursor, Database


class PersonalData:
    """
    Shows and erases what is stored about the guest of a token.

    The token of an open session stands for the account that signed in with it
    by password or by the cookie of its device, otherwise for that session
    alone, since a MAC proves nothing.
    """

    def __init__(self, database: Database, passwords: Passwords, *, utc_now: UtcNow) -> None:
        self._database = database
        self._check = PasswordCheck(database, passwords, utc_now=utc_now)

    async def look(self, token: str) -> StoredData | None:
        """
        Return what is stored, or None if the token names no open session.

        @raise StoreError: as L{Database.transaction}.
        """
        token_hash = hash_secret(token)

        async def work(cursor: Cursor) -> StoredData | None:
            owner = await find_owner(cursor, token_hash)
            return None if owner is None else await gather(cursor, token_hash, owner)

        return await self._database.transaction(work)

    async def erase(self, token: str, password: str) -> Refused | None:
        """
        Erase what is stored; times and totals of sessions are kept without a name.

        Tokens can be read on the status page of many routers, so removing an
        account takes its password too.  What a voucher has used up is kept;
        what a device has used is kept without the device.

        @param password: of the account; ignored for a guest without one.
        @return: why it was refused; None when nothing is stored any more, or nothing was.
        @raise StoreError: as L{Database.transaction}.
        """
        token_hash = hash_secret(token)

        async def find(cursor: Cursor) -> tuple[Owner | None, Account | None]:
            owner = await find_owner(cursor, token_hash)
            account_id = None if owner is None else owner.account_id
            return owner, None if account_id is None else await fetch_account_by_id(cursor, account_id)

        owner, account = await self._database.transaction(find)
        if owner is None:
            return None
        if account is not None:
            known = await self._check.identify(account.name, password, even_locked=True)
            if isinstance(known, Refused):
                return known
            while await self._database.transaction(lambda cursor: erase_past(cursor, account.account_id)):
                continue
        await self._database.transaction(lambda cursor: erase_rest(cursor, token_hash, owner))
        return None
