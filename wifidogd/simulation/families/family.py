"""What differs between the families of gateways in a simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import Octets, Stage
from wifidogd.simulation.transport.wire import Server


class Line(NamedTuple):
    """
    What a gateway lists of a client.

    @ivar number: by which apfree-wifidog tells its clients apart; another after each sign-in.
    @ivar online_for: seconds.
    """

    ip: str
    mac: str
    token: str
    totals: Octets = Octets()
    number: int = 0
    online_for: int = 0


class Counting(Enum):
    """How a family reports what its clients have used."""

    EACH = "a report for each client"
    LIST = "one report for all clients"
    NONE = "nothing"


class Family(Protocol):
    """
    The octets of one family, and what its gateways make of the answers; pure.

    @ivar patience: seconds until it gives up.
    @ivar logs_out_with_totals: whether it says at a log-out what the client has used.
    @ivar most_at_once: octets between two reports in one direction, beyond which nobody could tell its counters apart.
    @ivar restarts_counting: whether its counters begin at zero again when it restarts and keeps its clients.
    """

    patience: float
    counting: Counting
    logs_out_with_totals: bool
    most_at_once: int
    restarts_counting: bool

    def ping(self, server: Server, gw_id: str, uptime: int) -> bytes:
        """Return a ping; C{uptime} is that of the gateway software, in seconds."""
        ...

    def report(self, server: Server, stage: Stage, gw_id: str, line: Line) -> bytes:
        """Return what the gateway says about one client."""
        ...

    def report_list(self, server: Server, gw_id: str, lines: Sequence[Line]) -> bytes:
        """Return what the gateway says about all clients at once."""
        ...

    def read_verdict(self, raw: bytes) -> int | None:
        """Return the verdict on one client; None for none, which the gateway takes as an error."""
        ...

    def read_list(self, raw: bytes, lines: Sequence[Line]) -> Mapping[str, int]:
        """Return the verdicts on a list, by MAC; clients without one are left as they are."""
        ...

    def hears_pong(self, raw: bytes) -> bool:
        """Return whether the gateway takes this for C{Pong}."""
        ...

    def login_target(self, server: Server, gateway: Gateway, ip: str, mac: str, wanted: str) -> str:
        """Return the address to which the gateway sends a guest that it has caught."""
        ...

    def portal_target(self, server: Server, gw_id: str, mac: str) -> str:
        """Return the address to which the gateway sends a guest that it has let in."""
        ...

    def message_target(self, server: Server, gw_id: str, mac: str, message: str) -> str:
        """Return the address at which the gateway has the server explain what it did not do."""
        ...
