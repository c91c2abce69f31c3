"""Every answer of a load: when, how fast, and which of the answers that docs/protocol.md promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from benchmarks.requests.load import quantile_of
from wifidogd.simulation.statistics import Kind


class Outcome(Enum):
    """
    What came of a request.

    C{CANNOT_SAY} is what docs/protocol.md 3.2 has for when something is wrong on our side; C{HUNG_UP} is no answer
    within the seconds that the gateway waits for one; C{AMISS} is an answer that nobody promised.
    """

    SERVED = "served"
    DENIED = "denied"
    CANNOT_SAY = "cannot say"
    REFUSED = "not reached"
    LOST = "no answer"
    HUNG_UP = "not waited for"
    AMISS = "amiss"


class Answer(NamedTuple):
    """
    One request.

    @ivar at: when its answer came, as the monotonic clock has it.
    @ivar took: seconds.
    @ivar token: that the request was about; empty for none.
    """

    at: float
    took: float
    kind: Kind
    outcome: Outcome
    token: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """Any number of them, in the order in which they came."""

    all: Sequence[Answer]

    def __len__(self) -> int:
        return len(self.all)

    def between(self, begin: float, end: float) -> Answers:
        """Pick those that came in a while."""
        return self.where(lambda answer: begin <= answer.at < end)

    def of(self, *kinds: Kind) -> Answers:
        """Pick some kinds."""
        return self.where(lambda answer: answer.kind in kinds)

    def about(self, tokens: Collection[str]) -> Answers:
        """Pick those about some tokens."""
        return self.where(lambda answer: answer.token in tokens)

    @property
    def served_tokens(self) -> set[str]:
        """What those were about that were served."""
        return {answer.token for answer in self.all if answer.outcome is Outcome.SERVED}

    def where(self, chosen: Callable[[Answer], bool]) -> Answers:
        """Pick any."""
        return Answers([answer for answer in self.all if chosen(answer)])

    @property
    def outcomes(self) -> Counter[Outcome]:
        """Count what came of them."""
        return Counter(answer.outcome for answer in self.all)

    def other_than(self, *good: Outcome) -> int:
        """Count those whose outcome was none of these."""
        return sum(answer.outcome not in good for answer in self.all)

    def first(self, *outcomes: Outcome) -> float | None:
        """Return when the first of these came; None if none did."""
        return min((answer.at for answer in self.all if answer.outcome in outcomes), default=None)

    def last(self, *outcomes: Outcome) -> float | None:
        """Return when the last of these came; None if none did."""
        return max((answer.at for answer in self.all if answer.outcome in outcomes), default=None)

    @property
    def longest(self) -> float:
        """Seconds that the slowest took; 0 if there is none."""
        return max((answer.took for answer in self.all), default=0.0)

    def below(self, share: float) -> float:
        """Return the seconds that this share of them did not exceed; 0 if there is none."""
        return quantile_of([answer.took for answer in self.all] or [0.0], share)
