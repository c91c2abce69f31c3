"""A backup while guests come and go, and restores that are killed at any moment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.chaos.load.answers import Answers, Outcome
from tests.chaos.load.load import TWO_HUNDRED, Load, Scale
from tests.chaos.report.trial_result import TrialResult
from tests.support.checkout import ROOT
from tests.support.old_databases import all_rows
from tests.support.postgres import execute
from tests.support.testbed.testbed import Testbed

WITHIN = 120.0
LONGEST_ANSWER = 1.0

AT_WORK = """
    SELECT count(*)
      FROM pg_stat_activity
     WHERE datname = current_database()
       AND pid <> pg_backend_pid()
"""


def trial(scale: Scale = TWO_HUNDRED, before: float = 20.0, kills: int = 20) -> list[TrialResult]:
    """Make a backup under load, then play it back again and again."""
    with Testbed() as testbed:
        file = testbed.home / "backup"
        backed_up = back_up(testbed, file, scale, before)
        return [backed_up, restore(testbed, file, kills)]


def back_up(testbed: Testbed, file: Path, scale: Scale, before: float) -> TrialResult:
    """Make a backup while a server is at work."""
    dsn = testbed.create_database()
    server = testbed.wifidogd(dsn)
    with Load(server, dsn, scale, testbed.home) as load:
        time.sleep(before)
        began = time.monotonic()
        wifidogctl(dsn, "backup", str(file)).wait(WITHIN)
        ended = time.monotonic()
        told = load.end()
    server.end()
    meanwhile = told.answers.between(began, ended)
    return TrialResult(
        "wifidogctl backup while the server is at work",
        f"{scale.guests} guests at {scale.gateways} gateways, {len(meanwhile) / (ended - began):.0f} requests a second",
        f"everybody is answered as if nothing were, within {LONGEST_ANSWER:g} s; books balance",
        f"{file.stat().st_size / 1e6:.1f} MB in {ended - began:.1f} s; meanwhile {len(meanwhile)} answers, the slowest"
        f" after {meanwhile.longest:.2f} s; {told.wrong} wrong; {told.difference_count} differences",
        [*told.complaints(), *disturbed(meanwhile)],
    )


def disturbed(answers: Answers) -> list[str]:
    """Return what guests and gateways noticed."""
    found = []
    if answers.other_than(Outcome.SERVED, Outcome.DENIED) or not len(answers):
        found.append(f"answers meanwhile: {dict(answers.outcomes)}")
    if answers.longest > LONGEST_ANSWER:
        found.append(f"an answer took {answers.longest:.2f} s")
    return found


def restore(testbed: Testbed, file: Path, kills: int) -> TrialResult:
    """Restore over another database, and kill that again and again; what is there must be the one or the other."""
    dsn, dice = testbed.create_database(), Random(5)
    took = min(timed(dsn, file) for _ in range(3))
    new = all_rows(dsn)
    execute(dsn, "DELETE FROM past_sessions", "DELETE FROM sessions", "UPDATE networks SET title = 'before'")
    old = all_rows(dsn)
    found: Counter[str] = Counter()
    for _ in range(kills):
        process = wifidogctl(dsn, "restore", "--replace", str(file))
        time.sleep(dice.uniform(0.2, 0.95) * took)
        process.kill()
        process.wait()
        wait_for_peace(dsn)
        now = all_rows(dsn)
        found["the old one" if now == old else "the new one" if now == new else "a mixture"] += 1
        if now != old:
            execute(dsn, "DELETE FROM past_sessions", "DELETE FROM sessions", "UPDATE networks SET title = 'before'")
    timed(dsn, file)
    missed = [f"{found['a mixture']} times a mixture"] if found["a mixture"] else []
    if all_rows(dsn) != new:
        missed.append("in the end the database is not what was backed up")
    return TrialResult(
        f"wifidogctl restore killed with SIGKILL {kills} times, at any moment",
        f"{sum(map(len, new.values()))} rows in {len(new)} tables, over a database that is there",
        "the database is what it was, or what was backed up, and never anything else; the next restore completes it",
        ", ".join(f"{count} times {what}" for what, count in found.most_common()),
        missed,
    )


def timed(dsn: str, file: Path) -> float:
    """Restore to the end, and tell how many seconds it took."""
    began = time.monotonic()
    if wifidogctl(dsn, "restore", "--replace", str(file)).wait(WITHIN):
        raise RuntimeError("the backup cannot be restored")
    return time.monotonic() - began


def wait_for_peace(dsn: str) -> None:
    """Wait until programs that were left behind have ended."""
    give_up = time.monotonic() + WITHIN
    while execute(dsn, AT_WORK) != [(0,)] and time.monotonic() < give_up:
        time.sleep(0.1)


def wifidogctl(dsn: str, *words: str) -> subprocess.Popen[bytes]:
    """Begin a command."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WIFIDOGD_DATABASE": dsn}
    command = [sys.executable, "-m", "wifidogd.ctl", *words]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)


TRIALS = {"backup": trial}
