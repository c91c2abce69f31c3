"""A11: every voucher code is taken, and people go on wanting one."""

from __future__ import annotations

import time

from benchmarks.loads.contender import Contender, Deployment
from benchmarks.loads.good_requests import Answers, GoodRequests
from benchmarks.loads.hostile import GOOD, GOOD_RATE, LOOK_INTERVAL, SETTLED, usual
from benchmarks.loads.load_result import LoadResult
from tests.support.testbed.process_watch import Watch

RATE = 2.0


def sold_out(deployment: Deployment, contender: Contender, quick: bool) -> LoadResult:
    """Have two people a second ask for a voucher, while gateways report."""
    seconds = 3.0 if quick else 8.0
    watch = Watch(deployment.server, interval=LOOK_INTERVAL)
    wanting = contender.want_vouchers(deployment, RATE, seconds)
    time.sleep(SETTLED)
    begin = time.monotonic()
    answers = GoodRequests(deployment.reports(GOOD_RATE, seconds)).answers()
    end = time.monotonic()
    wanted: Answers = wanting.answers()
    over = time.monotonic()
    time.sleep(3)
    afterwards = watch.percent(over, time.monotonic())
    watch.end()
    figures = usual(watch, answers, begin, end) | {
        "wanted": wanted.count,
        "not served": answers.other_than(GOOD),
        "slowest ms": wanted.latency_ms(1.0),
        "CPU % then": afterwards,
    }
    return LoadResult("A11", contender.name, answers.outcomes, figures)
