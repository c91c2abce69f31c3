"""A million inputs that no well-meaning client sends, at the readers, at the whole HTTP side, and through sockets."""

from __future__ import annotations

import gc
import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.chaos.fuzz.readers import States, read, read_list, say, say_list
from tests.chaos.fuzz.requests import Babble, seeds, sign
from tests.chaos.fuzz.site import SiteInMemory
from tests.chaos.fuzz.sockets import babble, furnish
from tests.chaos.report.trial_result import TrialResult
from tests.support.testbed.process_watch import Watch
from tests.support.testbed.testbed import Testbed
from wifidogd.domain.sessions import Dialect

QUERIES, STATES, CONVERSATIONS, THROUGH_SOCKETS = 400_000, 250_000, 345_000, 5_000
LISTS = 1_000_000
MOST_GROWTH = 16_000_000
"""Octets that a process may have more in the end than when a tenth was done."""

MAIL = ("--public-url", "http://wifi.example", "--mail", "smtp+tls://127.0.0.1:9", "--mail-from", "wifi@b.example")
SHOWN = 10
"""Complaints of one kind that are told."""

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


def trial() -> Sequence[TrialResult]:
    """Run the fuzzers on a million inputs, and on a million lists of clients."""
    row = in_memory(QUERIES, STATES, CONVERSATIONS, LISTS, seed=time.time_ns() % 1_000_000)
    return [row, through_sockets(THROUGH_SOCKETS, seed=time.time_ns() % 1_000_000)]


def in_memory(query_count: int, state_count: int, conversation_count: int, list_count: int, seed: int) -> TrialResult:
    """Do all that needs no socket."""
    course, statuses = conversations(conversation_count, seed)
    courses = {
        "queries": queries(query_count, seed),
        "signed states": states(state_count, seed),
        "lists of clients": lists(list_count, seed),
        "conversations": course,
    }
    seen = "; ".join(
        f"{course.inputs:,} {name} in {course.seconds:.0f} s, {course.growth / 1e6:+.1f} MB"
        for name, course in courses.items()
    )
    missed = [f"{name}: {what}" for name, course in courses.items() for what in course.complaints]
    missed += [f"{name} took more memory" for name, course in courses.items() if course.growth > MOST_GROWTH]
    return TrialResult(
        "inputs made to break parsers, in memory",
        f"seed {seed}; answers: {listed(statuses)}",
        "no exception, no traceback, never 500, answers that gateways can read, an end within the deadlines, no growth",
        seen,
        missed,
    )


def through_sockets(count: int, seed: int) -> TrialResult:
    """Do the same at a server of its own, with a database."""
    with Testbed() as testbed:
        dsn = testbed.create_database()
        testbed.wifidogd(dsn).end()
        begin_with = furnish(dsn)
        server = testbed.wifidogd(dsn, *MAIL)
        babble(server.port, begin_with, count // 10, seed)
        watch, began = Watch(server), time.monotonic()
        said = babble(server.port, begin_with, count, seed + 1)
        watch.end()
        span, log = watch.between(began, time.monotonic()), server.log.read_text(errors="replace")
    missed = said.complaints[:SHOWN]
    if "Traceback" in log or "Unhandled" in log:
        missed.append(f"a traceback in the log: {log[log.find('Traceback') :][:2000]}")
    growth = span.glances[-1].memory - span.glances[0].memory
    if growth > MOST_GROWTH:
        missed.append(f"{growth / 1e6:.1f} MB more")
    seen = (
        f"{count:,} conversations in {span.seconds:.0f} s: {listed(said.statuses)}; {growth / 1e6:+.1f} MB "
        f"in the end, {span.log} octets of log, descriptors {span.descriptors}"
    )
    return TrialResult(
        "the same through sockets, at a server with a database",
        f"seed {seed}; 8 clients at a time",
        "never 500, no traceback, an answer or a close within 30 s, at most 16 MB more",
        seen,
        missed,
    )


def listed(statuses: Counter[int]) -> str:
    """Return how often each status was answered, the most frequent first."""
    return ", ".join(f"{count:,} x {status}" for status, count in statuses.most_common())


TRIALS = {"fuzz": trial}
