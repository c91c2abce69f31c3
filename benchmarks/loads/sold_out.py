"""A11: every voucher code is taken, and people go on wanting one."""

from __future__ import annotations

import time

from benchmarks.loads.asking import Answers, Asking
from benchmarks.loads.hostile import GOOD, GOOD_RATE, SETTLED, usual
from benchmarks.loads.place import Contender, Place
from benchmarks.loads.row import Row
from benchmarks.loads.watch import Watch

RATE = 2.0


def sold_out(place: Place, contender: Contender, quick: bool) -> Row:
    """Let two people a second want a voucher, while gateways report."""
    seconds = 3.0 if quick else 8.0
    watch = Watch(place.server)
    wanting = contender.want_vouchers(place, RATE, seconds)
    time.sleep(SETTLED)
    begin = time.monotonic()
    answers = Asking(place.reports(GOOD_RATE, seconds)).answers()
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
    return Row("A11", contender.name, answers.outcomes, figures)
