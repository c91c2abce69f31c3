"""
wifidogd on a machine whose clock is set, as NTP or a person does it, or whose zone changes to summer time.

libfaketime gives the server a wall clock of its own and leaves its steady clock alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.chaos.load.answers import Outcome
from tests.chaos.load.load import TWO_HUNDRED, Load, Scale, Told
from tests.chaos.report.trial_result import TrialResult
from tests.chaos.trials.server_ends import NO_LOSS, judge
from tests.support.postgres import execute
from tests.support.testbed.server_process import ServerProcess, ask
from tests.support.testbed.testbed import Testbed
from wifidogd.simulation.statistics import Kind

HOUR = 3600.0

SETTLE = 6.0
"""Seconds for a load to get going."""

SWEPT_AFTER = 40.0
"""Seconds in which every timer that ends sessions has come round."""

LEARNT_WITHIN = 30.0
"""Seconds for a server to see that a gateway was adopted; a timer looks every second."""

WINTER = datetime(2026, 10, 25, 1, tzinfo=UTC)
SUMMER = datetime(2027, 3, 28, 1, tzinfo=UTC)
"""When Berlin changes to either."""

OUTDATED = re.compile("form: .* got status 400")
"""What a simulated guest says of a form that was open when the clock went forward."""

PROMISED = (
    f"no timer stops, no deadline comes early or late; whatever was accepted has an answer; {NO_LOSS}; whoever has the "
    "form open when the clock goes forward may have to begin again"
)


class WallClock:
    """The wall clock of a server's machine."""

    def __init__(self, home: Path) -> None:
        self._file = home / "clock"
        self.set_right()

    def set(self, ahead: float) -> None:
        """Set the clock so many seconds ahead of the true time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead:+.3f}\n")
        new.replace(self._file)

    def set_right(self) -> None:
        """Return the true time."""
        self.set(0.0)

    def approach(self, moment: datetime, seconds: float) -> None:
        """Come to a moment in so many seconds."""
        self.set((moment - datetime.now(UTC)).total_seconds() - seconds)

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the environment that makes a process use this clock."""
        [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "TZ": "Europe/Berlin",
        }


Change = Callable[[WallClock], None]
"""Sets a clock."""

ADOPT = """
    INSERT INTO gateways (gw_id, network, address, port, adopted_at)
    VALUES ('late-{number}', 'simulation', '10.127.0.1', 2060, now())
"""


def live_through(
    fault: str, *changes: Change, scale: Scale, settle: float = SETTLE, after: float = SWEPT_AFTER
) -> TrialResult:
    """
    Let a server live through changes of its clock.

    @param changes: the first while it begins.
    @param after: seconds after each of the others.
    """
    with Testbed() as testbed:
        clock = WallClock(testbed.home)
        first, *others = changes
        first(clock)
        dsn = testbed.create_database()
        server = testbed.wifidogd(dsn, environment=clock.environment)
        with Load(server, dsn, scale, testbed.home) as load:
            time.sleep(settle)
            learnt = 0.0
            for number, change in enumerate(others):
                change(clock)
                learnt = max(learnt, learn(server, dsn, number))
                time.sleep(after)
            told = load.end()
    rest = excused(told)
    again = told.wrong - rest.wrong
    return judge(fault, PROMISED, rest, f"a new gateway was known within {learnt:.1f} s; {again} had to begin again")


def excused(told: Told) -> Told:
    """Leave out guests whose form was open for an hour as far as anybody can tell."""
    faults = [fault for fault in told.faults if not OUTDATED.fullmatch(fault)]
    wrong = told.wrong - (len(told.faults) - len(faults))
    answers = told.answers.where(lambda answer: (answer.kind, answer.outcome) != (Kind.FORM, Outcome.AMISS))
    return replace(told, answers=answers, wrong=wrong, faults=faults)


def learn(server: ServerProcess, dsn: str, number: int) -> float:
    """
    Adopt a gateway, and wait until a timer of the server has seen it.

    @return: seconds that it took.
    @raise RuntimeError: if it takes too long.
    """
    began = time.monotonic()
    execute(dsn, ADOPT.format(number=number))
    where = f"gw_id=late-{number}&gw_address=10.127.0.1&gw_port=2060&mac=02:00:00:00:00:01"
    page = f"GET /wifidog/login/?{where} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()
    while b" 200 " not in ask(server.port, page).partition(b"\r\n")[0]:
        if time.monotonic() - began > LEARNT_WITHIN:
            raise RuntimeError(f"the server does not look any more:\n{server.log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.1)
    return time.monotonic() - began


def leave(clock: WallClock) -> None:
    """Leave a clock as it is."""


def forward(clock: WallClock) -> None:
    """Set it an hour ahead."""
    clock.set(HOUR)


def back(clock: WallClock) -> None:
    """Set it an hour behind the true time."""
    clock.set(-HOUR)


def towards(moment: datetime, clock: WallClock) -> None:
    """Set the clock so that a given moment comes soon, while the load is there."""
    clock.approach(moment, SETTLE + SWEPT_AFTER / 2)


AHEAD_AND_BACK: Sequence[Change] = (forward, back, forward, WallClock.set_right)


def trial(fault: str, *changes: Change) -> list[TrialResult]:
    """Change the clock of a server under two hundred requests a second."""
    return [live_through(fault, *changes, scale=TWO_HUNDRED)]


TRIALS = {
    "clock-forward": partial(trial, "clock set forward an hour", leave, forward),
    "clock-back": partial(trial, "clock set back an hour", leave, back),
    "clock-both": partial(trial, "clock an hour ahead set back by two, forward by two, and right", *AHEAD_AND_BACK),
    "winter-time": partial(trial, "end of summer time", partial(towards, WINTER), leave),
    "summer-time": partial(trial, "beginning of summer time", partial(towards, SUMMER), leave),
}
