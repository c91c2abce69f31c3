"""
A router with a gateway of one of the families.

It keeps a list of clients, reports on them every interval as its family does, and obeys the answers as docs/protocol.md
6 describes: a client who was refused stays listed, a logout is sent once, and a new token for an online client
continues from the old totals.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from itertools import count
from typing import Any

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.simulation.actors.behaviour import CLIENT_TIMEOUT, SEEMS_LATER
from wifidogd.simulation.actors.listed_client import Access, Client, Device
from wifidogd.simulation.actors.uplink import Uplink
from wifidogd.simulation.actors.websocket_client import WebSocketClient
from wifidogd.simulation.context import Context
from wifidogd.simulation.families.family import MESSAGES, Family, Line, ListingFamily, RoamingFamily
from wifidogd.simulation.oracle.expected import NO_OCTETS
from wifidogd.simulation.oracle.scenarios import ListedDevice
from wifidogd.simulation.transport.clock import SimulationOver


class SimulatedGateway:
    """
    One router and its list of clients.

    @ivar site: how it was adopted.
    """

    def __init__(self, site: Gateway, context: Context, family: Family) -> None:
        self.site = site
        self._family = family
        self._numbers = count(1)
        self._context = context
        self._clients: dict[str, Client] = {}
        self._booted_at = context.clock.now
        self._uplink = Uplink(site.gw_id, family, context)
        self._websocket = WebSocketClient(site, context, self._throw_off, lambda: (self._uptime, self.online))

    @property
    def online(self) -> int:
        """How many clients get through."""
        return sum(client.access is not Access.NONE for client in self._clients.values())

    def threads(self) -> list[Coroutine[Any, Any, None]]:
        """List what the gateway does by itself, each until closing time."""
        threads = [self._check_clients(), self._ping(), self._restart()]
        return [*threads, self._websocket.live()] if self._family.keeps_websocket else threads

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
        return self._family.login_target(self._context.server, self.site, device.ip, device.mac, wanted)

    async def welcome(self, device: Device) -> str | None:
        """Ask whether a device that has joined the Wi-Fi may go on without a page; return its token if so."""
        if self.lets_through(device) or not isinstance(self._family, RoamingFamily):
            return None
        booted_at, listed = self._booted_at, self._listed(device)
        token = await self._uplink.ask_to_roam(self._family, listed, device.ip)
        if token is None:
            return None
        if self._booted_at != booted_at:
            self._context.history.forgotten(listed)
            return None
        now = self._context.clock.now
        client = self._clients[device.mac] = Client(device, token, now, now, next(self._numbers), now)
        client.allow(Access.KNOWN)
        self._note_beginning(listed)
        return token

    async def admit(self, device: Device, token: str) -> str | None:
        """
        Answer a device that comes to C{/wifidog/auth} with a token.

        @return: where it is sent then; None for an error page of the gateway's own.
        """
        now = self._context.clock.now
        client = self._clients.setdefault(device.mac, Client(device, token, now, now))
        client.token, client.number, client.listed_at = token, next(self._numbers), now
        code = await self._say(Stage.LOGIN, client, NO_OCTETS)
        if self._clients.get(device.mac) is not client:
            return None
        if code == AuthCode.ALLOWED:
            client.allow(Access.KNOWN)
            self._note_beginning(self._listed(device))
            return self.portal(device)
        if code == AuthCode.VALIDATION:
            client.allow(Access.PROBATION)
        elif code == AuthCode.DENIED:
            client.access = Access.NONE
        message, server = MESSAGES.get(code), self._context.server
        return None if message is None else self._family.message_target(server, self.site.gw_id, device.mac, message)

    def portal(self, device: Device) -> str:
        """Return where a device is sent that is in."""
        return self._family.portal_target(self._context.server, self.site.gw_id, device.mac)

    async def log_out(self, device: Device) -> None:
        """Answer a device that comes to C{/wifidog/auth} with C{logout}, or an operator who disconnects it."""
        client = self._clients.pop(device.mac, None)
        if client is not None:
            await self._say(Stage.LOGOUT, client, client.totals)

    def _note_beginning(self, listed: ListedDevice) -> None:
        """Take note of a session that nobody will report: the server may take it for one from before a restart."""
        if not self._family.reports_use:
            self._context.history.unreported(listed)
            if self._uptime < SEEMS_LATER:
                self._context.history.forgotten(listed)

    async def settle(self) -> None:
        """Report once more on the clients if the last answer about one is missing."""
        now, clients, history = self._context.clock.now, list(self._clients.values()), self._context.history
        unsure = [client for client in clients if not history.is_certain(self._listed(client.device))]
        if isinstance(self._family, ListingFamily) and unsure:
            await self._uplink.report_list(self._family, [client.line(now) for client in clients])
            return
        # A family that does not count asks about a client again when the guest reloads the page that signed them in.
        stage = Stage.COUNTERS if self._family.reports_use else Stage.LOGIN
        for client in unsure:
            await self._say(stage, client, client.totals)

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
        self._websocket.restart()
        for client in self._clients.values():
            # The server ends what is not reported after a restart, and some families report nobody.
            if is_reboot or not self._family.reports_use:
                self._context.history.forgotten(self._listed(client.device))
            elif self._family.restarts_counting:
                client.number, client.rule, client.totals = next(self._numbers), NO_OCTETS, NO_OCTETS
        if is_reboot:
            self._clients.clear()

    async def _report_all(self) -> None:
        """Report the clients that are listed now, as they stand now."""
        if not self._family.reports_use:
            return
        self._count()
        listed = [(client, client.line(self._context.clock.now)) for client in self._clients.values()]
        if isinstance(self._family, ListingFamily):
            await self._report_together(self._family, listed)
        else:
            await self._report_each(listed)

    async def _report_each(self, listed: Sequence[tuple[Client, Line]]) -> None:
        """Report clients one after another."""
        booted_at = self._booted_at
        for client, line in listed:
            if self._context.clock.is_closed:
                raise SimulationOver
            code = await self._uplink.report(Stage.COUNTERS, line)
            if self._booted_at != booted_at:
                return
            await self._take(client, code)

    async def _report_together(self, family: ListingFamily, listed: Sequence[tuple[Client, Line]]) -> None:
        """Report clients in one list; whoever the answer leaves out is left as they are, even if they are idle."""
        booted_at = self._booted_at
        codes = await self._uplink.report_list(family, [line for _, line in listed])
        for client, line in listed:
            if self._booted_at != booted_at:
                return
            if line.mac in codes and line.token == client.token:
                await self._take(client, codes[line.mac])

    async def _take(self, client: Client, code: int | None) -> None:
        """Do what an answer about a client says, or log out one that has been idle for too long."""
        if self._clients.get(client.device.mac) is not client:
            return
        if self._context.clock.now - client.heard_at >= CLIENT_TIMEOUT * self._context.interval:
            await self.log_out(client.device)
        else:
            self._obey(client, code)

    def _obey(self, client: Client, code: int | None) -> None:
        """Do what an answer to counters says; anything else than these leaves the client as it is."""
        if code in (AuthCode.DENIED, AuthCode.VALIDATION_FAILED):
            del self._clients[client.device.mac]
            self._websocket.miss_kick(self._listed(client.device))
        elif code == AuthCode.ALLOWED and client.access is not Access.KNOWN:
            if client.access is Access.NONE:
                client.totals = NO_OCTETS
            client.allow(Access.KNOWN)

    def _throw_off(self, mac: str, ip: str) -> bool:
        """Take a client off the list as the server says, which is not told any more; return False if there is none."""
        client = self._clients.get(mac)
        if client is not None and client.device.ip == ip:
            del self._clients[mac]
            return True
        return False

    def _count(self) -> None:
        """Read the counters of the firewall."""
        now = self._context.clock.now
        for client in self._clients.values():
            used = client.device.uses(self, now - client.counted_at)
            client.counted_at = now
            if used is not None:
                client.heard_at = now
                client.use(used, self._family.most_at_once)

    async def _say(self, stage: Stage, client: Client, totals: Octets) -> int | None:
        return await self._uplink.report(stage, client.line(self._context.clock.now)._replace(totals=totals))

    def _listed(self, device: Device) -> ListedDevice:
        return ListedDevice(self.site.gw_id, device.mac)
