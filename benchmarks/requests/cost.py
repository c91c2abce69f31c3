"""A load on a server, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.requests.load import Heard, Load, Running
from tests.support.testbed.process_cost import Meter, Spent
from tests.support.testbed.server_process import ServerProcess
from tests.support.testbed.testbed import Testbed

SERVER, POSTGRES = "server", "postgres"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a load heard, and what server and PostgreSQL spent meanwhile."""

    heard: Heard
    spent: Spent

    @property
    def server_micros(self) -> float:
        """Microseconds of the server's CPU for a request, its children included."""
        return self._micros(SERVER)

    @property
    def postgres_micros(self) -> float:
        """Microseconds of PostgreSQL's CPU for a request."""
        return self._micros(POSTGRES)

    @property
    def load_micros(self) -> float:
        """Microseconds of the load's own CPU for a request."""
        return self.heard.cpu / self.heard.count * 1e6

    def _micros(self, name: str) -> float:
        return self.spent.cpu[name] / self.heard.count * 1e6


def measure(testbed: Testbed, server: ServerProcess, load: Load) -> Measured:
    """Run a load from beginning to end, and measure what it costs."""
    running = Running(load)
    meter = Meter(**{SERVER: server.pid, POSTGRES: testbed.postgres.pid})
    running.begin()
    heard = running.result()
    return Measured(heard, meter.spent())
