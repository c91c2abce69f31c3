"""What became of requests: outcomes by name, and how long they took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

TIMED_OUT = "timed out"
NO_ANSWER = "no answer"
RESET = "reset"
REFUSED = "refused"

VERDICTS = (b"Auth: 1", b"Auth: 0", b"Auth: -1", b"Auth: 5", b"Auth: 6", b"Pong")


@dataclass(frozen=True, slots=True)
class Heard:
    """
    What a load met with.

    @ivar samples: of each request when it was due (seconds from the start), how long it took from then on until the
        server hung up, and what came of it: C{Auth: 1}, C{Pong}, C{200} (of other answers the status), or what went
        wrong, e.g. L{TIMED_OUT}.
    @ivar seconds: from the start until nothing was under way any more.
    @ivar cpu: seconds that the load itself took.
    @ivar late: worst delay, in seconds, between when a request was due and when it was begun.
    """

    samples: list[tuple[float, float, str]]
    seconds: float
    cpu: float
    late: float

    @property
    def count(self) -> int:
        """Requests that have ended, well or badly."""
        return len(self.samples)

    @property
    def outcomes(self) -> Counter[str]:
        """Count what came of them."""
        return Counter(outcome for _, _, outcome in self.samples)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.count / self.seconds

    def other_than(self, *good: str) -> int:
        """Count the requests whose outcome was none of these."""
        return sum(count for outcome, count in self.outcomes.items() if outcome not in good)

    def latency(self, quantile: float) -> float:
        """
        Tell within how many seconds this part of the requests had ended, e.g. 0.99; 1 is the worst of all.

        @raise ValueError: if there was none.
        """
        return quantile_of([latency for _, latency, _ in self.samples], quantile)


def quantile_of(values: Iterable[float], quantile: float) -> float:
    """
    Tell what this part of the values does not exceed.

    @raise ValueError: if there are none.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("nothing was measured")
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]


def outcome_of(answer: bytes) -> str:
    """Return the outcome of a whole answer: a gateway's verdict line, else the HTTP status."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return NO_ANSWER
    verdict = body.strip()
    return verdict.decode() if verdict in VERDICTS else head[9:12].decode()
