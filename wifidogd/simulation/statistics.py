"""How many requests, how fast, and what was wrong with the answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

SHORTEST, STEP, BUCKETS = 5e-5, 1.04, 400
"""Seconds and ratio of the classes of latencies: 4 % wide, up to five minutes."""

MOST_FAULTS = 20
"""Faults that are told one by one."""


class Kind(Enum):
    """What is asked for."""

    PING = "ping"
    PAGE = "login page"
    FORM = "form"
    LOGIN = "login"
    COUNTERS = "counters"
    LIST = "list of counters"
    LOGOUT = "logout"
    PORTAL = "portal"
    BUTTON = "log-out button"
    ROAM = "roaming"
    WEBSOCKET = "WebSocket"
    KICK = "kick"


class Latencies:
    """Times, counted in classes so that any number of them takes the same room."""

    def __init__(self) -> None:
        self._buckets = [0] * BUCKETS
        self.count = 0
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        bucket = int(math.log(seconds / SHORTEST) / math.log(STEP)) if seconds > SHORTEST else 0
        self._buckets[min(bucket, BUCKETS - 1)] += 1
        self.count += 1
        self.longest = max(self.longest, seconds)

    def below(self, share: float) -> float | None:
        """Return the time that a share of all did not exceed, to 4 %; None if there are none."""
        wanted = math.ceil(share * self.count)
        for bucket, count in enumerate(self._buckets):
            wanted -= count
            if wanted <= 0 and self.count:
                return min(SHORTEST * STEP ** (bucket + 1), self.longest)
        return None


@dataclass(slots=True)
class Asked:
    """
    What became of one kind of request.

    @ivar unanswered: no answer, or one that says "cannot say".
    @ivar wrong: not what a right server answers.
    """

    latencies: Latencies = field(default_factory=Latencies)
    unanswered: int = 0
    wrong: int = 0


class Statistics:
    """
    What a simulation has seen.

    @ivar faults: the first wrong answers, in words.
    @ivar restarts: of gateways.
    @ivar roams: guests who went on at another gateway without signing in there.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._started = seconds()
        self.asked = {kind: Asked() for kind in Kind}
        self.all = Latencies()
        self.faults: list[str] = []
        self.restarts = 0
        self.roams = 0

    def begin(self) -> None:
        """Count the time from now on."""
        self._started = self._seconds()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._seconds() - self._started

    @property
    def unanswered(self) -> int:
        """How many requests got no answer."""
        return sum(asked.unanswered for asked in self.asked.values())

    @property
    def wrong(self) -> int:
        """How many answers were wrong."""
        return sum(asked.wrong for asked in self.asked.values())

    def took(self, kind: Kind, seconds: float) -> None:
        """Count a request that was answered, rightly or not."""
        self.asked[kind].latencies.add(seconds)
        self.all.add(seconds)

    def missed(self, kind: Kind) -> None:
        """Count a request without answer."""
        self.asked[kind].unanswered += 1

    def fault(self, kind: Kind, what: str) -> None:
        """Count a wrong answer."""
        self.asked[kind].wrong += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(f"{kind.value}: {what}")
