"""A load, a server and a database in trouble."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.chaos.faults.postgres import Fault
from tests.chaos.load.load import Load, Scale, Told
from tests.support.testbed.process_watch import Watch
from tests.support.testbed.server_process import ServerProcess, await_healthy
from tests.support.testbed.testbed import Testbed
from wifidogd.simulation.statistics import Kind

HEALTHY_WITHIN = 30.0
"""Seconds to wait for a server that ought to be back in five."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """
    A fault, and how long it lasts.

    @ivar what: in words.
    @ivar is_felt: whether some answers must say "cannot say", or else it was no trouble at all.
    @ivar spares: reports that must be served as ever, but for one in ten, on guests who neither come nor go meanwhile.
    """

    what: str
    fault: Fault
    seconds: float
    is_felt: bool = True
    spares: Sequence[Kind] = ()


@dataclass(frozen=True, slots=True)
class Passed:
    """A trouble that is over: when it began, when the database was back, and how long the server was watched."""

    trouble: Trouble
    began: float
    ended: float
    until: float


@dataclass(frozen=True, slots=True)
class Story:
    """
    What happened.

    @ivar sound: when it began and ended that nothing was wrong.
    """

    scale: Scale
    sound: tuple[float, float]
    passed: Sequence[Passed]
    told: Told
    watch: Watch


def suffer(testbed: Testbed, troubles: Sequence[Trouble], scale: Scale, *, before: float, after: float) -> Story:
    """
    Let one load and one server live through troubles, one after another.

    @param before: seconds of a sound database; the first half is for everybody to arrive.
    @param after: seconds to watch the server after each trouble.
    """
    dsn = testbed.create_database()
    server = testbed.wifidogd(dsn)
    watch = Watch(server)
    try:
        with Load(server, dsn, scale, testbed.home) as load:
            time.sleep(before)
            now = time.monotonic()
            passed = [_pass(trouble, trouble.fault(testbed.postgres, dsn), server, after) for trouble in troubles]
            told = load.end()
    finally:
        watch.end()
    return Story(scale, (now - before / 2, now), passed, told, watch)


def _pass(trouble: Trouble, fault: AbstractContextManager[None], server: ServerProcess, after: float) -> Passed:
    """
    Go through one trouble.

    @raise RuntimeError: if the server does not recover at all.
    """
    began = time.monotonic()
    with fault:
        time.sleep(trouble.seconds)
    ended = time.monotonic()
    await_healthy(server, HEALTHY_WITHIN, trouble.what)
    time.sleep(after)
    return Passed(trouble, began, ended, time.monotonic())
