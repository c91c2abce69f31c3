"""The result of a simulation, in words and numbers."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from datetime import timedelta

from wifidogd.ctl.cli.arguments import show_duration, show_octets
from wifidogd.ctl.cli.output import count, print_table, printable, seconds
from wifidogd.domain.sessions import Octets
from wifidogd.simulation.oracle.comparison import Audit
from wifidogd.simulation.run import Simulation
from wifidogd.simulation.statistics import Latencies, Statistics


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was seen on the wire, and in the tables."""

    statistics: Statistics
    audit: Audit

    @property
    def is_right(self) -> bool:
        """Whether every request was answered rightly and every octet is where it belongs."""
        return not (
            self.statistics.wrong or self.statistics.unanswered or self.audit.difference_count or self.audit.unchecked
        )


def live_line(simulation: Simulation, length: timedelta) -> str:
    """Return one line about the state of a simulation."""
    statistics = simulation.context.statistics
    elapsed = timedelta(seconds=int(statistics.elapsed))
    return (
        f"{elapsed} of {length}  {simulation.online} sessions  "
        f"{statistics.all.count} requests, {_rate(statistics)}/s  {_latencies(statistics.all)}  "
        f"unanswered {statistics.unanswered}  wrong {statistics.wrong}"
    )


def print_summary(verdict: Verdict) -> None:
    """Print what was asked, how it was answered and what is stored."""
    statistics, audit = verdict.statistics, verdict.audit
    rows = [
        (
            kind.value,
            str(asked.latencies.count),
            _milliseconds(asked.latencies.below(0.5)),
            _milliseconds(asked.latencies.below(0.99)),
            _milliseconds(asked.latencies.longest if asked.latencies.count else None),
            str(asked.unanswered),
            str(asked.wrong),
        )
        for kind, asked in statistics.asked.items()
    ]
    print_table(("REQUEST", "ANSWERED", "P50", "P99", "LONGEST", "UNANSWERED", "WRONG"), rows)
    print()
    elapsed = show_duration(timedelta(seconds=statistics.elapsed))
    print(f"Requests   {statistics.all.count} in {elapsed}, {_rate(statistics)}/s")
    roams, restarts = count(statistics.roams, "guest"), count(statistics.restarts, "time")
    print(f"Sessions   {audit.sessions}; {roams} went on at another gateway; gateways restarted {restarts}")
    print(f"Reported   {_exactly(audit.expected)}")
    print(f"Stored     {_exactly(audit.stored)}")
    if audit.open_questions:
        devices = count(audit.open_questions, "device")
        print(f"Uncertain  {devices}: lost answers or restarts leave more than one right sum")
    if audit.unchecked:
        print(f"Unchecked  {count(audit.unchecked, 'device')}: too many answers are missing")
    for fault in statistics.faults:
        print(f"Wrong: {printable(fault)}")
    for difference in audit.differences:
        print(f"Difference: {printable(difference)}")
    print(_conclusion(verdict))


def document(verdict: Verdict, simulation: Simulation, wanted: Namespace) -> dict[str, object]:
    """Return the same for scripts; latencies in seconds."""
    statistics, audit = verdict.statistics, verdict.audit
    return {
        "right": verdict.is_right,
        "gateways": len(simulation.gateways),
        "guests": len(simulation.guests),
        "interval_seconds": seconds(wanted.interval),
        "speed": wanted.speed,
        "elapsed_seconds": round(statistics.elapsed, 3),
        "restarts": statistics.restarts,
        "roams": statistics.roams,
        "requests": {
            kind.value: {
                **_told(asked.latencies),
                "unanswered": asked.unanswered,
                "wrong": asked.wrong,
            }
            for kind, asked in statistics.asked.items()
        },
        "all": _told(statistics.all),
        "faults": statistics.faults,
        "sessions": audit.sessions,
        "reported": {"incoming_octets": audit.expected.incoming, "outgoing_octets": audit.expected.outgoing},
        "stored": {"incoming_octets": audit.stored.incoming, "outgoing_octets": audit.stored.outgoing},
        "uncertain_devices": audit.open_questions,
        "unchecked_devices": audit.unchecked,
        "difference_count": audit.difference_count,
        "differences": audit.differences,
    }


def _conclusion(verdict: Verdict) -> str:
    if verdict.is_right:
        return "Every answer was right, and every octet is accounted for."
    statistics, audit = verdict.statistics, verdict.audit
    return (
        f"Not all was right: {count(statistics.wrong, 'wrong answer')}, {count(statistics.unanswered, 'request')} "
        f"unanswered, {count(audit.difference_count, 'difference')} in the tables."
    )


def _told(latencies: Latencies) -> dict[str, object]:
    return {
        "answered": latencies.count,
        "p50": latencies.below(0.5),
        "p99": latencies.below(0.99),
        "longest": latencies.longest,
    }


def _rate(statistics: Statistics) -> str:
    return f"{statistics.all.count / statistics.elapsed:.0f}" if statistics.elapsed else "0"


def _latencies(latencies: Latencies) -> str:
    return f"p50 {_milliseconds(latencies.below(0.5))} p99 {_milliseconds(latencies.below(0.99))}"


def _milliseconds(length: float | None) -> str:
    return "-" if length is None else f"{1_000 * length:.1f} ms"


def _exactly(octets: Octets) -> str:
    sizes = f"{show_octets(octets.incoming)} down, {show_octets(octets.outgoing)} up"
    return f"{octets.incoming} octets down, {octets.outgoing} up ({sizes})"
