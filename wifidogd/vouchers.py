"""Guests who sign in with a code from paper."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from wifidogd.credentials import hash_secret, mint_token
from wifidogd.directory import Directory
from wifidogd.gateways import Gateway
from wifidogd.model import UtcNow, Visitor
from wifidogd.opening import Admitted, Refusal, Refused, allowance_for, open_stay
from wifidogd.rules import TRIES_WINDOW, wait_after
from wifidogd.store.attempts import count_try, forgive_try, of_device
from wifidogd.store.database import Cursor, Database
from wifidogd.store.vouchers import Voucher, forget_code, lock_voucher
from wifidogd.voucher_codes import read_code

MOST_TRIES_AT_GATEWAY = 500
"""
Codes that do not exist, in one window, of all devices at a gateway.

Who guesses can name any device, so that this is what holds: with a million
vouchers sold, a code is found at one gateway in 700 years on average.
"""


class Vouchers:
    """
    Lets guests in by voucher.

    @param mint: makes a fresh token.
    """

    def __init__(
        self,
        database: Database,
        directory: Directory,
        *,
        utc_now: UtcNow,
        mint: Callable[[], str] = mint_token,
    ) -> None:
        self._database = database
        self._directory = directory
        self._utc_now = utc_now
        self._mint = mint

    async def sign_in(self, gateway: Gateway, visitor: Visitor, typed: str) -> Admitted | Refused:
        """
        Admit who has the code of a voucher for the network of this gateway.

        A typo costs no try.  Tries count against the device at this gateway
        and against the gateway, never against an address, which all guests of
        a site share.

        @raise StoreError: as L{Database.transaction}.
        """
        code = read_code(typed)
        if code is None:
            return Refused(Refusal.MISTYPED_CODE)
        return await self._database.transaction(lambda cursor: self._try(cursor, gateway, visitor, code))

    async def _try(self, cursor: Cursor, gateway: Gateway, visitor: Visitor, code: str) -> Admitted | Refused:
        now = self._utc_now()
        device = [of_device(gateway.gw_id, visitor.mac)] if visitor.mac else []
        site = [f"gateway {gateway.gw_id}"]
        wait = wait_after(await count_try(cursor, device, now, now - TRIES_WINDOW), now)
        if wait is None:
            tries = await count_try(cursor, site, now, now - TRIES_WINDOW)
            wait = wait_after(tries, now, MOST_TRIES_AT_GATEWAY)
        if wait is not None:
            return Refused(Refusal.TOO_MANY_TRIES, wait)
        voucher = await lock_voucher(cursor, hash_secret(code))
        if voucher is None or voucher.network != gateway.network:
            return Refused(Refusal.UNKNOWN_CODE)
        await forgive_try(cursor, device + site)
        if voucher.revoked:
            return Refused(Refusal.REVOKED)
        return await self._open(cursor, gateway, visitor, voucher, now)

    async def _open(
        self, cursor: Cursor, gateway: Gateway, visitor: Visitor, voucher: Voucher, now: datetime
    ) -> Admitted | Refused:
        network = self._directory.network(gateway.network)
        allowance = await allowance_for(
            cursor, voucher.owner, network, voucher.plan, now, valid_until=voucher.valid_until
        )
        outcome = await open_stay(cursor, gateway, network, visitor, allowance=allowance, now=now, mint=self._mint)
        if isinstance(outcome, Admitted):
            await forget_code(cursor, voucher.voucher_id)
        return outcome
