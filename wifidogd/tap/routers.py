"""Makes what speaks to routers that keep a connection open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.application.internet import TimerService

from wifidogd.accounting.kickoffs import LOOK_FOR_OVER, Kickoffs
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.command_relay import LOOK_FOR_COMMANDS, CommandRelay
from wifidogd.gateways.devices import Devices
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.gateways.registry import Registry
from wifidogd.gateways.router_claims import RouterClaims
from wifidogd.gateways.router_commands import ConnectedRouters
from wifidogd.runtime.timers import every
from wifidogd.store.driver.database import Database
from wifidogd.web.gateway.websocket.resource import RouterSockets, WebSocketPages


@dataclass(frozen=True, slots=True)
class Routers:
    """
    What speaks to routers.

    @ivar claims: decides which connections speak for which gateways.
    @ivar pages: answers requests for WebSockets.
    """

    claims: RouterClaims
    sockets: RouterSockets
    kickoffs: Kickoffs
    relay: CommandRelay
    pages: WebSocketPages

    async def decide(self) -> None:
        """
        Decide which connections speak for gateways.

        @raise StoreError: as L{RouterClaims.decide}.
        """
        self.sockets.hear_early()
        await self.claims.decide()

    def timers(self, clock: Any) -> list[TimerService]:
        """Make the timers by which routers learn what they must be told."""
        return [
            every(LOOK_FOR_OVER, self.decide, clock=clock, name="noting which routers are connected"),
            every(LOOK_FOR_COMMANDS, self.relay.take, clock=clock, name="taking commands for routers"),
            every(LOOK_FOR_OVER, self.kickoffs.look, clock=clock, name="telling routers whose session is over"),
        ]


def make_routers(
    database: Database,
    registry: Registry,
    heartbeats: Heartbeats,
    devices: Devices,
    *,
    server: str,
    clock: Any,
    utc_now: UtcNow,
) -> Routers:
    """
    Make what speaks to routers.

    @param server: the name of this process among those on the database, the same after a restart.
    """
    routers = ConnectedRouters()
    claims = RouterClaims(database, routers, heartbeats, devices, server=server, clock=clock, utc_now=utc_now)
    sockets = RouterSockets(registry, claims, devices, clock=clock, utc_now=utc_now)
    kickoffs = Kickoffs(database, routers, server=server, clock=clock, utc_now=utc_now)
    relay = CommandRelay(database, registry, routers, server=server, clock=clock, utc_now=utc_now)
    return Routers(claims, sockets, kickoffs, relay, WebSocketPages(sockets))
