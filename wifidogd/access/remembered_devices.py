"""Guests whose device is remembered: they come back without a form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from wifidogd.access.open_session import Admitted, Refused, allowance_for, open_stay
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import AllowanceOwner, Network, SignInMethod
from wifidogd.domain.sessions import LoginQuery, UtcNow
from wifidogd.domain.tokens import hash_secret, mint_token
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.remembered_devices import (
    Device,
    attach_device,
    find_by_key,
    find_by_mac,
    find_by_session,
    forget_device,
    forget_key,
    remember_device,
)
from wifidogd.store.driver.database import Cursor, Database


@dataclass(frozen=True, slots=True)
class DeviceCookie:
    """
    What a browser keeps of a device that is remembered.

    @ivar key: 32 of C{[0-9a-z]}; whoever has it is that device.
    @ivar until: when it is no longer good.
    """

    key: str = field(repr=False)
    until: datetime


@dataclass(frozen=True, slots=True)
class Recalled:
    """
    A device that may come in.

    @ivar by_mac: True if only the MAC tells which device it is, so that the gateway must report that one.
    """

    device: Device
    until: datetime
    by_mac: bool = False


class RememberedDevices:
    """
    Remembers devices, finds them again and lets them in.

    A key in a cookie is enough to be found.  A MAC is only what a URL claims:
    who is found by it is let in only if the gateway then reports the same.

    @param mint: makes fresh tokens and keys.
    """

    def __init__(
        self, database: Database, directory: Registry, *, utc_now: UtcNow, mint: Callable[[], str] = mint_token
    ) -> None:
        self._database = database
        self._directory = directory
        self._utc_now = utc_now
        self._mint = mint

    async def remember(self, gateway: Gateway, token: str, old_key: str | None) -> DeviceCookie | None:
        """
        Remember the device that has just signed in by account or voucher.

        @param old_key: what it was remembered by before; no longer good then.
        @return: None if the network remembers nobody.
        @raise StoreError: as L{Database.transaction}.
        """
        network = self._directory.network(gateway.network)
        if network.remember is None:
            return None
        now = self._utc_now()
        keepsake = DeviceCookie(self._mint(), now + network.remember)

        async def remember(cursor: Cursor) -> bool:
            if old_key is not None:
                await forget_key(cursor, hash_secret(old_key))
            key_hash = hash_secret(keepsake.key)
            return await remember_device(
                cursor, hash_secret(token), key_hash, network.name, now=now, until=keepsake.until
            )

        return keepsake if await self._database.transaction(remember) else None

    async def recall(self, gateway: Gateway, visitor: LoginQuery, key: str | None) -> Recalled | None:
        """
        Find the device of a visitor.

        @param key: from its cookie; None for none.
        @return: None if it must sign in with a form.
        @raise StoreError: as L{Database.transaction}.
        """
        network = self._directory.network(gateway.network)
        if network.remember is None or (key is None and not (network.remember_mac and visitor.mac)):
            return None
        return await self._database.transaction(lambda cursor: self._find(cursor, network, visitor, key))

    async def until(self, network: Network, token: str) -> datetime | None:
        """
        Say how long the device of an open session is remembered.

        @return: None if it is not.
        @raise StoreError: as L{Database.transaction}.
        """
        if network.remember is None:
            return None
        device = await self._database.transaction(lambda cursor: find_by_session(cursor, hash_secret(token)))
        until = None if device is None else good_until(device, network)
        return until if until is not None and self._utc_now() < until else None

    async def come_back(self, gateway: Gateway, visitor: LoginQuery, key: str | None) -> Admitted | Refused | None:
        """
        Let a device in that L{recall} finds.

        @return: None if it must sign in with a form.
        @raise StoreError: as L{Database.transaction}.
        """
        network = self._directory.network(gateway.network)

        async def open_again(cursor: Cursor) -> Admitted | Refused | None:
            found = await self._find(cursor, network, visitor, key)
            return None if found is None else await self._open(cursor, gateway, visitor, found)

        return await self._database.transaction(open_again)

    async def forget(self, *, token: str | None = None, key: str | None = None) -> None:
        """
        Forget a device, by the token of its open session or by the key it has.

        @raise StoreError: as L{Database.transaction}.
        """

        async def forget(cursor: Cursor) -> None:
            if token is not None:
                await forget_device(cursor, hash_secret(token))
            if key is not None:
                await forget_key(cursor, hash_secret(key))

        await self._database.transaction(forget)

    async def _find(self, cursor: Cursor, network: Network, visitor: LoginQuery, key: str | None) -> Recalled | None:
        now = self._utc_now()
        if key is not None:
            device = await find_by_key(cursor, network.name, hash_secret(key))
            until = None if device is None else good_until(device, network)
            if device is not None and until is not None and now < until:
                return Recalled(device, until)
        if network.remember_mac and visitor.mac is not None:
            device = await find_by_mac(cursor, network.name, visitor.mac)
            until = None if device is None else good_until(device, network, by_mac=visitor.mac)
            if device is not None and until is not None and now < until:
                return Recalled(device, until, by_mac=True)
        return None

    async def _open(self, cursor: Cursor, gateway: Gateway, visitor: LoginQuery, found: Recalled) -> Admitted | Refused:
        device, now = found.device, self._utc_now()
        network = self._directory.network(gateway.network)
        plan = device.plan or network.plan
        allowance = None
        if plan is not None:
            owner = AllowanceOwner(voucher_id=device.voucher_id, account_id=device.account_id)
            allowance = await allowance_for(cursor, owner, network, plan, now, valid_until=device.valid_until)
        outcome = await open_stay(
            cursor,
            gateway,
            network,
            visitor,
            allowance=allowance,
            account_id=device.account_id,
            is_of_device=found.by_mac,
            now=now,
            mint=self._mint,
        )
        if isinstance(outcome, Admitted):
            await attach_device(cursor, hash_secret(outcome.token), device.device_id)
        return outcome


def good_until(device: Device, network: Network, by_mac: str | None = None) -> datetime | None:
    """
    Say how long a device may come back; what the operator has shortened holds at once.

    @param by_mac: the MAC, if only that tells which device it is.
    @return: None for never: the network no longer offers its way to sign in, say.
    """
    way = SignInMethod.ACCOUNT if device.voucher_id is None else SignInMethod.VOUCHER
    length = network.remember_random if by_mac is not None and is_random(by_mac) else network.remember
    if length is None or network.remember is None or not device.is_welcome or way not in network.methods:
        return None
    return device.remembered_at + min(length, network.remember)


def is_random(mac: str) -> bool:
    """Tell whether a device has made up its MAC: it is locally administered (IEEE 802, clause 8.2.2)."""
    return bool(int(mac[:2], 16) & 2)
