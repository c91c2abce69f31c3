"""What is known of a guest who comes to the login page: online, ended by a limit, remembered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from wifidogd.access.open_session import Refused, refuse_if_online
from wifidogd.domain.guests import EndNotice, GuestRequest, RememberedDevice
from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.access import arrivals
from wifidogd.store.driver.database import Cursor, Database

SHOW_END_FOR = timedelta(hours=1)
"""How long after the end of a session its guest is told of the limit that ended it; longer while it holds."""


@dataclass(frozen=True, slots=True)
class RecognizedDevice:
    """
    A remembered device that may come back.

    @ivar until: when it is no longer remembered.
    @ivar by_mac: True if only the MAC tells which device it is, so that the gateway must report that one.
    """

    device: RememberedDevice
    until: datetime
    by_mac: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """
    A guest at the login page.

    @ivar is_online: True while the device is online at the gateway, as far as its reports show.
    @ivar end_notice: which limit ended its last session, while its guest should know; None for none.
    @ivar is_elsewhere: True while the device is online at one other gateway of the network, whose MACs are believed as
        those of this gateway are.
    @ivar recognized: the remembered device; None for a guest who must sign in with a form.
    """

    is_online: bool = False
    end_notice: EndNotice | None = None
    recognized: RecognizedDevice | None = None
    is_elsewhere: bool = False


class Arrivals:
    """Looks up guests who come to the login page."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look_up(self, request: GuestRequest) -> Arrival:
        """
        Return what is known of a guest.

        @raise StoreError: as L{Database.transaction}.
        """
        if request.mac is None and (request.device_key is None or request.network.remember is None):
            return Arrival()
        return await self._database.transaction(lambda cursor: fetch_arrival(cursor, request))

    async def refuse_if_online(self, request: GuestRequest) -> Refused | None:
        """
        Refuse a guest who is online already, as L{wifidogd.access.open_session.refuse_if_online} does.

        @raise StoreError: as L{Database.transaction}.
        """
        if request.even_if_online or request.mac is None:
            return None
        return await self._database.transaction(lambda cursor: refuse_if_online(cursor, request))


async def fetch_arrival(cursor: Cursor, request: GuestRequest) -> Arrival:
    """Fetch what is known of a guest, in one round trip."""
    network, now, key = request.network, request.now, request.device_key
    found = await arrivals.fetch_arrival(
        cursor,
        request.gateway.gw_id,
        network.name,
        mac=request.mac,
        ip=request.query.ip,
        key_hash=None if key is None or network.remember is None else hash_secret(key),
        remembered_mac=request.mac if network.recognizes_macs and request.gateway.proves_macs else None,
        roaming_mac=roaming_mac(request),
        now=now,
        reported_since=now - 3 * request.gateway.interval,
        ended_since=now - SHOW_END_FOR,
    )
    recognized = recognize(found.by_key, found.by_mac, request)
    return Arrival(found.is_online, found.end_notice, recognized, found.is_elsewhere)


def roaming_mac(request: GuestRequest) -> str | None:
    """Return the device by whose MAC a guest may go on from another gateway; None where a MAC does not do."""
    return request.mac if request.network.roaming and request.gateway.proves_macs else None


def recognize(
    by_key: RememberedDevice | None, by_mac: RememberedDevice | None, request: GuestRequest
) -> RecognizedDevice | None:
    """
    Pick the remembered device that a guest may come back on, if any.

    The key in a cookie is enough.  A MAC is only what a URL claims: a guest
    found by it is let in only if the gateway then reports the same, and
    nobody else can report it.
    """
    until = None if by_key is None else good_until(by_key, request.network)
    if by_key is not None and until is not None and request.now < until:
        return RecognizedDevice(by_key, until)
    until = None if by_mac is None else good_until(by_mac, request.network, by_mac=request.mac)
    if by_mac is not None and until is not None and request.now < until:
        return RecognizedDevice(by_mac, until, by_mac=True)
    return None


def good_until(device: RememberedDevice, network: Network, by_mac: str | None = None) -> datetime | None:
    """
    Return how long a device may come back; what the operator has shortened holds at once.

    @param by_mac: the MAC, if only that tells which device it is.
    @return: None for never: the network no longer offers its way to sign in, say.
    """
    way = SignInMethod.ACCOUNT if device.voucher_id is None else SignInMethod.VOUCHER
    length = network.remember_random if by_mac is not None and is_random(by_mac) else network.remember
    if length is None or network.remember is None or not device.is_welcome or way not in network.methods:
        return None
    return device.remembered_at + min(length, network.remember)


def is_random(mac: str) -> bool:
    """Return whether a device has made up its MAC: it is locally administered (IEEE 802, clause 8.2.2)."""
    return bool(int(mac[:2], 16) & 2)
