"""Bounds how many clients are connected, and chooses who must go when there are too many."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.tcp import Port

from wifidogd.web.server.connections.slow_clients import SlowClients

if TYPE_CHECKING:
    from wifidogd.web.server.connections.channel import Channel

MOST_CONNECTIONS = 10_000
SPARE_DESCRIPTORS = 64
"""Descriptors kept for the database, the log and everything else."""

MOST_HELD = 200_000
"""Octets held for a connection at worst: a body or pipelined requests, and answers that the client does not read."""

MOST_UPGRADED = 20_000
MOST_HELD_UPGRADED = 100_000
"""Octets held for a WebSocket at worst: the longest message, half of it parsed."""

FOR_PAGES = 1_000
"""Connections that WebSockets leave to pages, or half of all where there are not twice as many."""

_SILENT, _SLOW = 1.0, 5.0
"""Seconds after which clients are dropped for others: those that send no request, and those that read no answer."""

_LOOK_AGAIN = 0.25
"""Seconds between two looks for such clients while the server is full."""

_UNASKED = 2.0
"""Seconds in which a connected client may still send a request when the server stops: a lost packet costs one."""

_TAKEN = 0.25
"""Seconds in which clients may read the last answers."""

_LOOK = 0.02
_FEW = 12
_ROUND = _FEW + 20
"""Connections that one round of accepting may bring after it should have paused; see L{ConnectionLimit.add}."""


class ConnectionLimit:
    """
    The connections of a site.

    When there are too many, the listening ports pause: further clients wait in
    the kernel's backlog, and nothing spins.  The client that has been waited
    for the longest is then dropped, long before its deadline.

    WebSockets are counted by themselves: they last for days, and are never
    dropped for others.  Both together stay below the descriptors there are.

    @ivar channels: of the clients that are connected.
    @ivar upgraded: channels of WebSockets.
    @ivar silent: those that have not sent a request yet.
    @ivar slow: those that have an answer to read.
    @ivar is_closing: whether each client gets one more answer at most.
    """

    def __init__(self, most: int, *, clock: IReactorTime, most_together: int | None = None) -> None:
        """
        @param most: clients of pages.
        @param most_together: clients of pages and WebSockets; None for C{most}.
        """
        self.channels: set[Channel] = set()
        self.upgraded: set[Channel] = set()
        self.silent: SlowClients[Channel] = SlowClients(_SILENT, clock)
        self.slow: SlowClients[Channel] = SlowClients(_SLOW, clock)
        self.is_closing = False
        self._clock = clock
        self._most = most
        self._most_together = max(most, most_together or 0)
        self._is_paused = False
        self._ports: list[Port] = []
        self._dropping: IDelayedCall | None = None

    @property
    def _pause_at(self) -> int:
        """The number of clients from which on no more are accepted."""
        return max(1, min(self._most, self._most_together - len(self.upgraded)) - _ROUND)

    @property
    def most_upgraded(self) -> int:
        """How many WebSockets there may be."""
        return max(1, min(MOST_UPGRADED, self._most_together - min(FOR_PAGES, self._most_together // 2)))

    @property
    def may_upgrade(self) -> bool:
        """Whether another client may open a WebSocket."""
        return not self.is_closing and len(self.upgraded) < self.most_upgraded

    def upgrade(self, channel: Channel) -> None:
        """Count a connection as a WebSocket, and no more as a client of pages."""
        self.upgraded.add(channel)
        self.channels.discard(channel)
        self._pause_or_resume()

    @property
    def may_be_kept(self) -> bool:
        """Whether connections are kept after an answer: not while the server stops, or is nearly full."""
        return not self.is_closing and 4 * len(self.channels) < 3 * self._pause_at

    def watch(self, port: IListeningPort) -> None:
        """Pause this port while there are too many connections."""
        if isinstance(port, Port):
            port.numberAccepts = _FEW
            self._ports.append(port)

    def add(self, channel: Channel) -> bool:
        """
        Count a connection.

        A port accepts C{numberAccepts} in one round, whatever happens
        meanwhile, and raises that by 20 after each full round
        (C{twisted.internet.tcp.Port.doRead}); reset here, it never gets
        beyond L{_ROUND}.
        """
        self.channels.add(channel)
        for port in self._ports:
            port.numberAccepts = _FEW
        self._pause_or_resume()
        return len(self.channels) <= self._most

    def remove(self, channel: Channel) -> None:
        """Forget a connection that has been closed."""
        self.channels.discard(channel)
        self.upgraded.discard(channel)
        self._pause_or_resume()

    def accept_waiting(self) -> None:
        """Accept the clients that wait in the backlog; they would be refused when the ports close."""
        for port in self._listening():
            known = -1
            while known < len(self.channels) < self._pause_at:
                known = len(self.channels)
                port.doRead()

    async def drain(self, seconds: float) -> None:
        """
        Wait until all clients have their answers, for C{seconds} at most.

        A client that sends no request within L{_UNASKED} is dropped, and
        WebSockets are closed at once.
        """
        self.is_closing = True
        for channel in tuple(self.upgraded):
            channel.go_away()
        for channel in self.channels:
            channel.end_with_answer()
        began = self._clock.seconds()
        while unserved := [channel for channel in self.channels if not channel.is_served]:
            passed = self._clock.seconds() - began
            if passed >= seconds:
                return
            for channel in unserved:
                if passed >= _UNASKED and not channel.has_request:
                    channel.loseConnection()
            await deferLater(self._clock, _LOOK)
        until = self._clock.seconds() + _TAKEN
        while self.channels and self._clock.seconds() < until:
            await deferLater(self._clock, _LOOK)

    def _pause_or_resume(self) -> None:
        is_full = len(self.channels) >= self._pause_at
        if is_full:
            self._pause()
        elif self._is_paused:
            self._resume()
        self._is_paused = is_full

    def _pause(self) -> None:
        for port in self._listening():
            port.stopReading()
        if self._dropping is None:
            self._dropping = self._clock.callLater(0, self._drop_some)

    def _drop_some(self) -> None:
        """Drop some clients that are waited for, and look again while there are too many."""
        self._dropping = None
        excess = len(self.channels) - self._pause_at
        if excess >= 0:
            for channel in self.silent.longest(excess + _FEW) or self.slow.longest(excess + _FEW):
                channel.overdue()
            self._dropping = self._clock.callLater(_LOOK_AGAIN, self._drop_some)

    def _resume(self) -> None:
        if self._dropping is not None:
            self._dropping.cancel()
            self._dropping = None
        for port in self._listening():
            port.startReading()

    def _listening(self) -> list[Port]:
        self._ports = [port for port in self._ports if port.connected and not port.disconnecting]
        return self._ports


def most_connections(descriptors: int, memory: int) -> int:
    """
    Return how many clients may be connected.

    @param descriptors: that the process may have; C{RLIM_INFINITY} for no limit.
    @param memory: octets of the machine; all clients together may hold a quarter of it.
    """
    by_descriptors = MOST_CONNECTIONS if descriptors == resource.RLIM_INFINITY else descriptors - SPARE_DESCRIPTORS
    return max(1, min(MOST_CONNECTIONS, by_descriptors, memory // 4 // MOST_HELD))


def most_together(descriptors: int, memory: int) -> int:
    """Return how many clients and WebSockets there may be together; parameters as L{most_connections}."""
    most = MOST_CONNECTIONS + MOST_UPGRADED
    by_descriptors = most if descriptors == resource.RLIM_INFINITY else descriptors - SPARE_DESCRIPTORS
    return max(1, min(most, by_descriptors, most_connections(descriptors, memory) + memory // 4 // MOST_HELD_UPGRADED))


def limit_here(clock: IReactorTime) -> ConnectionLimit:
    """Make the limit of this process on this machine."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    together = most_together(descriptors, memory)
    return ConnectionLimit(most_connections(descriptors, memory), clock=clock, most_together=together)
