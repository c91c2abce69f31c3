"""Guests who sign in with a code from paper."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from wifidogd.access.open_session import Admitted, Refusal, Refused, allowance_for, open_stay
from wifidogd.domain.addresses import neighbourhood
from wifidogd.domain.decisions import MOST_TRIES, TRIES_WINDOW, wait_after
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import LoginQuery, UtcNow
from wifidogd.domain.tokens import hash_secret, mint_token
from wifidogd.domain.voucher_codes import read_code
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.rate_limits import count_try, forgive_try, of_device
from wifidogd.store.access.vouchers import Voucher, forget_code, lock_voucher
from wifidogd.store.driver.database import Cursor, Database

MOST_TRIES_AT_GATEWAY = 2_500
"""
Codes that do not exist, in one window, of all devices at a gateway.

Who guesses can name any device, so that this is what holds: with a million
vouchers sold, a code is found at one gateway in 140 years on average.
"""

MOST_TRIES_FROM_SOURCE = 250
"""The same from one source at that gateway: so much below, that a stranger cannot close it to its guests alone."""


class VoucherSignIn:
    """
    Lets guests in by voucher.

    @param mint: makes a fresh token.
    """

    def __init__(
        self,
        database: Database,
        directory: Registry,
        *,
        utc_now: UtcNow,
        mint: Callable[[], str] = mint_token,
    ) -> None:
        self._database = database
        self._directory = directory
        self._utc_now = utc_now
        self._mint = mint

    async def sign_in(
        self, gateway: Gateway, visitor: LoginQuery, typed: str, source: str | None = None
    ) -> Admitted | Refused:
        """
        Admit who has the code of a voucher for the network of this gateway.

        A typo costs no try.  Tries count against the device at this gateway,
        against the source there, which all guests of a site may share, and
        against the gateway.

        @param source: address of the connection; None for nobody's.
        @raise StoreError: as L{Database.transaction}.
        """
        code = read_code(typed)
        if code is None:
            return Refused(Refusal.MISTYPED_CODE)
        return await self._database.transaction(lambda cursor: self._try(cursor, gateway, visitor, code, source))

    async def _try(
        self, cursor: Cursor, gateway: Gateway, visitor: LoginQuery, code: str, source: str | None
    ) -> Admitted | Refused:
        now = self._utc_now()
        limits = {f"gateway {gateway.gw_id}": MOST_TRIES_AT_GATEWAY}
        if source is not None:
            limits = {f"codes at {gateway.gw_id} from {neighbourhood(source)}": MOST_TRIES_FROM_SOURCE} | limits
        if visitor.mac is not None:
            limits = {of_device(gateway.gw_id, visitor.mac): MOST_TRIES} | limits
        for subject, most in limits.items():
            wait = wait_after(await count_try(cursor, [subject], now, now - TRIES_WINDOW), now, most)
            if wait is not None:
                return Refused(Refusal.TOO_MANY_TRIES, wait)
        voucher = await lock_voucher(cursor, hash_secret(code))
        if voucher is None or voucher.network != gateway.network:
            return Refused(Refusal.UNKNOWN_CODE)
        await forgive_try(cursor, list(limits))
        if voucher.revoked:
            return Refused(Refusal.REVOKED)
        return await self._open(cursor, gateway, visitor, voucher, now)

    async def _open(
        self, cursor: Cursor, gateway: Gateway, visitor: LoginQuery, voucher: Voucher, now: datetime
    ) -> Admitted | Refused:
        network = self._directory.network(gateway.network)
        allowance = await allowance_for(
            cursor, voucher.owner, network, voucher.plan, now, valid_until=voucher.valid_until
        )
        outcome = await open_stay(cursor, gateway, network, visitor, allowance=allowance, now=now, mint=self._mint)
        if isinstance(outcome, Admitted):
            await forget_code(cursor, voucher.voucher_id)
        return outcome
