"""A9 and A10: PostgreSQL stands still, or is stopped and started."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.loads.contender import GATEWAY_PATIENCE, Deployment
from benchmarks.loads.good_requests import Answers, GoodRequests
from benchmarks.loads.hostile import GOOD, LOOK_INTERVAL, usual
from benchmarks.loads.load_result import LoadResult
from benchmarks.requests.load import Load
from tests.support.testbed.process_watch import Watch
from tests.support.testbed.testbed import PREFIX

RATE, PAGE_RATE = 20.0, 5.0
BEFORE = 2.0
TOLD = (GOOD, "Auth: -1")
"""What a gateway may be told while the database is away: that it may stay as it is, at the least."""

LATE_PAGE_MS = 100.0


@dataclass(frozen=True, slots=True)
class Messages:
    """What browsers ask for when a gateway has refused them: a page that needs no query."""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield f"GET {PREFIX}gw_message.php?message=denied HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode()


def stalled(deployment: Deployment, name: str, quick: bool) -> LoadResult:
    """A9: every process of PostgreSQL stands still for a while, as when its disk hangs."""
    length, after = (3.0, 4.0) if quick else (8.0, 6.0)
    watch = Watch(deployment.server, interval=LOOK_INTERVAL)
    seconds = BEFORE + length + after
    pages = GoodRequests(Load(deployment.port, Messages(), seconds, rate=PAGE_RATE, patience=GATEWAY_PATIENCE))
    reports = GoodRequests(deployment.reports(RATE, seconds, GATEWAY_PATIENCE))
    time.sleep(BEFORE)
    begin = time.monotonic()
    deployment.testbed.postgres.freeze()
    time.sleep(length)
    deployment.testbed.postgres.thaw()
    end = time.monotonic()
    all_reports, meanwhile = reports.answers(), pages.answers().between(begin, end)
    watch.end()
    figures = usual(watch, all_reports.between(begin, end), begin, end) | {
        **told(all_reports, begin, end),
        "pages late": sum(latency * 1000 > LATE_PAGE_MS or said != "200" for _, latency, said in meanwhile.samples),
    }
    return LoadResult("A9", name, all_reports.between(begin, end).outcomes, figures)


def stopped(deployment: Deployment, name: str, quick: bool) -> LoadResult:
    """A10: PostgreSQL is stopped, away for a while, and started."""
    length, after = (2.0, 5.0) if quick else (5.0, 8.0)
    watch = Watch(deployment.server, interval=LOOK_INTERVAL)
    reports = GoodRequests(deployment.reports(RATE, BEFORE + length + after, GATEWAY_PATIENCE))
    time.sleep(BEFORE)
    begin = time.monotonic()
    deployment.testbed.postgres.stop()
    time.sleep(max(0.0, begin + length - time.monotonic()))
    deployment.testbed.postgres.start()
    end = time.monotonic()
    answers = reports.answers()
    watch.end()
    figures = usual(watch, answers.between(begin, end), begin, end) | {
        **told(answers, begin, end),
        "thrown off": answers.outcomes["Auth: 0"],
    }
    return LoadResult("A10", name, answers.between(begin, end).outcomes, figures)


def told(answers: Answers, begin: float, end: float) -> dict[str, float]:
    """Return how gateways fared while the database was away, and how soon all was well after."""
    meanwhile = answers.between(begin, end)
    last = answers.last_other_than(GOOD)
    return {
        "not told": meanwhile.other_than(*TOLD),
        "slowest ms": meanwhile.latency_ms(1.0),
        "back after s": 0.0 if last is None else max(0.0, last - end),
    }
