"""What the gateways and guests of one simulation share."""

from __future__ import annotations

from dataclasses import dataclass

from wifidogd.simulation.actors.behaviour import Behaviour
from wifidogd.simulation.oracle.history import History
from wifidogd.simulation.statistics import Statistics
from wifidogd.simulation.transport.client import HttpClient
from wifidogd.simulation.transport.clock import ScaledClock
from wifidogd.simulation.transport.wire import Server


@dataclass(frozen=True, slots=True)
class Context:
    """
    The server, the client that reaches it, and the records of the simulation.

    @ivar interval: CheckInterval of the gateways, simulated seconds.
    """

    server: Server
    client: HttpClient
    clock: ScaledClock
    behaviour: Behaviour
    history: History
    statistics: Statistics
    interval: float
