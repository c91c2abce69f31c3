"""Devices without a browser that an operator lets in, over the WebSocket of their router."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum

from wifidogd.access.open_session import Admitted, Refused
from wifidogd.access.sign_in import open_for_device
from wifidogd.domain.decisions import FIRST_USE_WITHIN
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.sessions import LoginQuery, UtcNow
from wifidogd.domain.tokens import mint_token
from wifidogd.gateways.command_relay import CommandRelay
from wifidogd.gateways.registry import Registry
from wifidogd.store.driver.database import Database


class NotAdmitted(Enum):
    """Why an operator cannot let a device in."""

    UNKNOWN_GATEWAY = "the gateway is not adopted"
    NO_KEY = "the gateway has no key, and its token could be told to anybody"
    RARE_REPORTS = "the gateway reports too rarely to name the token in time"
    NOT_CONNECTED = "the router keeps no WebSocket open"
    NOT_CONFIRMED = "the router refused, or did not reply"


class DeviceAdmission:
    """
    Lets a device in with the plan of its network, as a guest who only accepts the terms, and without accepting them.

    The session is pending until the router's next counters report names its
    token.  One that the router has not confirmed lapses like any token that is never used.

    @param mint: makes fresh tokens.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        relay: CommandRelay,
        *,
        utc_now: UtcNow,
        mint: Callable[[], str] = mint_token,
    ) -> None:
        self._database = database
        self._registry = registry
        self._relay = relay
        self._utc_now = utc_now
        self._mint = mint

    async def admit(self, gw_id: str, mac: str, ip: str) -> NotAdmitted | Refused | None:
        """
        Let a device in.

        @param ip: exactly as the router lists the device, or it could not be thrown off again.
        @return: None once it is in, as far as the router says; or why it is not.
        @raise StoreError: as L{Database.transaction}.
        """
        gateway = self._registry.gateway(gw_id)
        if gateway is None:
            return NotAdmitted.UNKNOWN_GATEWAY
        if not gateway.key_hashes:
            return NotAdmitted.NO_KEY
        if gateway.interval >= FIRST_USE_WITHIN:
            return NotAdmitted.RARE_REPORTS
        if not await self._relay.is_reachable(gw_id):
            return NotAdmitted.NOT_CONNECTED
        network = replace(self._registry.network(gateway.network), terms={})
        request = GuestRequest(gateway, network, LoginQuery(gw_id, mac=mac, ip=ip), self._utc_now())
        opened = await self._database.transaction(lambda cursor: open_for_device(cursor, request, mint=self._mint))
        if not isinstance(opened, Admitted):
            return opened
        return None if await self._relay.admit(gw_id, mac, ip, opened.token) else NotAdmitted.NOT_CONFIRMED
