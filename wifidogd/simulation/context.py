"""What gateways and guests of one simulation share."""

from __future__ import annotations

from dataclasses import dataclass

from wifidogd.simulation.actors.behaviour import Behaviour
from wifidogd.simulation.oracle.history import History
from wifidogd.simulation.statistics import Statistics
from wifidogd.simulation.transport.client import Line
from wifidogd.simulation.transport.clock import ScaledClock
from wifidogd.simulation.transport.wire import Server


@dataclass(frozen=True, slots=True)
class Context:
    """
    The server, the way there, and what is kept in mind.

    @ivar interval: CheckInterval of the gateways, simulated seconds.
    """

    server: Server
    line: Line
    pace: ScaledClock
    habits: Behaviour
    journal: History
    figures: Statistics
    interval: float
