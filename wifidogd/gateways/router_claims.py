"""
Which connection is that of a gateway's router: decided in the store, since a router may come to any process.

Whoever names a gateway could otherwise have its guests' addresses told to them, or keep its router from being told
anything.  A gateway with a key is spoken for by whoever shows the key; one without by whoever comes from where its last
ping came from.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wifidogd.domain.gateways import Heartbeat
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.devices import Devices
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.gateways.router_commands import ConnectedRouters, RouterConnection
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.router_connections import (
    ClaimedGateway,
    claim_gateways,
    forget_connections,
    release_gateways,
)

MOST_CLAIMS = 500
"""Gateways that one transaction decides about."""

MOST_WAITING = 100_000
"""Claims that wait for the store; those beyond are made again with the next heartbeat."""


@dataclass(frozen=True, slots=True)
class _Claim:
    connection: RouterConnection
    heartbeat: Heartbeat
    is_keyed: bool


class RouterClaims:
    """
    Decides which connections speak for which gateways, and records it for all processes.

    @ivar routers: those that do.
    """

    def __init__(
        self,
        database: Database,
        routers: ConnectedRouters,
        heartbeats: Heartbeats,
        devices: Devices,
        *,
        server: str,
        clock: IReactorTime,
        utc_now: UtcNow,
    ) -> None:
        """
        @param server: the name of this process among those on the database, the same after a restart.
        """
        self.routers = routers
        self._database = database
        self._heartbeats = heartbeats
        self._devices = devices
        self._server = server
        self._log = RateLimitedLog(Logger(), clock)
        self._utc_now = utc_now
        self._claims: dict[str, _Claim] = {}
        self._released: dict[str, None] = {}
        self._has_begun = False

    def hear(self, connection: RouterConnection, heartbeat: Heartbeat, *, is_keyed: bool) -> None:
        """
        Take what a connection says about an adopted gateway for the gateway's heartbeat, if it is its router's.

        @param is_keyed: whether the gateway has a key, which the connection has shown.
        """
        if self.routers.speaks_for(connection, heartbeat.gw_id):
            self._heartbeats.beat(heartbeat)
            return
        known = self._claims.get(heartbeat.gw_id)
        if len(self._claims) >= MOST_WAITING or (known is not None and known.is_keyed and not is_keyed):
            self._distrust(connection)
            return
        self._claims[heartbeat.gw_id] = _Claim(connection, heartbeat, is_keyed)
        if known is not None and known.connection is not connection:
            self._distrust(known.connection)

    def _distrust(self, connection: RouterConnection) -> None:
        """Count a connection among strangers, unless it speaks for another gateway."""
        if connection.is_open and not self.routers.gw_ids(connection):
            connection.distrust()

    def release(self, connection: RouterConnection, gw_id: str | None = None) -> None:
        """
        Let a connection speak for a gateway no more.

        @param gw_id: None for all its gateways.
        """
        for each in self.routers.gw_ids(connection) if gw_id is None else [gw_id]:
            if self.routers.speaks_for(connection, each):
                self.routers.disconnect(connection, each)
                self._released[each] = None

    async def decide(self) -> None:
        """
        Decide about the claims that have come since the last time; without any, this costs nothing.

        @raise StoreError: as L{Database.transaction}; what was not decided is kept.
        """
        if not self._has_begun:
            await self._database.transaction(lambda cursor: forget_connections(cursor, self._server))
            self._has_begun = True
        while self._claims or self._released:
            claims = dict(list(self._claims.items())[:MOST_CLAIMS])
            released = list(self._released)[:MOST_CLAIMS]
            granted = await self._database.transaction(lambda cursor: self._write(cursor, claims, released))  # noqa: B023
            for gw_id in released:
                self._released.pop(gw_id, None)
            for gw_id, claim in claims.items():
                if self._claims.get(gw_id) is claim:
                    del self._claims[gw_id]
                    self._grant(claim, is_granted=gw_id in granted)

    async def sign_off(self) -> None:
        """Record that no router is connected to this process any more."""
        if self._has_begun:
            await self._database.transaction(lambda cursor: forget_connections(cursor, self._server))

    async def _write(self, cursor: Cursor, claims: dict[str, _Claim], released: list[str]) -> set[str]:
        if released:
            await release_gateways(cursor, self._server, released)
        if not claims:
            return set()
        wanted = [
            ClaimedGateway(gw_id, claim.connection.device_id, claim.connection.source, claim.is_keyed)
            for gw_id, claim in claims.items()
        ]
        return await claim_gateways(cursor, self._server, wanted, self._utc_now())

    def _grant(self, claim: _Claim, *, is_granted: bool) -> None:
        connection, gw_id = claim.connection, claim.heartbeat.gw_id
        if not is_granted:
            self._log.info(
                "{device_id} at {source} is not told anything for {gw_id}, whose pings come from elsewhere: give the "
                "gateway a key",
                device_id=connection.device_id,
                source=connection.source,
                gw_id=gw_id,
            )
            self._distrust(connection)
            return
        if not connection.is_open:
            self._released[gw_id] = None
            return
        self.routers.connect(connection, gw_id)
        self._heartbeats.beat(claim.heartbeat)
        self._devices.learn(connection.device_id, [gw_id], connection.source, connection.key)
