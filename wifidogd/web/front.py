"""The front door: which room a path leads to, and how many may come in at once."""

from __future__ import annotations

import os
import resource
from functools import partial
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.tcp import Port
from twisted.web.http import datetimeToString
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from wifidogd.deadlines import Deadlines
from wifidogd.model import UtcNow
from wifidogd.web.channel import REQUEST_DEADLINE, Channel
from wifidogd.web.request import WholeRequest
from wifidogd.web.stragglers import Stragglers
from wifidogd.web.turnstile import Turnstile

MOST_CONNECTIONS = 10_000
SPARE_DESCRIPTORS = 64
"""Descriptors left to the database, the log and everything else."""

MOST_OCTETS = 64 * 1024
"""Largest body of a request."""

MOST_HELD = 200_000
"""Octets that are held for a connection at worst: a body or requests ahead, and answers that are not taken."""

_MACHINE_NAMES = (b"ping", b"auth")
_HEALTH = [b"healthz"]
_NOWHERE = [b"nowhere"]
_UNASKED = 1.0
"""Seconds in which somebody who has come in may still ask for something when the server closes."""

_TAKEN = 0.25
"""Seconds for the last answers to be taken."""

_LOOK = 0.02
_SILENT, _SLOW = 1.0, 5.0
"""Seconds after which clients make room for others if there is none: who does not ask, and who takes no answer."""

_PRESS = 0.25
"""Seconds between two looks whether somebody has become one of them."""

_FEW = 12
_ROUND = _FEW + 20
"""Connections that one round of accepting may bring after it should have paused; see L{Front.make_room}."""


class Front(Site):
    """
    Leads requests to gateway pages, guest pages or health, and bounds what clients may hold.

    When as many connections are open as there may be, the listening ports
    pause: clients wait in the kernel's backlog, and nothing spins.  Who has
    kept us waiting the longest then makes room, long before the deadline.

    @ivar silent: connections on which nothing has been asked yet.
    @ivar slow: connections on which an answer is to be taken.
    @ivar is_closing: whether each client gets one more answer at most.
    """

    protocol = Channel  # type: ignore[assignment]

    def __init__(
        self,
        gateway: IResource,
        guest: IResource,
        health: IResource,
        *,
        path: str,
        clock: IReactorTime,
        utc_now: UtcNow,
        most_connections: int | None = None,
        most_octets: int = MOST_OCTETS,
    ) -> None:
        """
        @param path: under which the server is reached, with slashes around.
        @param most_connections: None for as many as descriptors and memory allow, up to L{MOST_CONNECTIONS}.
        """
        super().__init__(
            guest, requestFactory=WholeRequest, timeout=REQUEST_DEADLINE, reactor=clock, parsePOSTFormSubmission=False
        )
        self._gateway = gateway
        self._guest = guest
        self._health = health
        self._turnstile = Turnstile(clock=clock)
        self.deadlines: Deadlines[Channel] = Deadlines(Channel.overdue, step=1.0, clock=clock)
        self.silent: Stragglers[Channel] = Stragglers(_SILENT, clock)
        self.slow: Stragglers[Channel] = Stragglers(_SLOW, clock)
        self._pressing: IDelayedCall | None = None
        self._clock = clock
        self._utc_now = utc_now
        self._dated, self._date = -1, b""
        self._prefix = _named(path.encode())
        self._most = most_connections or _most_here()
        self._pause_at = max(1, self._most - _ROUND)
        self._channels: set[Channel] = set()
        self._ports: list[Port] = []
        self.most_octets = most_octets
        self.is_closing = False

    def watch(self, port: IListeningPort) -> None:
        """Pause accepting on this port while the house is full."""
        if isinstance(port, Port):
            port.numberAccepts = _FEW
            self._ports.append(port)

    def date(self) -> bytes:
        """Say what time it is, or was a second ago, as HTTP has it."""
        now = int(self._clock.seconds())
        if now != self._dated:
            self._dated, self._date = now, datetimeToString(self._utc_now().timestamp())
        return self._date

    def figures(self) -> dict[str, int]:
        """Count C{clients} that are connected."""
        return {"clients": len(self._channels)}

    @property
    def keeps_connections(self) -> bool:
        """Whether clients may ask again on the same connection: not in a house that closes, or is nearly full."""
        return not self.is_closing and 4 * len(self._channels) < 3 * self._pause_at

    def take_in(self) -> None:
        """Accept who waits at the ports; they would be turned away when those close."""
        for port in self._listening():
            known = -1
            while known < len(self._channels) < self._pause_at:
                known = len(self._channels)
                port.doRead()

    async def drain(self, seconds: float) -> None:
        """
        Answer who has come in, for some time at most, and see that they take it.

        Who does not ask within L{_UNASKED} is sent away.
        """
        self.is_closing = True
        for channel in self._channels:
            channel.end_with_answer()
        began = self._clock.seconds()
        while unserved := [channel for channel in self._channels if not channel.is_served]:
            passed = self._clock.seconds() - began
            if passed >= seconds:
                return
            for channel in unserved:
                if passed >= _UNASKED and not channel.has_asked:
                    channel.loseConnection()
            await deferLater(self._clock, _LOOK)
        until = self._clock.seconds() + _TAKEN
        while self._channels and self._clock.seconds() < until:
            await deferLater(self._clock, _LOOK)

    def make_room(self, channel: Channel) -> bool:
        """
        Count a connection; False if there is no room for it.

        A port accepts C{numberAccepts} in one round, whatever happens
        meanwhile, and raises that by 20 after each full round
        (C{twisted.internet.tcp.Port.doRead}); reset here, it never gets
        beyond L{_ROUND}.
        """
        self._channels.add(channel)
        for port in self._ports:
            port.numberAccepts = _FEW
        if len(self._channels) >= self._pause_at:
            self._pause()
        return len(self._channels) <= self._most

    def free_room(self, channel: Channel) -> None:
        """Forget a connection."""
        self._channels.discard(channel)
        if len(self._channels) == self._pause_at - 1:
            self._resume()

    def lead(self, request: WholeRequest) -> None:
        """Have a request answered where its path leads, guests by turns."""
        room = self.getResourceFor(request)
        if room is self._guest:
            self._turnstile.enter(request, partial(request.answer, room))
        else:
            request.answer(room)

    def getResourceFor(self, request: Request) -> IResource:
        """
        Find who answers a request.

        Empty segments mean nothing, because gateways put slashes where they
        like, and answers must never be redirects.
        """
        segments = _named(request.path[1:])
        is_ours = segments[: len(self._prefix)] == self._prefix
        rest = segments[len(self._prefix) :] if is_ours else segments
        request.prepath = []
        request.postpath = rest or [b""]
        if rest == _HEALTH or segments == _HEALTH:
            return self._health
        if not is_ours and segments:
            request.postpath = _NOWHERE
        elif rest[:1] and rest[0] in _MACHINE_NAMES:
            return self._gateway
        return self._guest

    def acceptableProtocols(self) -> list[bytes]:
        """Offer HTTP/1.1 to TLS clients, nothing else."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Keep no access log, nor a timer for its time stamps."""

    def log(self, request: object) -> None:
        """Keep no access log."""

    def _pause(self) -> None:
        for port in self._listening():
            port.stopReading()
        if self._pressing is None:
            self._pressing = self._clock.callLater(0, self._press)

    def _press(self) -> None:
        """Send some away who keep us waiting, and look again as long as it is full."""
        self._pressing = None
        excess = len(self._channels) - self._pause_at
        if excess >= 0:
            for channel in self.silent.longest(excess + _FEW) or self.slow.longest(excess + _FEW):
                channel.overdue()
            self._pressing = self._clock.callLater(_PRESS, self._press)

    def _resume(self) -> None:
        if self._pressing is not None:
            self._pressing.cancel()
            self._pressing = None
        for port in self._listening():
            port.startReading()

    def _listening(self) -> list[Port]:
        self._ports = [port for port in self._ports if port.connected and not port.disconnecting]
        return self._ports


def _named(path: bytes) -> list[bytes]:
    """
    Split a path, drop empty segments and make the others safe for Klein.

    It logs a traceback for what is not UTF-8 and redirects for slashes; such
    segments become ones that no page is called.
    """
    segments = [segment for segment in path.split(b"/") if segment]
    if b"%" in path or not path.isascii():
        segments = [_safe(unquote_to_bytes(segment)) for segment in segments]
    return segments


def _safe(segment: bytes) -> bytes:
    return segment.decode("utf-8", "replace").replace("/", "\ufffd").encode()


def most_connections(descriptors: int, memory: int) -> int:
    """
    Say how many clients may be connected.

    @param descriptors: that the process may have, C{RLIM_INFINITY} included.
    @param memory: octets of the machine; clients that try get a quarter of it at most.
    """
    by_descriptors = MOST_CONNECTIONS if descriptors == resource.RLIM_INFINITY else descriptors - SPARE_DESCRIPTORS
    return max(1, min(MOST_CONNECTIONS, by_descriptors, memory // 4 // MOST_HELD))


def _most_here() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most_connections(limit, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
