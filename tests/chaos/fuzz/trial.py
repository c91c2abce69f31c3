"""Millions of inputs that no well-meaning client sends, at the readers, at whole connections, and through sockets."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.fuzz.courses import SHOWN, Course, conversations, frames, lists, messages, queries, states
from tests.chaos.fuzz.frames import babble_frames, furnish_routers, kept
from tests.chaos.fuzz.sockets import Said, babble, furnish
from tests.chaos.report.trial_result import TrialResult
from tests.support.testbed.process_watch import Watch
from tests.support.testbed.server_process import ServerProcess
from tests.support.testbed.testbed import Testbed

QUERIES, STATES, CONVERSATIONS, THROUGH_SOCKETS = 400_000, 250_000, 345_000, 5_000
LISTS = 1_000_000
MESSAGES, FRAMES, THROUGH_WEBSOCKETS = 1_000_000, 100_000, 20_000
MOST_GROWTH = 16_000_000
"""Octets that a process may have more in the end than when a tenth was done."""

MAIL = ("--public-url", "http://wifi.example", "--mail", "smtp+tls://127.0.0.1:9", "--mail-from", "wifi@b.example")


def trial() -> Sequence[TrialResult]:
    """Run the fuzzers on a million inputs, on a million lists of clients, and on a million messages of routers."""
    seed = time.time_ns() % 1_000_000
    return [
        in_memory(QUERIES, STATES, CONVERSATIONS, LISTS, seed),
        through_sockets(THROUGH_SOCKETS, seed),
        of_routers(MESSAGES, FRAMES, seed),
        through_websockets(THROUGH_WEBSOCKETS, seed),
    ]


def in_memory(query_count: int, state_count: int, conversation_count: int, list_count: int, seed: int) -> TrialResult:
    """Do all that needs no socket."""
    course, statuses = conversations(conversation_count, seed)
    courses = {
        "queries": queries(query_count, seed),
        "signed states": states(state_count, seed),
        "lists of clients": lists(list_count, seed),
        "conversations": course,
    }
    return TrialResult(
        "inputs made to break parsers, in memory",
        f"seed {seed}; answers: {listed(statuses)}",
        "no exception, no traceback, never 500, answers that gateways can read, an end within the deadlines, no growth",
        described(courses),
        misses(courses),
    )


def described(courses: Mapping[str, Course]) -> str:
    """Return how each course went, in words."""
    return "; ".join(
        f"{course.inputs:,} {name} in {course.seconds:.0f} s, {course.growth / 1e6:+.1f} MB"
        for name, course in courses.items()
    )


def misses(courses: Mapping[str, Course]) -> list[str]:
    """List the promises that were not kept."""
    missed = [f"{name}: {what}" for name, course in courses.items() for what in course.complaints]
    return missed + [f"{name} took more memory" for name, course in courses.items() if course.growth > MOST_GROWTH]


def of_routers(message_count: int, frame_count: int, seed: int) -> TrialResult:
    """Do all that needs no socket with what routers say over WebSockets."""
    course, statuses = frames(frame_count, seed)
    courses = {"messages": messages(message_count, seed), "conversations in frames": course}
    return TrialResult(
        "messages and frames over WebSockets made to break parsers, in memory",
        f"seed {seed}; answers and close frames: {listed(statuses)}",
        "no exception, no traceback; frames and answers that a router reads, with its own settings; nobody is thrown "
        "off, and no reply taken for that of another router; an end within the deadlines, no growth",
        described(courses),
        misses(courses),
    )


def through_sockets(count: int, seed: int) -> TrialResult:
    """Do the same as L{in_memory} at a server of its own, with a database."""
    with Testbed() as testbed:
        dsn = testbed.create_database()
        testbed.wifidogd(dsn).end()
        begin_with = furnish(dsn)
        server = testbed.wifidogd(dsn, *MAIL)
        talked = watched(server, lambda count, seed: babble(server.port, begin_with, count, seed), count, seed)
    return TrialResult(
        "the same through sockets, at a server with a database",
        f"seed {seed}; 8 clients at a time",
        "never 500, no traceback, an answer or a close within 30 s, at most 16 MB more",
        talked.seen,
        talked.missed,
    )


def through_websockets(count: int, seed: int) -> TrialResult:
    """Do the same with frames, while there are guests who are to be thrown off by other routers."""
    with Testbed() as testbed:
        dsn = testbed.create_database()
        testbed.wifidogd(dsn).end()
        furnish_routers(dsn)
        server = testbed.wifidogd(dsn)
        before = kept(dsn)
        talked = watched(server, lambda count, seed: babble_frames(server.port, count, seed), count, seed)
        if kept(dsn) != before:
            talked.missed.append(f"{kept(dsn)} are stored, and {before} were before")
    return TrialResult(
        "requests for WebSockets, and frames, made to break parsers, through sockets",
        f"seed {seed}; 8 clients at a time; two guests are to be thrown off by other routers",
        "no traceback, an answer or a close within 30 s, 15 s for who does not say who they are; no session changes, "
        "nobody is told of another router's guest; at most 16 MB more, no descriptors",
        talked.seen,
        talked.missed,
    )


@dataclass(frozen=True, slots=True)
class Talked:
    """What many conversations have shown, and what of it was promised otherwise."""

    seen: str
    missed: list[str]


def watched(server: ServerProcess, talk: Callable[[int, int], Said], count: int, seed: int) -> Talked:
    """
    Have many conversations with a server, after a tenth of as many that are not looked at.

    @param talk: called with how many, and a seed.
    """
    talk(count // 10, seed)
    watch, began = Watch(server), time.monotonic()
    said = talk(count, seed + 1)
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
    return Talked(seen, missed)


def listed(statuses: Counter[int]) -> str:
    """Return how often each status was answered, the most frequent first."""
    return ", ".join(f"{count:,} x {status}" for status, count in statuses.most_common())


TRIALS = {"fuzz": trial}
