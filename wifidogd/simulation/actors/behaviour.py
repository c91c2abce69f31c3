"""
What gateways and guests do by chance; pure but for the dice.

Lengths of time are simulated seconds, most of them given as multiples of the gateways' CheckInterval, so that any
interval makes a lively scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from random import Random

from wifidogd.domain.sessions import Octets

CLIENT_TIMEOUT = 2
"""ClientTimeout of the gateways: intervals without a sign of life after which they log a guest out."""

ICMP_ECHO = 48
"""Octets each way by which a gateway's ping keeps a silent guest alive (seen in the transcripts)."""


class Leave(Enum):
    """How a stay ends."""

    WALK_AWAY = "walks away; the gateway logs out who is idle"
    LOG_OUT = "presses the button of the portal, whose page calls the gateway"
    LOG_OUT_HALFWAY = "presses the button but closes the page before it calls the gateway"
    DISCONNECT = "is logged out at the gateway itself"


@dataclass(frozen=True, slots=True)
class Appetite:
    """How much a guest uses, in octets a simulated second."""

    incoming: float
    outgoing: float


class Behaviour:
    """Rolls the dice for everybody."""

    def __init__(self, interval: float, dice: Random) -> None:
        """@param interval: CheckInterval of the gateways."""
        self._interval = interval
        self._dice = dice

    def first_arrival(self) -> float:
        """Say when a guest first appears: sometime in the first four intervals."""
        return self._dice.uniform(0, 4 * self._interval)

    def first_report(self) -> float:
        """Say how far into an interval a gateway was switched on."""
        return self._dice.uniform(0, self._interval)

    def stay(self) -> float:
        """Say how long a guest stays."""
        return self._span(8.0)

    def away(self) -> float:
        """Say how long a guest stays away; arrivals so are a Poisson process."""
        return self._span(0.5)

    def glance(self) -> float:
        """Say when a guest next looks at the phone, and notices being offline."""
        return self._span(0.3)

    def hesitation(self) -> float:
        """Say how long a guest reads a page."""
        return self._dice.uniform(1, 5)

    def next_restart(self) -> float:
        """Say when a gateway next restarts."""
        return self._span(15.0)

    def is_reboot(self) -> bool:
        """Say whether a restart forgets the guests; C{wdctl restart} keeps them and their counters."""
        return self._dice.random() < 0.6

    def leave(self) -> Leave:
        """Say how a stay ends."""
        return self._dice.choices(list(Leave), weights=(50, 25, 10, 15))[0]

    def gateway(self, count: int) -> int:
        """Say at which of so many gateways a guest turns up."""
        return self._dice.randrange(count)

    def roams(self) -> bool:
        """Say whether a guest who leaves turns up at another gateway at once."""
        return self._dice.random() < 0.3

    def appetite(self) -> Appetite:
        """Say how much a guest uses: from a chat to a film, and now and then more than fits 32 bits."""
        incoming = 10.0 ** self._dice.uniform(1, 6)
        if self._dice.random() < 0.02:
            incoming *= 1_000
        return Appetite(incoming, incoming * self._dice.uniform(0.02, 0.5))

    def used(self, appetite: Appetite, seconds: float) -> Octets:
        """Say what a guest has used in a while: nothing at all one time in five."""
        if self._dice.random() < 0.2:
            return Octets()
        share = seconds * self._dice.uniform(0.2, 1.8)
        return Octets(int(appetite.incoming * share), int(appetite.outgoing * share))

    def _span(self, intervals: float) -> float:
        """Roll a length of time that has no memory, about so many intervals long."""
        return self._dice.expovariate(1 / (intervals * self._interval))
