"""
A router with a gateway of one of the families.

It keeps a list of clients, reports on them every interval as its family does, and obeys the answers as docs/protocol.md
6 describes: a client who was refused stays listed, a logout is sent once, and a new token for an online client
continues from the old totals.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.simulation.actors.behaviour import CLIENT_TIMEOUT, ICMP_ECHO
from wifidogd.simulation.actors.listed_client import Access, Client, Device
from wifidogd.simulation.actors.uplink import Uplink
from wifidogd.simulation.context import Context
from wifidogd.simulation.families.family import Counting, Family, Line
from wifidogd.simulation.oracle.expected import NO_OCTETS
from wifidogd.simulation.oracle.history import ListedDevice
from wifidogd.simulation.transport.clock import SimulationOver

MESSAGES: Mapping[int | None, str] = {
    AuthCode.VALIDATION: "activate",
    AuthCode.DENIED: "denied",
    AuthCode.VALIDATION_FAILED: "failed_validation",
}
"""What the server is asked to explain to a guest."""


class SimulatedGateway:
    """
    One router and its list of clients.

    @ivar site: how it was adopted.
    """

    def __init__(self, site: Gateway, context: Context, family: Family) -> None:
        self.site = site
        self._family = family
        self._last_number = 0
        self._context = context
        self._clients: dict[str, Client] = {}
        self._booted_at = context.clock.now
        self._uplink = Uplink(site.gw_id, family, context)

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
        return self._family.login_target(self._context.server, self.site, device.ip, device.mac, wanted)

    async def admit(self, device: Device, token: str) -> str | None:
        """
        Answer a device that comes to C{/wifidog/auth} with a token.

        @return: where it is sent then; None for an error page of the gateway's own.
        """
        now = self._context.clock.now
        client = self._clients.setdefault(device.mac, Client(device, token, now, now))
        client.token, client.number, client.listed_at = token, self._next_number(), now
        code = await self._say(Stage.LOGIN, client, NO_OCTETS)
        if self._clients.get(device.mac) is not client:
            return None
        server, family, gw_id = self._context.server, self._family, self.site.gw_id
        if code == AuthCode.ALLOWED:
            client.allow(Access.KNOWN)
            return family.portal_target(server, gw_id, device.mac)
        if code == AuthCode.VALIDATION:
            client.allow(Access.PROBATION)
        elif code == AuthCode.DENIED:
            client.access = Access.NONE
        message = MESSAGES.get(code)
        return None if message is None else family.message_target(server, gw_id, device.mac, message)

    async def log_out(self, device: Device) -> None:
        """Answer a device that comes to C{/wifidog/auth} with C{logout}, or an operator who disconnects it."""
        client = self._clients.pop(device.mac, None)
        if client is not None:
            await self._say(Stage.LOGOUT, client, client.totals)

    async def settle(self) -> None:
        """Report once more on the clients if the last answer about one is missing."""
        unsure = [
            client
            for client in self._clients.values()
            if not self._context.history.is_certain(self._listed(client.device))
        ]
        if self._family.counting is Counting.LIST and unsure:
            await self._uplink.report_list([self._line(client) for client in self._clients.values()])
            return
        # A family that does not count asks about a client again when the guest reloads the page that signed them in.
        stage = Stage.LOGIN if self._family.counting is Counting.NONE else Stage.COUNTERS
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
        if is_reboot:
            for client in self._clients.values():
                self._context.history.forgotten(self._listed(client.device))
            self._clients.clear()
        elif self._family.restarts_counting:
            for client in self._clients.values():
                client.number, client.rule, client.totals = self._next_number(), NO_OCTETS, NO_OCTETS

    async def _report_all(self) -> None:
        """Report the clients that are listed now, as they stand now."""
        if self._family.counting is Counting.NONE:
            return
        self._count()
        listed = [(client, self._line(client)) for client in self._clients.values()]
        if self._family.counting is Counting.EACH:
            await self._report_each(listed)
        else:
            await self._report_together(listed)

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

    async def _report_together(self, listed: Sequence[tuple[Client, Line]]) -> None:
        """Report clients in one list; whoever the answer leaves out is left as they are, even if they are idle."""
        booted_at = self._booted_at
        codes = await self._uplink.report_list([line for _, line in listed])
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
            most = self._family.most_at_once
            used = Octets(min(used.incoming, most), min(used.outgoing, most))
            client.heard_at = now
            if client.access is not Access.NONE:
                rule, totals = client.rule, client.totals
                client.rule = rule = Octets(
                    rule.incoming + used.incoming + ICMP_ECHO, rule.outgoing + used.outgoing + ICMP_ECHO
                )
                client.totals = Octets(max(totals.incoming, rule.incoming), max(totals.outgoing, rule.outgoing))

    async def _say(self, stage: Stage, client: Client, totals: Octets) -> int | None:
        return await self._uplink.report(stage, self._line(client)._replace(totals=totals))

    def _line(self, client: Client) -> Line:
        online_for = int(self._context.clock.now - client.listed_at)
        return Line(client.device.ip, client.device.mac, client.token, client.totals, client.number, online_for)

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _listed(self, device: Device) -> ListedDevice:
        return ListedDevice(self.site.gw_id, device.mac)
