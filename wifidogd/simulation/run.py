"""A whole simulation: gateways and guests, from the first arrival to the last answer."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from itertools import cycle
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from wifidogd.domain.gateways import Gateway
from wifidogd.simulation.actors.behaviour import Behaviour
from wifidogd.simulation.actors.gateway import SimulatedGateway
from wifidogd.simulation.actors.guest import Guest
from wifidogd.simulation.context import Context
from wifidogd.simulation.families.family import Family
from wifidogd.simulation.oracle.history import History
from wifidogd.simulation.statistics import Statistics
from wifidogd.simulation.transport.client import PATIENCE, HttpClient, IClientReactor
from wifidogd.simulation.transport.clock import ScaledClock, SimulationOver
from wifidogd.simulation.transport.wire import Server

FINISH_WITHIN = 2 * PATIENCE
"""Seconds for everybody to finish what they have begun when the time is over."""


class Simulation:
    """
    Everybody in the simulation.

    @ivar context: what they share; its history and statistics are the result of a run.
    """

    def __init__(
        self,
        server: Server,
        sites: Sequence[Gateway],
        guests: int,
        *,
        interval: float,
        speed: float,
        reactor: IClientReactor,
        random: Random,
        families: Sequence[Family],
        client: HttpClient | None = None,
    ) -> None:
        """
        @param sites: adopted gateways, at least one.
        @param interval: their CheckInterval in simulated seconds.
        @param speed: simulated seconds to a second.
        @param families: of the gateways, in turns.
        @param client: of the server; None for a plain one.
        """
        self._reactor = reactor
        self.context = Context(
            server,
            client or HttpClient(server.host, server.port, reactor=reactor),
            ScaledClock(speed, clock=reactor),
            Behaviour(interval, random),
            History(reactor.seconds),
            Statistics(reactor.seconds),
            interval,
        )
        self.gateways = [
            SimulatedGateway(site, self.context, family) for site, family in zip(sites, cycle(families), strict=False)
        ]
        self.guests = [Guest(number, self.gateways, self.context) for number in range(1, guests + 1)]

    @property
    def online(self) -> int:
        """How many sessions gateways keep up: guests who are there, and those who left without a word."""
        return sum(gateway.online for gateway in self.gateways)

    async def run(self, seconds: float) -> None:
        """
        Run all gateways and guests for some real seconds, then wait for the answers that are under way.

        Connections that are still open L{FINISH_WITHIN} seconds later are aborted.
        """
        self.context.statistics.begin()
        end = self._reactor.callLater(seconds, self.close)
        hard_end = self._reactor.callLater(seconds + FINISH_WITHIN, self.context.client.cut)
        try:
            await self._all([guest.live() for guest in self.guests] + self._threads())
            await self._all([gateway.settle() for gateway in self.gateways])
        finally:
            for call in (end, hard_end):
                if call.active():
                    call.cancel()

    def close(self) -> None:
        """End the simulation, be it early; gateways and guests finish what they have begun."""
        self.context.clock.close()

    def _threads(self) -> list[Coroutine[Any, Any, None]]:
        return [thread for gateway in self.gateways for thread in gateway.threads()]

    async def _all(self, lives: Sequence[Coroutine[Any, Any, None]]) -> None:
        """
        Wait for all gateways and guests.

        @raise Exception: the first that was raised besides L{SimulationOver}; the simulation ends then.
        """
        failures: list[Failure] = []

        def note(failure: Failure) -> None:
            if failure.check(SimulationOver) is None:
                failures.append(failure)
                self.close()

        await DeferredList([Deferred.fromCoroutine(life).addErrback(note) for life in lives])
        if failures:
            failures[0].raiseException()
