"""What differs between the families of gateways in a simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.simulation.transport.wire import Server

MESSAGES: Mapping[int | None, str] = {
    AuthCode.VALIDATION: "activate",
    AuthCode.DENIED: "denied",
    AuthCode.VALIDATION_FAILED: "failed_validation",
}
"""What the server is asked to explain to a guest."""


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


class Family(Protocol):
    """
    The octets of one family, and what its gateways make of the answers; pure.

    @ivar patience: seconds until it gives up.
    @ivar reports_use: whether it reports what its clients have used.
    @ivar logs_out_with_totals: whether it says at a log-out what the client has used.
    @ivar most_at_once: octets between two reports in one direction, beyond which nobody could tell its counters apart.
    @ivar restarts_counting: whether its counters begin at zero again when it restarts and keeps its clients.
    @ivar keeps_websocket: whether it keeps a WebSocket open, as only apfree-wifidog does.
    """

    patience: float
    reports_use: bool
    logs_out_with_totals: bool
    most_at_once: int
    restarts_counting: bool
    keeps_websocket: bool

    def ping(self, server: Server, gw_id: str, uptime: int) -> bytes:
        """Return a ping; C{uptime} is that of the gateway software, in seconds."""
        ...

    def report(self, server: Server, stage: Stage, gw_id: str, line: Line) -> bytes:
        """Return what the gateway says about one client."""
        ...

    def read_verdict(self, raw: bytes) -> int | None:
        """Return the verdict on one client; None for none, which the gateway takes as an error."""
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


@runtime_checkable
class ListingFamily(Family, Protocol):
    """A family that reports all its clients at once; others report on each."""

    def report_list(self, server: Server, gw_id: str, lines: Sequence[Line]) -> bytes:
        """Return what the gateway says about all clients at once."""
        ...

    def read_list(self, raw: bytes, lines: Sequence[Line]) -> Mapping[str, int]:
        """Return the verdicts on a list, by MAC; clients without one are left as they are."""
        ...


@runtime_checkable
class RoamingFamily(Family, Protocol):
    """
    A family that asks whether a device that has joined its Wi-Fi may go on without a page.

    @ivar begins_at_once: whether the session begins with the answer; otherwise it does with the first report.
    """

    begins_at_once: bool

    def ask_to_roam(self, server: Server, gw_id: str, ip: str, mac: str) -> bytes:
        """Return the question."""
        ...

    def read_roaming(self, raw: bytes) -> str | None:
        """Return the token by which the device is let in; None for a no, and for what the gateway cannot read."""
        ...
