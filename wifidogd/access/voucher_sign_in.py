"""Guests who sign in with a code from paper."""

from __future__ import annotations

from collections.abc import Callable

from wifidogd.access.open_session import (
    Admitted,
    Identity,
    Refusal,
    Refused,
    open_pending_session,
    refuse_if_online,
)
from wifidogd.access.throttle import codes, count, forgive, spare
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.tokens import hash_secret, mint_token
from wifidogd.domain.voucher_codes import read_code
from wifidogd.store.access.vouchers import Voucher, forget_code, lock_voucher
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.driver.database import Cursor, Database


class VoucherSignIn:
    """
    Lets guests in by voucher.

    @param mint: makes fresh tokens and keys.
    """

    def __init__(self, database: Database, *, mint: Callable[[], str] = mint_token) -> None:
        self._database = database
        self._mint = mint

    async def sign_in(self, request: GuestRequest, typed: str) -> Admitted | Refused:
        """
        Admit a guest who has the code of a voucher for the network of this gateway.

        A typo costs no try, and is known without asking the database.  Tries
        count against the device at this gateway, against the source there,
        which all guests of a site may share, and against the gateway.

        @raise StoreError: as L{Database.transaction}.
        """
        code = read_code(typed)
        if code is None:
            return Refused(Refusal.MISTYPED_CODE)
        return await self._database.transaction(lambda cursor: self._try(cursor, request, code))

    async def _try(self, cursor: Cursor, request: GuestRequest, code: str) -> Admitted | Refused:
        if refused := await refuse_if_online(cursor, request):
            return refused
        counted = await count(cursor, codes(request.gateway.gw_id, request.mac, request.source), request.now)
        if counted.wait is not None:
            return Refused(Refusal.TOO_MANY_TRIES, counted.wait)
        voucher = await lock_voucher(cursor, hash_secret(code))
        if voucher is None or voucher.network != request.network.name:
            return Refused(Refusal.UNKNOWN_CODE)
        forgive(cursor, counted)
        spare(cursor, request)
        return Refused(Refusal.REVOKED) if voucher.revoked else await self._open(cursor, request, voucher)

    async def _open(self, cursor: Cursor, request: GuestRequest, voucher: Voucher) -> Admitted | Refused:
        usage = await claim_allowance(
            cursor, voucher.owner, request.network.name, voucher.plan, request.now, valid_until=voucher.valid_until
        )
        identity = Identity(voucher_id=voucher.voucher_id)
        outcome = await open_pending_session(cursor, request, identity, usage=usage, mint=self._mint)
        if isinstance(outcome, Admitted):
            forget_code(cursor, voucher.voucher_id)
        return outcome
