"""Who is connected: as many as there is room for, others outside; and who makes room."""

from __future__ import annotations

import os
import resource
from collections.abc import Hashable
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.tcp import Port

if TYPE_CHECKING:
    from wifidogd.web.server.channel import Channel

MOST_CONNECTIONS = 10_000
SPARE_DESCRIPTORS = 64
"""Descriptors left to the database, the log and everything else."""

MOST_HELD = 200_000
"""Octets that are held for a connection at worst: a body or requests ahead, and answers that are not taken."""

_SILENT, _SLOW = 1.0, 5.0
"""Seconds after which clients make room for others if there is none: who does not ask, and who takes no answer."""

_PRESS = 0.25
"""Seconds between two looks whether somebody has become one of them."""

_UNASKED = 2.0
"""Seconds in which who has come in may still ask for something when the server closes: a lost packet costs one."""

_TAKEN = 0.25
"""Seconds for the last answers to be taken."""

_LOOK = 0.02
_FEW = 12
_ROUND = _FEW + 20
"""Connections that one round of accepting may bring after it should have paused; see L{ConnectionLimit.make_room}."""


class ConnectionLimit:
    """
    The places that clients may take.

    When all are taken, the listening ports pause: clients wait in the kernel's
    backlog, and nothing spins.  Who has kept us waiting the longest then makes
    room, long before the deadline.

    @ivar taken: by whom.
    @ivar silent: who has a place and has not asked for anything yet.
    @ivar slow: who is to take an answer.
    @ivar is_closing: whether each client gets one more answer at most.
    """

    def __init__(self, most: int, *, clock: IReactorTime) -> None:
        self.taken: set[Channel] = set()
        self.silent: SlowClients[Channel] = SlowClients(_SILENT, clock)
        self.slow: SlowClients[Channel] = SlowClients(_SLOW, clock)
        self.is_closing = False
        self._clock = clock
        self._most = most
        self._pause_at = max(1, most - _ROUND)
        self._ports: list[Port] = []
        self._pressing: IDelayedCall | None = None

    @property
    def may_be_kept(self) -> bool:
        """Whether clients may ask again on the same connection: not in a house that closes, or is nearly full."""
        return not self.is_closing and 4 * len(self.taken) < 3 * self._pause_at

    def watch(self, port: IListeningPort) -> None:
        """Pause accepting on this port while the house is full."""
        if isinstance(port, Port):
            port.numberAccepts = _FEW
            self._ports.append(port)

    def make_room(self, channel: Channel) -> bool:
        """
        Count a connection; False if there is no room for it.

        A port accepts C{numberAccepts} in one round, whatever happens
        meanwhile, and raises that by 20 after each full round
        (C{twisted.internet.tcp.Port.doRead}); reset here, it never gets
        beyond L{_ROUND}.
        """
        self.taken.add(channel)
        for port in self._ports:
            port.numberAccepts = _FEW
        if len(self.taken) >= self._pause_at:
            self._pause()
        return len(self.taken) <= self._most

    def free_room(self, channel: Channel) -> None:
        """Forget a connection."""
        self.taken.discard(channel)
        if len(self.taken) == self._pause_at - 1:
            self._resume()

    def take_in(self) -> None:
        """Accept who waits at the ports; they would be turned away when those close."""
        for port in self._listening():
            known = -1
            while known < len(self.taken) < self._pause_at:
                known = len(self.taken)
                port.doRead()

    async def drain(self, seconds: float) -> None:
        """
        Answer who has come in, for some time at most, and see that they take it.

        Who does not ask within L{_UNASKED} is sent away.
        """
        self.is_closing = True
        for channel in self.taken:
            channel.end_with_answer()
        began = self._clock.seconds()
        while unserved := [channel for channel in self.taken if not channel.is_served]:
            passed = self._clock.seconds() - began
            if passed >= seconds:
                return
            for channel in unserved:
                if passed >= _UNASKED and not channel.has_asked:
                    channel.loseConnection()
            await deferLater(self._clock, _LOOK)
        until = self._clock.seconds() + _TAKEN
        while self.taken and self._clock.seconds() < until:
            await deferLater(self._clock, _LOOK)

    def _pause(self) -> None:
        for port in self._listening():
            port.stopReading()
        if self._pressing is None:
            self._pressing = self._clock.callLater(0, self._press)

    def _press(self) -> None:
        """Send some away who keep us waiting, and look again as long as it is full."""
        self._pressing = None
        excess = len(self.taken) - self._pause_at
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


def most_connections(descriptors: int, memory: int) -> int:
    """
    Say how many clients may be connected.

    @param descriptors: that the process may have, C{RLIM_INFINITY} included.
    @param memory: octets of the machine; clients that try get a quarter of it at most.
    """
    by_descriptors = MOST_CONNECTIONS if descriptors == resource.RLIM_INFINITY else descriptors - SPARE_DESCRIPTORS
    return max(1, min(MOST_CONNECTIONS, by_descriptors, memory // 4 // MOST_HELD))


def most_here() -> int:
    """Say that for this process on this machine."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most_connections(limit, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


T = TypeVar("T", bound=Hashable)


class SlowClients(Generic[T]):
    """Remembers since when somebody is waited for, in order."""

    def __init__(self, grace: float, clock: IReactorTime) -> None:
        """
        @param grace: seconds that everybody may take.
        """
        self._grace = grace
        self._clock = clock
        self._since: dict[T, float] = {}

    def add(self, who: T) -> None:
        """Wait for somebody from now on."""
        self._since.pop(who, None)
        self._since[who] = self._clock.seconds()

    def discard(self, who: T) -> None:
        """Wait for somebody no more, if they were waited for."""
        self._since.pop(who, None)

    def longest(self, most: int) -> list[T]:
        """Name so many of those who have taken more than their time, who began first first."""
        latest = self._clock.seconds() - self._grace
        return [who for who, since in islice(self._since.items(), most) if since <= latest]
