"""Many inputs one after the other: how long they took, what memory they left, and what went wrong."""

from __future__ import annotations

import gc
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.chaos.fuzz.frames import FrameBabble
from tests.chaos.fuzz.messages import RoutersInMemory
from tests.chaos.fuzz.readers import States, read, read_list, say, say_list
from tests.chaos.fuzz.requests import Babble, seeds, sign
from tests.chaos.fuzz.site import SiteInMemory
from wifidogd.domain.sessions import Dialect
from wifidogd.web.gateway.websocket.router_socket import SILENT_AFTER

SHOWN = 10
"""Complaints of one kind that are told."""

GONE_WITHIN = int(SILENT_AFTER) + 20
"""Seconds after which every WebSocket must be gone whose client says no more."""

_PAGE = resource.getpagesize()
_DIALECTS = list(Dialect)


@dataclass(slots=True)
class Course:
    """
    How a number of inputs went.

    @ivar inputs: how many.
    @ivar seconds: that they took.
    @ivar growth: octets of memory more at the end than after a tenth.
    @ivar complaints: what went wrong, with the input; the first of them.
    """

    inputs: int
    seconds: float = 0.0
    growth: int = 0
    complaints: list[str] = field(default_factory=list)


def run(inputs: int, one: Callable[[], object]) -> Course:
    """Do something many times; whatever it raises is a complaint."""
    course, began, before = Course(inputs), time.monotonic(), 0
    for number in range(inputs):
        if number == inputs // 10:
            before = memory()
        try:
            one()
        except Exception as problem:
            if len(course.complaints) < SHOWN:
                course.complaints.append(f"{type(problem).__name__}: {problem}"[:3000])
    course.seconds = time.monotonic() - began
    course.growth = memory() - before
    return course


def memory() -> int:
    """Return the resident octets of this process, after garbage is collected."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def queries(inputs: int, seed: int) -> Course:
    """Read queries."""
    chance = Random(seed)

    def one() -> None:
        query = say(chance)
        try:
            read(query, chance.choice(_DIALECTS))
        except Exception as problem:
            raise AssertionError(f"{problem!r} of {query!r}") from problem

    return run(inputs, one)


def lists(inputs: int, seed: int) -> Course:
    """Read lists of clients."""
    chance = Random(seed)

    def one() -> None:
        body = say_list(chance)
        try:
            read_list(body)
        except Exception as problem:
            raise AssertionError(f"{problem!r} of {body!r}") from problem

    return run(inputs, one)


def states(inputs: int, seed: int) -> Course:
    """Open states that were tampered with."""
    chance, signed = Random(seed), States()

    def one() -> None:
        forged = signed.forge(chance)
        try:
            signed.open(forged)
        except Exception as problem:
            raise AssertionError(f"{problem!r} of {forged!r}") from problem

    return run(inputs, one)


def conversations(inputs: int, seed: int) -> tuple[Course, Counter[int]]:
    """
    Talk to the whole HTTP side in memory; some clients do not read, some close their half, some vanish.

    @return: also how often each status was answered.
    """
    statuses: Counter[int] = Counter()
    with SiteInMemory() as site:
        babbler = Babble(seeds(sign(site.state)), seed)

        def one() -> None:
            pieces, way = babbler.conversation(), babbler.chance.random()
            try:
                statuses.update(
                    site.hear(pieces, reads=way > 0.1, finishes=0.05 < way < 0.4, vanishes=0.4 < way < 0.45)
                )
            except Exception as problem:
                raise AssertionError(f"{problem!r} to {b''.join(pieces)[:2000]!r}") from problem

        return run(inputs, one), statuses


def messages(inputs: int, seed: int) -> Course:
    """Let routers say what none says, over connections in memory."""
    with SiteInMemory() as site:
        return run(inputs, RoutersInMemory(Random(seed), site).hear_one)


def frames(inputs: int, seed: int) -> tuple[Course, Counter[int]]:
    """
    Open WebSockets in memory and send frames; clients as in L{conversations}.

    @return: also how often each status was answered, or the code of a close frame.
    """
    statuses: Counter[int] = Counter()
    with SiteInMemory() as site:
        babbler = FrameBabble(seed)

        def one() -> None:
            pieces, way = babbler.conversation(), babbler.chance.random()
            try:
                statuses.update(
                    site.hear(pieces, reads=way > 0.1, finishes=way < 0.8, vanishes=way > 0.95, longest=GONE_WITHIN)
                )
            except Exception as problem:
                raise AssertionError(f"{problem!r} to {b''.join(pieces)[:2000]!r}") from problem

        return run(inputs, one), statuses
