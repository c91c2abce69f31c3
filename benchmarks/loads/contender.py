"""A server with its database, as each load finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.loads.good_requests import Answers
from benchmarks.requests.gateways import Rounds
from benchmarks.requests.load import Load, drive
from tests.support.testbed.server_process import ServerProcess
from tests.support.testbed.testbed import Testbed

GATEWAY_PATIENCE = 2.0
"""Seconds that apfree-wifidog waits for an answer (docs/protocol.md 6.2)."""

PATIENCE = 5.0
"""Seconds that the loads wait otherwise."""


@dataclass(frozen=True, slots=True)
class InitialState:
    """
    What is there before the first request.

    @ivar guests: online, spread over the gateways.
    @ivar past_sessions: number of sessions that have ended.
    @ivar descriptors: the server's C{ulimit -n}; None for ours.
    @ivar sold_out: whether every voucher code that there can be is taken.
    @ivar index: whether tokens have an index, where that is left to chance.
    """

    guests: int = 1000
    gateways: int = 100
    past_sessions: int = 0
    descriptors: int | None = None
    sold_out: bool = False
    index: bool = True


class Attempt(Protocol):
    """A load that runs in a process of its own."""

    def answers(self) -> Answers:
        """Wait for its end."""


@dataclass(frozen=True, slots=True)
class Contender:
    """
    A kind of server.

    @ivar open: starts one with a database of its own.
    @ivar want_vouchers: lets people want a voucher where every code is taken, at a rate, for some seconds.
    @ivar is_ours: whether it is wifidogd, which is held to the limits.
    @ivar is_single: whether it serves from one process.
    @ivar is_twin: whether it differs from another only in what bad clients can do to it.
    """

    name: str
    open: Callable[[Testbed, InitialState], Deployment]
    want_vouchers: Callable[[Deployment, float, float], Attempt]
    is_ours: bool = False
    is_single: bool = True
    is_twin: bool = False


@dataclass(slots=True)
class Deployment:
    """
    A running server with guests online.

    @ivar dsn: of its database.
    """

    testbed: Testbed
    server: ServerProcess
    dsn: str
    initial_state: InitialState
    rounds: Rounds = field(init=False)

    def __post_init__(self) -> None:
        self.rounds = Rounds(self.initial_state.guests, self.initial_state.gateways)

    @property
    def port(self) -> int:
        return self.server.port

    def reports(self, rate: float, seconds: float, patience: float = PATIENCE) -> Load:
        """Build the load of gateways that report their guests, so many a second."""
        return Load(self.port, self.rounds.next(), seconds, rate=rate, patience=patience)

    def warm_up(self) -> None:
        """Send requests until every thread and process has its database connection and has imported what it needs."""
        drive(Load(self.port, self.rounds.next(), 1.0, at_a_time=16, patience=PATIENCE))

    def close(self) -> None:
        """End the server and remove its database."""
        self.server.end()
        self.testbed.postgres.drop_database(self.dsn)
