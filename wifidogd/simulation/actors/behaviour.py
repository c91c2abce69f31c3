"""
What gateways and guests do by chance; pure but for the random numbers.

Lengths of time are simulated seconds, most of them multiples of the gateways' CheckInterval, so that much happens at
any interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from random import Random

from wifidogd.domain.sessions import Octets

CLIENT_TIMEOUT = 2
"""ClientTimeout of the gateways: intervals without a sign of life after which they log a guest out."""

SEEMS_LATER = 2
"""Real seconds by which a gateway's restart may seem to be later than it was, since a ping takes a while."""

ICMP_ECHO = 48
"""Octets each way by which a gateway's ping keeps a silent guest alive (seen in the transcripts)."""


class Leaving(Enum):
    """How a guest goes offline."""

    WALK_AWAY = "walks away; the gateway logs out who is idle"
    LOG_OUT = "presses the button of the portal, whose page calls the gateway"
    LOG_OUT_HALFWAY = "presses the button but closes the page before it calls the gateway"
    DISCONNECT = "is logged out at the gateway itself"


@dataclass(frozen=True, slots=True)
class TrafficRate:
    """The traffic of a guest, in octets a simulated second."""

    incoming: float
    outgoing: float


class Behaviour:
    """Draws all random choices of gateways and guests."""

    def __init__(self, interval: float, random: Random) -> None:
        """@param interval: CheckInterval of the gateways."""
        self._interval = interval
        self._random = random

    def first_arrival(self) -> float:
        """Return when a guest first appears: within the first four intervals."""
        return self._random.uniform(0, 4 * self._interval)

    def first_report(self) -> float:
        """Return how far into an interval a gateway was switched on."""
        return self._random.uniform(0, self._interval)

    def time_online(self) -> float:
        """Return how long a guest stays online."""
        return self._span(8.0)

    def away(self) -> float:
        """Return how long a guest stays away; arrivals are a Poisson process."""
        return self._span(0.5)

    def glance(self) -> float:
        """Return when a guest next looks at the phone, and notices being offline."""
        return self._span(0.3)

    def hesitation(self) -> float:
        """Return how long a guest reads a page."""
        return self._random.uniform(1, 5)

    def next_restart(self) -> float:
        """Return when a gateway next restarts."""
        return self._span(15.0)

    def is_reboot(self) -> bool:
        """Return whether a restart forgets the guests; C{wdctl restart} keeps them and their counters."""
        return self._random.random() < 0.6

    def leave(self) -> Leaving:
        """Return how a guest goes offline."""
        return self._random.choices(list(Leaving), weights=(50, 25, 10, 15))[0]

    def gateway(self, count: int) -> int:
        """Return the number of the gateway at which a guest appears, of so many."""
        return self._random.randrange(count)

    def roams(self) -> bool:
        """Return whether a guest who leaves appears at another gateway at once."""
        return self._random.random() < 0.3

    def traffic_rate(self) -> TrafficRate:
        """Return the traffic of a guest: from a chat to a film, and now and then more than fits 32 bits."""
        incoming = 10.0 ** self._random.uniform(1, 6)
        if self._random.random() < 0.02:
            incoming *= 1_000
        return TrafficRate(incoming, incoming * self._random.uniform(0.02, 0.5))

    def used(self, traffic_rate: TrafficRate, seconds: float) -> Octets:
        """Return what a guest has used in a while: nothing at all one time in five."""
        if self._random.random() < 0.2:
            return Octets()
        share = seconds * self._random.uniform(0.2, 1.8)
        return Octets(int(traffic_rate.incoming * share), int(traffic_rate.outgoing * share))

    def _span(self, intervals: float) -> float:
        """Return a random length of time, exponentially distributed, so many intervals long on average."""
        return self._random.expovariate(1 / (intervals * self._interval))
