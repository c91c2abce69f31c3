"""A4 to A8: clients that vanish, stall, do not read, or close their half, beside gateways that just report."""

from __future__ import annotations

import time
from itertools import islice

from benchmarks.loads.bad_clients import NAMES
from benchmarks.loads.client_process import BadClients
from benchmarks.loads.contender import PATIENCE, Deployment
from benchmarks.loads.good_requests import Answers, GoodRequests, ask_half_closed
from benchmarks.loads.load_result import LoadResult
from tests.support.testbed.process_watch import Watch

GOOD = "Auth: 1"
GOOD_RATE = 5.0
BUSY_RATE = 50.0
LOOK_INTERVAL = 0.25
"""Seconds between two looks at the server."""

SETTLED = 1.0
"""Seconds for processes of clients to begin."""


def usual(watch: Watch, answers: Answers, begin: float, end: float) -> dict[str, float]:
    """Return the figures of every load: latency, CPU meanwhile, log, descriptors."""
    first, most, last = watch.whole.descriptors
    return {
        "p50 ms": answers.latency_ms(0.5),
        "p99 ms": answers.latency_ms(0.99),
        "CPU %": watch.percent(begin, end),
        "log kB": watch.now().log / 1000,
        "fds": first,
        "fds most": most,
        "fds last": last,
    }


def vanishing(deployment: Deployment, name: str, quick: bool) -> LoadResult:
    """A4: 400 clients a second vanish before they are looked at, then none; the CPU in the silence counts."""
    seconds, silence = (3.0, 3.0) if quick else (6.0, 8.0)
    watch = Watch(deployment.server, interval=LOOK_INTERVAL)
    begin = time.monotonic()
    bad_clients = BadClients("rst", deployment.port, seconds, rate=400)
    answers = GoodRequests(deployment.reports(BUSY_RATE, seconds)).answers()
    bad_clients.visits()
    over = time.monotonic()
    time.sleep(2)
    quiet = time.monotonic()
    time.sleep(silence)
    in_silence = watch.percent(quiet, time.monotonic())
    probes = GoodRequests(deployment.reports(4, 1.0)).answers()
    watch.end()
    first, _, last = watch.whole.descriptors
    both = Answers(answers.samples + probes.samples)
    figures = usual(watch, both, over - seconds, over) | {
        "not served": both.other_than(GOOD),
        "CPU % in silence": in_silence,
        "descriptors left": max(0, last - first),
    }
    return LoadResult("A4", name, both.outcomes, figures, watch.by_second(begin, quiet + silence))


def few_bad(deployment: Deployment, name: str, quick: bool) -> LoadResult:
    """A5: two clients that say nothing and 20 a second that vanish; compared with the same requests before."""
    seconds = 4.0 if quick else 7.0
    watch = Watch(deployment.server, interval=LOOK_INTERVAL)
    without = GoodRequests(deployment.reports(GOOD_RATE, seconds)).answers()
    stay = SETTLED + seconds + PATIENCE
    bad_clients = [
        BadClients("silent", deployment.port, stay, count=2, again=True),
        BadClients("rst", deployment.port, stay, rate=20),
    ]
    time.sleep(SETTLED)
    begin = time.monotonic()
    answers = GoodRequests(deployment.reports(GOOD_RATE, seconds)).answers()
    end = time.monotonic()
    for each in bad_clients:
        each.visits()
    watch.end()
    figures = usual(watch, answers, begin, end) | {
        "not served": answers.other_than(GOOD),
        "p50 ms more": answers.latency_ms(0.5) - without.latency_ms(0.5),
        "p99 ms more": answers.latency_ms(0.99) - without.latency_ms(0.99),
    }
    return LoadResult("A5", name, answers.outcomes, figures)


def four_silent(deployment: Deployment, name: str, quick: bool) -> LoadResult:
    """A5 for longer: as many silent clients as Gunicorn has processes, until somebody sends them away."""
    seconds = 20.0 if quick else 70.0
    watch = Watch(deployment.server, interval=LOOK_INTERVAL)
    begin = time.monotonic()
    bad_clients = BadClients("silent", deployment.port, seconds + PATIENCE, count=4)
    time.sleep(SETTLED)
    answers = GoodRequests(deployment.reports(1.0, seconds)).answers()
    end = time.monotonic()
    visits = bad_clients.visits()
    watch.end()
    last = answers.last_other_than(GOOD)
    figures = usual(watch, answers, begin, end) | {
        "sent away": visits.sent_away,
        "served after s": 0.0 if last is None else last - begin,
    }
    return LoadResult("A5+", name, answers.outcomes, figures)


def many_bad(deployment: Deployment, name: str, quick: bool) -> LoadResult:
    """A6: 120 each of clients that are silent, stop in the head, stop in the body, and do not read."""
    seconds, longest = (3.0, 14.0) if quick else (5.0, 46.0)
    watch = Watch(deployment.server, interval=LOOK_INTERVAL)
    begin = time.monotonic()
    bad_clients = {kind: BadClients(kind, deployment.port, longest + 2, count=120) for kind in NAMES}
    time.sleep(2 * SETTLED)
    answers = GoodRequests(deployment.reports(GOOD_RATE, seconds)).answers()
    end = time.monotonic()
    freed = watch.freed_after(begin, longest)
    visits = {kind: bad_clients.visits() for kind, bad_clients in bad_clients.items()}
    watch.end()
    unasked = [each for kind, each in visits.items() if kind != "never-reading"]
    kept = any(each.sent_away < each.opened for each in unasked)
    figures = usual(watch, answers, begin, end) | {
        "came": sum(each.opened for each in visits.values()),
        "sent away": sum(each.sent_away for each in visits.values()),
        "not served": answers.other_than(GOOD),
        "unasked s": longest if kept else max(each.longest for each in unasked),
        "unread s": freed,
    }
    return LoadResult("A6", name, answers.outcomes, figures)


def too_many(deployment: Deployment, name: str, quick: bool) -> LoadResult:
    """A7: 1,100 silent clients, where the server may have 1,024 descriptors; they stay until they are sent away."""
    seconds = 14.0 if quick else 25.0
    watch = Watch(deployment.server, interval=LOOK_INTERVAL)
    begin = time.monotonic()
    bad_clients = BadClients("silent", deployment.port, seconds + SETTLED, count=1100)
    time.sleep(SETTLED)
    answers = GoodRequests(deployment.reports(GOOD_RATE, seconds - 6)).answers()
    busy = watch.percent(begin + SETTLED, begin + SETTLED + 10)
    visits = bad_clients.visits()
    last = answers.last_other_than(GOOD)
    watch.end()
    end = time.monotonic()
    figures = usual(watch, answers, begin, end) | {
        "came": visits.opened,
        "sent away": visits.sent_away,
        "CPU %": busy,
        "served after s": 0.0 if last is None else last - begin,
    }
    return LoadResult("A7", name, answers.outcomes, figures, watch.by_second(begin, end))


def half_closing(deployment: Deployment, name: str, quick: bool) -> LoadResult:
    """A8: gateways' reports, each followed by FIN before the answer."""
    count, rate = (40, 20.0) if quick else (100, 20.0)
    watch = Watch(deployment.server, interval=LOOK_INTERVAL)
    begin = time.monotonic()
    answers = ask_half_closed(deployment.port, islice(deployment.rounds.next(), count), rate, within=5.0)
    end = time.monotonic()
    watch.end()
    figures = usual(watch, answers, begin, end) | {"not served": answers.other_than(GOOD)}
    return LoadResult("A8", name, answers.outcomes, figures)
