"""Remembered devices, whose guests come back without a form, until they are forgotten."""

from __future__ import annotations

from collections.abc import Callable

from wifidogd.access.arrivals import RecognizedDevice, fetch_arrival
from wifidogd.access.open_session import (
    Admitted,
    Identity,
    Refusal,
    Refused,
    open_pending_session,
)
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import AllowanceOwner
from wifidogd.domain.tokens import hash_secret, mint_token
from wifidogd.store.access.remembered_devices import forget_device, forget_key
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.driver.database import Cursor, Database


class RememberedDevices:
    """
    Lets remembered devices in, and forgets them.

    @param mint: makes fresh tokens.
    """

    def __init__(self, database: Database, *, mint: Callable[[], str] = mint_token) -> None:
        self._database = database
        self._mint = mint

    async def come_back(self, request: GuestRequest) -> Admitted | Refused | None:
        """
        Let in the device that L{Arrivals<wifidogd.access.arrivals.Arrivals>} recognizes.

        @return: None if its guest must sign in with a form.
        @raise StoreError: as L{Database.transaction}.
        """
        return await self._database.transaction(lambda cursor: open_again(cursor, request, mint=self._mint))

    async def forget(self, *, token: str | None = None, key: str | None = None) -> None:
        """
        Forget a device, by the token of its open session or by the key it has.

        @raise StoreError: as L{Database.transaction}.
        """

        async def forget(cursor: Cursor) -> None:
            if token is not None:
                await forget_device(cursor, hash_secret(token))
            if key is not None:
                forget_key(cursor, hash_secret(key))

        await self._database.transaction(forget)


async def open_again(cursor: Cursor, request: GuestRequest, *, mint: Callable[[], str]) -> Admitted | Refused | None:
    """
    Send a pending session of the device that is recognized.

    @return: None if its guest must sign in with a form.
    """
    arrival = await fetch_arrival(cursor, request)
    if arrival.is_online and not request.even_if_online:
        return Refused(Refusal.ALREADY_ONLINE)
    return None if arrival.recognized is None else await _open(cursor, request, arrival.recognized, mint)


async def _open(
    cursor: Cursor, request: GuestRequest, found: RecognizedDevice, mint: Callable[[], str]
) -> Admitted | Refused:
    device, network = found.device, request.network
    usage, plan = None, device.plan or network.plan
    if plan is not None:
        owner = AllowanceOwner(voucher_id=device.voucher_id, account_id=device.account_id)
        usage = await claim_allowance(cursor, owner, network.name, plan, request.now, valid_until=device.valid_until)
    identity = Identity(device.account_id, device_id=device.device_id, by_mac=found.by_mac)
    return await open_pending_session(cursor, request, identity, usage=usage, mint=mint)
