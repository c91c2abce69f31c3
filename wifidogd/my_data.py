"""A guest's own data: shown to them, and erased when they want it gone."""

from __future__ import annotations

from datetime import datetime

from wifidogd.credentials import Passwords, hash_secret
from wifidogd.errors import Overloaded
from wifidogd.model import UtcNow
from wifidogd.opening import Refusal, Refused
from wifidogd.rules import TRIES_WINDOW, wait_after
from wifidogd.store.accounts import Account, fetch_account_by_id
from wifidogd.store.attempts import count_try, forgive_try
from wifidogd.store.database import Cursor, Database
from wifidogd.store.my_data import Owner, Stored, erase_past, erase_rest, find_owner, gather


class MyData:
    """
    Shows and erases what is stored about whoever has a token.

    The token of an open session shows whose it is: the account that signed in
    for it, otherwise that session alone, since a MAC is no proof.
    """

    def __init__(self, database: Database, passwords: Passwords, *, utc_now: UtcNow) -> None:
        self._database = database
        self._passwords = passwords
        self._utc_now = utc_now

    async def look(self, token: str) -> Stored | None:
        """
        Gather what is stored.

        @return: None if the token names no open session.
        @raise StoreError: as L{Database.transaction}.
        """
        token_hash = hash_secret(token)

        async def work(cursor: Cursor) -> Stored | None:
            owner = await find_owner(cursor, token_hash)
            return None if owner is None else await gather(cursor, token_hash, owner)

        return await self._database.transaction(work)

    async def erase(self, token: str, password: str) -> Refused | None:
        """
        Erase it; of stays the times and totals are kept.

        Tokens can be read on the status page of many a router, so removing an
        account takes its password too.  What a device or voucher has used up
        is kept, or erasing would give it a new allowance.

        @param password: of the account; anything for who has signed in without.
        @return: why not; None when nothing is stored any more, or nothing was.
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
            refused = await self._check(account, password)
            if refused is not None:
                return refused
            while await self._database.transaction(lambda cursor: erase_past(cursor, account.account_id)):
                continue
        await self._database.transaction(lambda cursor: erase_rest(cursor, token_hash, owner))
        return None

    async def _check(self, account: Account, password: str) -> Refused | None:
        """Check a password as at the sign-in, with the same limit of tries."""
        now, subjects = self._utc_now(), [f"account {account.name}"]

        async def count(cursor: Cursor) -> list[tuple[int, datetime]]:
            return await count_try(cursor, subjects, now, now - TRIES_WINDOW)

        wait = wait_after(await self._database.transaction(count), now)
        if wait is not None:
            return Refused(Refusal.TOO_MANY_TRIES, wait)
        try:
            is_right = await self._passwords.verify(account.password_hash, password, account.old_hash)
        except Overloaded:
            await self._database.transaction(lambda cursor: forgive_try(cursor, subjects))
            return Refused(Refusal.BUSY)
        if not is_right:
            return Refused(Refusal.WRONG_PASSWORD)
        await self._database.transaction(lambda cursor: forgive_try(cursor, subjects))
        return None
