"""
A router's WebSocket: it says who it is, obeys, and comes back when it is lost (docs/protocol.md 7).

What the router's own timers do goes by real time, since the server's timers do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from wsproto.utilities import generate_nonce

from wifidogd.domain.gateways import Gateway
from wifidogd.simulation.context import Context
from wifidogd.simulation.families import apfree_messages as messages
from wifidogd.simulation.oracle.scenarios import ListedDevice
from wifidogd.simulation.statistics import Kind
from wifidogd.simulation.transport.clock import SimulationOver
from wifidogd.simulation.transport.frames import End, RouterFrames

BACK_AFTER = {End.REFUSED: 2.0, End.ANSWERED: 2.0, End.CLOSED: 3.0, End.LOST: 5.0}
"""Seconds after which a router comes back (docs/protocol.md 7.1)."""

HEARTBEAT = 60.0
"""Simulated seconds between two heartbeats."""

SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT = 6.0, 60.0
"""Real seconds between two at any speed: the server answers one in five seconds, and misses a router after 150."""

KICKED_WITHIN = 3.0
"""Seconds in which the server has a guest thrown off whose session is over; it takes one."""


class _Said(NamedTuple):
    """A greeting that has not been answered yet."""

    op: str
    req_id: str
    at: float


class WebSocketClient:
    """The WebSocket of one router, opened again and again until closing time."""

    def __init__(
        self,
        site: Gateway,
        context: Context,
        throw_off: Callable[[str, str], bool],
        state: Callable[[], tuple[int, int]],
    ) -> None:
        """
        @param throw_off: throws off the client of a MAC and an IP address; returns False if there is none.
        @param state: returns the uptime of the gateway software, in seconds, and how many clients are online.
        """
        self._site = site
        self._context = context
        self._throw_off = throw_off
        self._state = state
        self._frames: RouterFrames | None = None
        self._said: _Said | None = None
        self._greetings = 0
        self._welcome_at: float | None = None
        self._comes_back_at_once = False
        self._denied: set[ListedDevice] = set()

    @property
    def welcome_for(self) -> float:
        """Seconds since the server answered on the connection that is open; 0 without one."""
        is_open = self._frames is not None and self._frames.is_open
        return self._now - self._welcome_at if is_open and self._welcome_at is not None else 0.0

    async def live(self) -> None:
        """Keep the WebSocket open, if there is room for one more."""
        clock = self._context.clock
        if not self._context.client.reserve_websocket():
            return
        clock.when_closed(self._close)
        await clock.sleep(self._context.behaviour.first_report())
        while not clock.is_closed:
            self._comes_back_at_once = False
            end = await self._open()
            if self._said is not None or end in (End.REFUSED, End.ANSWERED):
                self._miss()
            await clock.sleep(0.0 if self._comes_back_at_once else BACK_AFTER[end] * clock.speed)

    def miss_kick(self, device: ListedDevice) -> None:
        """Take note that a report has ended a session, and count the kick that should have come before it."""
        waited = self._context.history.stop_waiting(device) or 0.0
        if min(waited, self.welcome_for) > KICKED_WITHIN:
            self._context.statistics.missed(Kind.KICK)

    def restart(self) -> None:
        """Lose the connection, as all of a router's, and open another at once."""
        self._comes_back_at_once = True
        self._close()

    async def _open(self) -> End:
        self._said, self._welcome_at = None, None
        request = messages.upgrade(self._context.server, generate_nonce().decode())
        self._frames = RouterFrames(request, self._begin, self._hear)
        self._context.client.open(self._frames)
        return await self._frames.ended

    def _begin(self) -> None:
        """Say who we are, and that we are still there once a minute."""
        self._greet("connect")
        beating = Deferred.fromCoroutine(self._beat(self._frames))
        beating.addErrback(lambda failure: failure.trap(SimulationOver))  # type: ignore[unused-awaitable]

    async def _beat(self, frames: RouterFrames | None) -> None:
        clock = self._context.clock
        pause = min(max(HEARTBEAT / clock.speed, SHORTEST_HEARTBEAT), LONGEST_HEARTBEAT)
        while True:
            await clock.sleep(pause * clock.speed)
            if frames is not self._frames or frames is None or not frames.is_open:
                return
            if self._said is not None:
                self._miss()
            self._greet("heartbeat")

    def _greet(self, op: str) -> None:
        self._greetings += 1
        self._said = _Said(op, f"{self._greetings:016x}", self._now)
        uptime, online = self._state()
        if op == "connect":
            text = messages.connect(self._site, self._said.req_id)
        else:
            text = messages.heartbeat(self._site, self._said.req_id, uptime, online)
        assert self._frames is not None
        self._frames.send(text)

    def _hear(self, text: str) -> None:
        """Take what the server says."""
        said = messages.read_message(text)
        if said is None or len(text) > messages.LARGEST_READ:
            self._fault(f"was sent {len(text)} characters, which it cannot read")
            return
        command = messages.read_command(said)
        if command is not None:
            self._obey(command)
        elif self._said is not None and said.get("req_id") == self._said.req_id:
            self._judge(said, self._said)

    def _judge(self, said: Mapping[str, Any], greeting: _Said) -> None:
        """Take the answer to a greeting."""
        self._said = None
        self._context.statistics.took(Kind.WEBSOCKET, self._now - greeting.at)
        if self._welcome_at is None:
            self._welcome_at = self._now
        if not messages.is_welcome(said, greeting.op, self._site.gw_id):
            self._fault(f"was answered {str(said)[:80]!r} to its {greeting.op}")

    def _obey(self, command: messages.Told) -> None:
        assert self._frames is not None
        if command.op != "kickoff" or not messages.is_for(command, self._site.gw_id):
            self._fault(f"was told {str(command.said)[:80]!r}, for which there is no reason")
            self._frames.send(messages.unknown(command))
            return
        mac, ip = command.said["client_mac"].lower(), command.said["client_ip"]
        device = ListedDevice(self._site.gw_id, mac)
        if self._throw_off(mac, ip):
            self._kicked(device)
            self._frames.send(messages.kicked_off(command))
        else:
            self._deny(device)
            self._frames.send(messages.not_found(command))

    def _deny(self, device: ListedDevice) -> None:
        """Take note that a guest is not listed: after the second time the server waits for no log-out."""
        if device in self._denied:
            self._context.history.forgotten(device)
        self._denied ^= {device}

    def _kicked(self, device: ListedDevice) -> None:
        """Enter a kick into the history, which knows whether it is right."""
        history, statistics = self._context.history, self._context.statistics
        statistics.took(Kind.KICK, history.stop_waiting(device) or 0.0)
        if not history.kicked(device):
            statistics.fault(Kind.KICK, f"{device.mac} was thrown off {device.gw_id}, and could stay")

    def _miss(self) -> None:
        """Count a greeting without an answer, unless we have hung up ourselves."""
        if not self._comes_back_at_once and not self._context.clock.is_closed:
            self._context.statistics.missed(Kind.WEBSOCKET)

    def _fault(self, what: str) -> None:
        self._context.statistics.fault(Kind.WEBSOCKET, f"{self._site.gw_id} {what}")

    def _close(self) -> None:
        if self._frames is not None:
            self._frames.close()

    @property
    def _now(self) -> float:
        """Real seconds."""
        return self._context.clock.now / self._context.clock.speed
