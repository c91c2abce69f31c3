"""Good requests beside the bad ones, and what came of them while this or that was going on."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.requests.load import NO_ANSWER, RESET, TIMED_OUT, Load, Running, outcome_of, quantile_of


@dataclass(frozen=True, slots=True)
class Answers:
    """
    What came of requests.

    @ivar samples: when each was due on the monotonic clock, how many seconds it took, and its outcome as in L{load}.
    """

    samples: list[tuple[float, float, str]]

    def between(self, begin: float, end: float) -> Answers:
        """Pick those that were due in a while."""
        return Answers([sample for sample in self.samples if begin <= sample[0] < end])

    @property
    def count(self) -> int:
        """Return the number of requests."""
        return len(self.samples)

    @property
    def outcomes(self) -> Counter[str]:
        """Count what came of them."""
        return Counter(outcome for _, _, outcome in self.samples)

    def other_than(self, *good: str) -> int:
        """Count those whose outcome was none of these."""
        return sum(outcome not in good for _, _, outcome in self.samples)

    def latency_ms(self, quantile: float) -> float:
        """Return within how many milliseconds this part of them had ended; 0 if there was none."""
        return quantile_of([latency for _, latency, _ in self.samples] or [0.0], quantile) * 1000

    def last_other_than(self, *good: str) -> float | None:
        """Return when the last one was due whose outcome was none of these; None if all were."""
        return max((due for due, _, outcome in self.samples if outcome not in good), default=None)


class GoodRequests:
    """A load that has begun; C{began} as the monotonic clock has it."""

    def __init__(self, load: Load) -> None:
        self._running = Running(load)
        self.began = time.monotonic()
        self._running.begin()

    def answers(self) -> Answers:
        """Wait for its end."""
        heard = self._running.result()
        return Answers([(self.began + due, latency, outcome) for due, latency, outcome in heard.samples])


def ask_half_closed(port: int, requests: Iterable[bytes], rate: float, within: float) -> Answers:
    """
    Make requests one by one, and close the sending half of the connection right after each.

    @param rate: a second.
    @param within: seconds that an answer may take.
    """
    began = time.monotonic()
    samples = []
    for number, request in enumerate(requests):
        due = began + number / rate
        time.sleep(max(0.0, due - time.monotonic()))
        outcome = half_closed(port, request, within)
        samples.append((due, time.monotonic() - due, outcome))
    return Answers(samples)


def half_closed(port: int, request: bytes, within: float) -> str:
    """Send the request and FIN, read until the server closes, and return the outcome."""
    heard = b""
    try:
        with socket.create_connection(("127.0.0.1", port), within) as line:
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):
                while piece := line.recv(65536):
                    heard += piece
    except TimeoutError:
        return TIMED_OUT
    except OSError:
        return RESET
    return outcome_of(heard) if heard else NO_ANSWER
