"""What gateways and guests of one simulation share."""

from __future__ import annotations

from dataclasses import dataclass

from wifidogd.simulation.figures import Figures
from wifidogd.simulation.habits import Habits
from wifidogd.simulation.journal import Journal
from wifidogd.simulation.line import Line
from wifidogd.simulation.pace import Pace
from wifidogd.simulation.wire import Server


@dataclass(frozen=True, slots=True)
class Scene:
    """
    The server, the way there, and what is kept in mind.

    @ivar interval: CheckInterval of the gateways, simulated seconds.
    """

    server: Server
    line: Line
    pace: Pace
    habits: Habits
    journal: Journal
    figures: Figures
    interval: float
