"""A line of a gateway's list: a device, what it may do, and what the firewall has counted for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from wifidogd.domain.sessions import Octets
from wifidogd.simulation.actors.behaviour import ICMP_ECHO
from wifidogd.simulation.families.family import Line
from wifidogd.simulation.oracle.expected import NO_OCTETS


class Device(Protocol):
    """What a gateway sees of a guest."""

    mac: str
    ip: str

    def uses(self, gateway: object, seconds: float) -> Octets | None:
        """Return the octets of a span of simulated seconds; None for a device that is not there and does not answer."""


class Access(Enum):
    """Which rule of the firewall a client has."""

    NONE = "none"
    PROBATION = "probation"
    KNOWN = "known"


@dataclass(slots=True, eq=False)
class Client:
    """
    A line of the gateway's list.

    @ivar rule: what the firewall's rule for the client has counted; a new rule begins at zero.
    @ivar totals: what is reported, which follows the rule only once that has more (docs/protocol.md 6.6).
    @ivar heard_at: simulated second of the last traffic; C{counted_at} that of the last look.
    @ivar number: of the client at this gateway.
    @ivar listed_at: simulated second of the sign-in.
    """

    device: Device
    token: str
    heard_at: float
    counted_at: float
    number: int = 0
    listed_at: float = 0.0
    access: Access = Access.NONE
    rule: Octets = NO_OCTETS
    totals: Octets = NO_OCTETS

    def allow(self, access: Access) -> None:
        """Make a rule for the client, in place of the last."""
        self.access = access
        self.rule = NO_OCTETS

    def use(self, used: Octets, most_at_once: int) -> None:
        """
        Count traffic, and the pings by which the gateway looks whether the client is still there.

        @param most_at_once: octets in one direction, of which more would not be used.
        """
        if self.access is Access.NONE:
            return
        incoming = self.rule.incoming + min(used.incoming, most_at_once) + ICMP_ECHO
        outgoing = self.rule.outgoing + min(used.outgoing, most_at_once) + ICMP_ECHO
        self.rule = Octets(incoming, outgoing)
        self.totals = Octets(max(self.totals.incoming, incoming), max(self.totals.outgoing, outgoing))

    def line(self, now: float) -> Line:
        """Return what is reported; C{now} is the simulated second."""
        online_for = int(now - self.listed_at)
        return Line(self.device.ip, self.device.mac, self.token, self.totals, self.number, online_for)
