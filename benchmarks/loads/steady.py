"""A1 to A3: nothing but good requests: few, as many as a server can answer, and after years."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import median

from benchmarks.loads.contender import PATIENCE, Contender, Deployment, InitialState
from benchmarks.loads.hostile import GOOD
from benchmarks.loads.load_result import LoadResult
from benchmarks.output.table import alternate, ratios
from benchmarks.requests.cost import POSTGRES, SERVER, Measured, measure
from benchmarks.requests.load import Load
from tests.support.testbed.process_cost import proportional_octets
from tests.support.testbed.testbed import Testbed

RATE = 50.0
FEW, MANY = 16, 64
BESIDE = 4
SHORT_HISTORY, LONG_HISTORY = 2_000, 500_000

Found = Mapping[str, Sequence[Measured]]


def few_and_many(testbed: Testbed, contenders: Sequence[Contender], quick: bool) -> dict[str, list[LoadResult]]:
    """A1 and A2: 50 reports a second, and as many as can be, on all servers in turns."""
    rounds, seconds = (1, 2.0) if quick else (3, 4.0)
    deployments = {contender.name: contender.open(testbed, InitialState()) for contender in contenders}
    for deployment in deployments.values():
        deployment.warm_up()
    a1 = alternate(
        rounds, {name: partial(at_rate, deployment, 2 * seconds) for name, deployment in deployments.items()}
    )
    a2 = {
        many: alternate(
            rounds, {name: partial(saturated, deployment, many, seconds) for name, deployment in deployments.items()}
        )
        for many in (FEW, MANY)
    }
    memory = {name: proportional_octets(deployment.server.pid) / 1e6 for name, deployment in deployments.items()}
    for deployment in deployments.values():
        deployment.close()
    return {"A1": few_rows(contenders, a1, memory), "A2": many_rows(contenders, a2)}


def at_rate(deployment: Deployment, seconds: float) -> Measured:
    """Send 50 reports a second."""
    return measure(deployment.testbed, deployment.server, deployment.reports(RATE, seconds))


def saturated(deployment: Deployment, at_a_time: int, seconds: float) -> Measured:
    """Send as many reports as are answered."""
    load = Load(deployment.port, deployment.rounds.next(), seconds, at_a_time=at_a_time, patience=2 * PATIENCE)
    return measure(deployment.testbed, deployment.server, load)


def few_rows(contenders: Sequence[Contender], found: Found, memory: Mapping[str, float]) -> list[LoadResult]:
    """Compare A1: our CPU with that of the old server that takes least, our p99 with the median of theirs."""
    p99s = {name: [each.heard.latency(0.99) * 1000 for each in measured] for name, measured in found.items()}
    shares = {name: [100 * each.spent.share(SERVER) for each in measured] for name, measured in found.items()}
    rows = []
    for each in contenders:
        figures = {
            "p99 ms": median(p99s[each.name]),
            "CPU %": median(shares[each.name]),
            "PostgreSQL %": median(100 * one.spent.share(POSTGRES) for one in found[each.name]),
            "PSS MB": memory[each.name],
        }
        if each.is_ours and (old := [one.name for one in contenders if not one.is_ours]):
            middle = [median(values) for values in zip(*(p99s[name] for name in old), strict=True)]
            figures["p99 to old"] = ratios(p99s[each.name], middle).median
            figures["CPU to old"] = ratios(shares[each.name], best(shares, old, min)).median
        rows.append(row("A1", each, found[each.name], figures))
    return rows


def many_rows(contenders: Sequence[Contender], found: Mapping[int, Found]) -> list[LoadResult]:
    """Compare A2: each server with the number of connections that suits it."""
    suits = {
        each.name: max(found, key=lambda many, name=each.name: median(one.heard.rate for one in found[many][name]))
        for each in contenders
    }
    measured = {name: found[many][name] for name, many in suits.items()}
    rates = {name: [one.heard.rate for one in each] for name, each in measured.items()}
    micros = {name: [one.server_micros for one in each] for name, each in measured.items()}
    single = [each.name for each in contenders if each.is_single and not each.is_ours]
    rows = []
    for each in contenders:
        figures = {
            "connections": suits[each.name],
            "requests/s": median(rates[each.name]),
            "p99 ms": median(one.heard.latency(0.99) * 1000 for one in measured[each.name]),
            "CPU s/1000": median(micros[each.name]) / 1000,
            "PostgreSQL s/1000": median(one.postgres_micros for one in measured[each.name]) / 1000,
        }
        if each.is_ours and single:
            figures["rate to old"] = ratios(rates[each.name], best(rates, single, max)).median
            figures["CPU to old"] = ratios(micros[each.name], best(micros, single, min)).median
        rows.append(row("A2", each, measured[each.name], figures))
    return rows


def best(by_name: Mapping[str, Sequence[float]], names: Sequence[str], pick: Callable[..., str]) -> Sequence[float]:
    """Take the rounds of the one whose median is the least, or the greatest."""
    return by_name[pick(names, key=lambda name: median(by_name[name]))]


def after_years(testbed: Testbed, contenders: Sequence[Contender], quick: bool) -> list[LoadResult]:
    """A3: the same requests with little and with much history; the CPU of PostgreSQL counts as well."""
    much = LONG_HISTORY // 10 if quick else LONG_HISTORY
    rows = [history_row(testbed, each, InitialState(past_sessions=much), quick) for each in contenders]
    forgetful = next((each for each in contenders if each.is_single and not each.is_ours), None)
    if forgetful is not None:
        named = replace(forgetful, name=f"{forgetful.name}, no index")
        rows.append(history_row(testbed, named, InitialState(past_sessions=much, index=False), quick))
    return rows


def history_row(testbed: Testbed, contender: Contender, initial_state: InitialState, quick: bool) -> LoadResult:
    """Measure one server with both histories in turns."""
    rounds = (3 if quick else 5) if contender.is_ours else 1
    young = contender.open(testbed, replace(initial_state, past_sessions=SHORT_HISTORY))
    old = contender.open(testbed, initial_state)
    sides = {"young": partial(saturated, young, BESIDE, 3.0), "old": partial(saturated, old, BESIDE, 3.0)}
    for deployment in (young, old):
        deployment.warm_up()
    found = alternate(rounds, sides)
    young.close()
    old.close()
    costs = {age: [each.server_micros + each.postgres_micros for each in found[age]] for age in found}
    figures = {
        "stays": initial_state.past_sessions,
        "p99 ms": median(each.heard.latency(0.99) * 1000 for each in found["old"]),
        "CPU s/1000 day one": median(each.server_micros for each in found["young"]) / 1000,
        "CPU s/1000": median(each.server_micros for each in found["old"]) / 1000,
        "PostgreSQL s/1000": median(each.postgres_micros for each in found["old"]) / 1000,
        "cost to day one": ratios(costs["old"], costs["young"]).median,
    }
    return row("A3", contender, found["old"], figures)


def row(load: str, contender: Contender, measured: Sequence[Measured], figures: Mapping[str, float]) -> LoadResult:
    """Add what came of the requests."""
    outcomes: Counter[str] = sum((each.heard.outcomes for each in measured), Counter())
    missed = sum(each.heard.other_than(GOOD) for each in measured)
    return LoadResult(load, contender.name, outcomes, {**figures, "not served": missed})
