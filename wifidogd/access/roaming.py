"""Guests who go from one gateway of a network to another, and stay online without a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wifidogd.access import throttle
from wifidogd.access.arrivals import roaming_mac
from wifidogd.access.open_session import Admitted
from wifidogd.access.remembered_devices import open_again
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.sessions import LoginQuery, Session, UtcNow
from wifidogd.domain.tokens import hash_secret, hide_token, mint_token
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.roaming import continue_session, find_online
from wifidogd.store.driver.database import Cursor, Database

MOST_WAITING, MOST_WAITING_ON_PAGES, MOST_WAITING_PROVEN = 4, 8, 100
"""
Sessions that may wait for three minutes to continue one session.

Anybody can ask a router's question, or open the login page; each leaves some to the next.
"""

LOOK_UP_WITHIN = timedelta(seconds=0.5)
"""wifidog-ng 1.x waits one second in all, in which the ledger has to have its part."""


@dataclass(frozen=True, slots=True)
class Roamer:
    """
    A guest who may be let in without a page.

    @ivar token: of the session that waits for the gateway's first report.
    @ivar first_login: when the guest got online, at whichever gateway.
    """

    token: str = field(repr=False)
    first_login: datetime


class Roaming:
    """Finds out who has come to another gateway."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        *,
        utc_now: UtcNow,
        mint: Callable[[], str] = mint_token,
    ) -> None:
        self._database = database
        self._registry = registry
        self._utc_now = utc_now
        self._mint = mint

    async def admit(self, gw_id: str, mac: str, *, ip: str | None = None, is_proven: bool) -> Roamer | None:
        """
        Return the token for a device that has come to a gateway.

        It is let in if it is online at one other gateway of the network, or remembered by its MAC; and only where
        nobody else can report a MAC, at both gateways.  Nothing else changes until the gateway reports the token.

        @param is_proven: False if anybody could have asked.
        @return: None for a guest who must see the login page, or is online at this gateway already.
        @raise StoreError: as L{Database.transaction}.
        """
        gateway = self._registry.gateway(gw_id)
        if gateway is None or not gateway.proves_macs:
            return None
        network = self._registry.network(gateway.network)
        if not network.roaming:
            return None
        request = GuestRequest(gateway, network, LoginQuery(gw_id, mac=mac, ip=ip), self._utc_now())
        return await self._database.transaction(
            lambda cursor: self._admit(cursor, request, mac, is_proven=is_proven), deadline=LOOK_UP_WITHIN
        )

    async def _admit(self, cursor: Cursor, request: GuestRequest, mac: str, *, is_proven: bool) -> Roamer | None:
        online = await find_online(cursor, request.network.name, mac)
        live = [session for session in online if goes_on(session, request.now)]
        if live:
            origin = find_origin(live, request.gateway.gw_id, self._proves_macs)
            most = MOST_WAITING_PROVEN if is_proven else MOST_WAITING
            token = await self._continue(cursor, request, origin, most)
            return None if token is None or origin is None else Roamer(token, origin.activated_at or request.now)
        if not request.network.recognizes_macs:
            return None
        if not is_proven:
            counted = await throttle.count(cursor, [throttle.tries_of_device(request.gateway.gw_id, mac)], request.now)
            if counted.wait is not None:
                return None
        admitted = await open_again(cursor, request, mint=self._mint)
        return Roamer(admitted.token, request.now) if isinstance(admitted, Admitted) else None

    async def follow(self, request: GuestRequest) -> Admitted | None:
        """
        Let in a guest at the login page whose device is online at one other gateway of the network.

        The device is what the redirect claims; the token is good only if the gateway reports the same.

        @return: None for others.
        @raise StoreError: as L{Database.transaction}.
        """
        if roaming_mac(request) is None:
            return None

        async def follow(cursor: Cursor) -> Admitted | None:
            online = await find_online(cursor, request.network.name, request.mac or "")
            live = [session for session in online if goes_on(session, request.now)]
            origin = find_origin(live, request.gateway.gw_id, self._proves_macs)
            secret = mint_token()
            token = await self._continue(cursor, request, origin, MOST_WAITING_ON_PAGES, browser_secret=secret)
            return None if token is None else Admitted(token, browser_secret=secret)

        return await self._database.transaction(follow)

    async def _continue(
        self,
        cursor: Cursor,
        request: GuestRequest,
        origin: Session | None,
        most: int,
        *,
        browser_secret: str | None = None,
    ) -> str | None:
        """Make a pending session that continues another, and return its token; None for no other, or too many."""
        if origin is None:
            return None
        token = self._mint()
        is_waiting = await continue_session(
            cursor,
            origin.token_hash,
            hash_secret(token),
            request.gateway.gw_id,
            request.now,
            most=most,
            browser_hash=None if browser_secret is None else hash_secret(browser_secret),
            hidden_token=None if browser_secret is None else hide_token(token, browser_secret),
        )
        return token if is_waiting else None

    def _proves_macs(self, gw_id: str) -> bool:
        gateway = self._registry.gateway(gw_id)
        return gateway is not None and gateway.proves_macs


def goes_on(session: Session, now: datetime) -> bool:
    """Return whether a session that is online would be let go on by its next report, as far as it alone tells."""
    if session.ending is not None:
        return False
    ends = [end for end in (session.expires_at, session.probation_until) if end is not None]
    if any(now >= end for end in ends):
        return False
    return session.quota_octets is None or session.used.total < session.quota_octets


def find_origin(live: Iterable[Session], gw_id: str, proves_macs: Callable[[str], bool]) -> Session | None:
    """
    Return the session that a device continues at a gateway.

    @param live: its sessions in the network.
    @param proves_macs: returns whether the MACs that a gateway reports are believed.
    @return: None if there are several, as of guests behind one repeater, or one at this gateway.
    """
    sessions = list(live)
    if len(sessions) != 1 or sessions[0].gw_id == gw_id or not proves_macs(sessions[0].gw_id):
        return None
    return sessions[0]
