"""The devices that share an allowance: a guest sees their own, and can disconnect one from another."""

from __future__ import annotations

from wifidogd.domain.sessions import Reason
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.access.guest_sessions import OtherDevice, disconnect, fetch_companions
from wifidogd.store.driver.database import Database


class OtherDevices:
    """Shows who else is online on a guest's allowance; whose token it is shows whose allowance."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, token: str) -> tuple[OtherDevice, ...]:
        """
        List the other devices of a guest.

        @raise StoreError: as L{Database.transaction}.
        """
        return await self._database.transaction(lambda cursor: fetch_companions(cursor, hash_secret(token)))

    async def disconnect(self, token: str, session_id: int) -> bool:
        """
        Ask for the end of another session of the guest: its gateway's next report ends it.

        @return: False if it is none of theirs, or has ended.
        @raise StoreError: as L{Database.transaction}.
        """
        return await self._database.transaction(
            lambda cursor: disconnect(cursor, hash_secret(token), session_id, Reason.LOGOUT)
        )
