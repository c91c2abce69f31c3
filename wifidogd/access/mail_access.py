"""The internet for some minutes, for guests who must read a mail before they can sign in."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum

from wifidogd.domain.addresses import blocks_of
from wifidogd.domain.errors import StoreError
from wifidogd.domain.guests import GuestRequest
from wifidogd.gateways.command_relay import CommandRelay
from wifidogd.store.access.mail_accesses import give_access, take_back_access
from wifidogd.store.driver.database import Cursor, Database

WITHIN = timedelta(hours=1)
"""How long a device must wait for its next minutes."""

MOST_FROM_SOURCE = 30
"""Accesses within that time from one address at a gateway; all its guests may share one."""

MOST_AT_GATEWAY = 60
"""Accesses within that time at a gateway: a device may claim any MAC, so this is what holds."""


class MailOutcome(Enum):
    """What became of a guest's wish to read their mail."""

    OPEN = "open"
    TOO_OFTEN = "too often"
    FAILED = "failed"


class MailAccess:
    """Has a router open the internet to a device, once an hour, where the network offers that."""

    def __init__(self, database: Database, relay: CommandRelay) -> None:
        self._database = database
        self._relay = relay

    async def is_offered(self, request: GuestRequest) -> bool:
        """
        Return whether a guest at the login page can be let out for a while: the gateway's router can be told so.

        @raise StoreUnavailable: as L{Database.transaction}.
        """
        if request.network.mail_access is None or request.mac is None:
            return False
        return await self._relay.is_reachable(request.gateway.gw_id)

    async def open(self, request: GuestRequest) -> MailOutcome:
        """Let a device out for the network's time; what the router did not do is not counted."""
        length, mac = request.network.mail_access, request.mac
        if length is None or mac is None:
            return MailOutcome.FAILED
        try:
            if not await self._database.transaction(lambda cursor: _give(cursor, request, mac)):
                return MailOutcome.TOO_OFTEN
            if await self._relay.open_for(request.gateway.gw_id, mac, length):
                return MailOutcome.OPEN
            await self._database.transaction(lambda cursor: take_back_access(cursor, request.network.name, mac))
        except StoreError:
            return MailOutcome.FAILED
        return MailOutcome.FAILED


async def _give(cursor: Cursor, request: GuestRequest, mac: str) -> bool:
    return await give_access(
        cursor,
        request.network.name,
        mac,
        gw_id=request.gateway.gw_id,
        source="" if request.source is None else blocks_of(request.source)[0],
        now=request.now,
        within=WITHIN,
        most_at_gateway=MOST_AT_GATEWAY,
        most_from_source=MOST_FROM_SOURCE,
    )
