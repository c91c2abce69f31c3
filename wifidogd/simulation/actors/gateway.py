"""
A router with wifidog-gateway 1.3.0.

It keeps a list of clients, asks about each of them in turn every interval, and obeys the answers as docs/protocol.md 6
describes: a client who was refused stays listed, a logout is sent once, and a new token for an online client continues
from the old totals.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.simulation.actors.behaviour import CLIENT_TIMEOUT, ICMP_ECHO
from wifidogd.simulation.actors.uplink import Uplink
from wifidogd.simulation.context import Context
from wifidogd.simulation.oracle.expected import NO_OCTETS
from wifidogd.simulation.oracle.history import ListedDevice
from wifidogd.simulation.transport import wire
from wifidogd.simulation.transport.clock import SimulationOver


class Device(Protocol):
    """What a gateway sees of a guest."""

    mac: str
    ip: str

    def uses(self, gateway: SimulatedGateway, seconds: float) -> Octets | None:
        """Return the octets of a span of simulated seconds; None for a device that is not there and does not answer."""


class Access(Enum):
    """Which rule of the firewall a client has."""

    NONE = "none"
    PROBATION = "probation"
    KNOWN = "known"


@dataclass(slots=True, eq=False)
class Client:
    """
    A line of the gateway's list.

    @ivar rule: what the firewall's rule for the client has counted; a new rule begins at zero.
    @ivar totals: what is reported, which follows the rule only once that has more (docs/protocol.md 6.6).
    @ivar heard_at: simulated second of the last traffic; C{counted_at} that of the last look.
    """

    device: Device
    token: str
    heard_at: float
    counted_at: float
    access: Access = Access.NONE
    rule: Octets = NO_OCTETS
    totals: Octets = NO_OCTETS

    def allow(self, access: Access) -> None:
        """Make a rule for the client, in place of the last."""
        self.access = access
        self.rule = NO_OCTETS


class SimulatedGateway:
    """
    One router and its list of clients.

    @ivar site: how it was adopted.
    """

    def __init__(self, site: Gateway, context: Context) -> None:
        self.site = site
        self._context = context
        self._clients: dict[str, Client] = {}
        self._booted_at = context.clock.now
        self._uplink = Uplink(site.gw_id, context)

    @property
    def online(self) -> int:
        """How many clients get through."""
        return sum(client.access is not Access.NONE for client in self._clients.values())

    def threads(self) -> list[Coroutine[Any, Any, None]]:
        """List what the gateway does by itself, each until closing time."""
        return [self._check_clients(), self._ping(), self._restart()]

    def lets_through(self, device: Device) -> bool:
        """Return whether a device gets past the firewall."""
        client = self._clients.get(device.mac)
        return client is not None and client.access is not Access.NONE

    def catch(self, device: Device, wanted: str) -> str | None:
        """
        Say where a stranger is sent instead of the page they wanted.

        @return: None while the gateway has nothing to offer but an apology: the server was out of reach for two
            intervals (docs/protocol.md 6.8).
        """
        if self._uplink.cut_off_for >= 2 * self._context.interval:
            return None
        return wire.login_target(self._context.server, self.site, device.ip, device.mac, wanted)

    async def admit(self, device: Device, token: str) -> str | None:
        """
        Answer a device that comes to C{/wifidog/auth} with a token.

        @return: where it is sent then; None for an error page of the gateway's own.
        """
        now = self._context.clock.now
        client = self._clients.setdefault(device.mac, Client(device, token, now, now))
        client.token = token
        code = await self._say(Stage.LOGIN, client.device, token, NO_OCTETS)
        if self._clients.get(device.mac) is not client:
            return None
        if code == AuthCode.ALLOWED:
            client.allow(Access.KNOWN)
            return wire.portal_target(self._context.server, self.site.gw_id)
        if code == AuthCode.VALIDATION:
            client.allow(Access.PROBATION)
            return wire.message_target(self._context.server, "activate")
        if code == AuthCode.DENIED:
            client.access = Access.NONE
            return wire.message_target(self._context.server, "denied")
        if code == AuthCode.VALIDATION_FAILED:
            return wire.message_target(self._context.server, "failed_validation")
        return None

    async def log_out(self, device: Device) -> None:
        """Answer a device that comes to C{/wifidog/auth} with C{logout}, or an operator who disconnects it."""
        client = self._clients.pop(device.mac, None)
        if client is not None:
            await self._say(Stage.LOGOUT, device, client.token, client.totals)

    async def settle(self) -> None:
        """Report once more on each client about whom the last answer is missing."""
        for client in list(self._clients.values()):
            if not self._context.history.is_certain(self._listed(client.device)):
                await self._say(Stage.COUNTERS, client.device, client.token, client.totals)

    async def _check_clients(self) -> None:
        await self._context.clock.sleep(self._context.behaviour.first_report())
        while True:
            await self._report_all()
            await self._context.clock.sleep(self._context.interval)

    async def _ping(self) -> None:
        while True:
            await self._uplink.ping(self._uptime)
            await self._context.clock.sleep(self._context.interval)

    async def _restart(self) -> None:
        while True:
            await self._context.clock.sleep(self._context.behaviour.next_restart())
            self.restart(is_reboot=self._context.behaviour.is_reboot())
            await self._uplink.ping(self._uptime)

    @property
    def _uptime(self) -> int:
        """Real seconds since the start."""
        clock = self._context.clock
        return int((clock.now - self._booted_at) / clock.speed)

    def restart(self, *, is_reboot: bool) -> None:
        """Begin anew, and after a reboot without clients."""
        self._booted_at = self._context.clock.now
        self._context.statistics.restarts += 1
        if is_reboot:
            for client in self._clients.values():
                self._context.history.forgotten(self._listed(client.device))
            self._clients.clear()

    async def _report_all(self) -> None:
        """Report the clients that are listed now, as they stand now, one after another."""
        booted_at = self._booted_at
        self._count()
        for client, token, totals in [(client, client.token, client.totals) for client in self._clients.values()]:
            if self._context.clock.is_closed:
                raise SimulationOver
            code = await self._say(Stage.COUNTERS, client.device, token, totals)
            if self._booted_at != booted_at:
                return
            if self._clients.get(client.device.mac) is not client:
                continue
            if self._context.clock.now - client.heard_at >= CLIENT_TIMEOUT * self._context.interval:
                await self.log_out(client.device)
            else:
                self._obey(client, code)

    def _obey(self, client: Client, code: int | None) -> None:
        """Do what an answer to counters says; anything else than these leaves the client as it is."""
        if code in (AuthCode.DENIED, AuthCode.VALIDATION_FAILED):
            del self._clients[client.device.mac]
        elif code == AuthCode.ALLOWED and client.access is not Access.KNOWN:
            if client.access is Access.NONE:
                client.totals = NO_OCTETS
            client.allow(Access.KNOWN)

    def _count(self) -> None:
        """Read the counters of the firewall."""
        now = self._context.clock.now
        for client in self._clients.values():
            used = client.device.uses(self, now - client.counted_at)
            client.counted_at = now
            if used is None:
                continue
            client.heard_at = now
            if client.access is not Access.NONE:
                rule, totals = client.rule, client.totals
                client.rule = rule = Octets(
                    rule.incoming + used.incoming + ICMP_ECHO, rule.outgoing + used.outgoing + ICMP_ECHO
                )
                client.totals = Octets(max(totals.incoming, rule.incoming), max(totals.outgoing, rule.outgoing))

    async def _say(self, stage: Stage, device: Device, token: str, totals: Octets) -> int | None:
        return await self._uplink.report(stage, device.ip, device.mac, token, totals)

    def _listed(self, device: Device) -> ListedDevice:
        return ListedDevice(self.site.gw_id, device.mac)
