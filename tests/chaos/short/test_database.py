"""A failing database under load, in a few seconds; C{make chaos} takes its time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tests.chaos.faults.embedded_postgres import EmbeddedServers
from tests.chaos.faults.remote_postgres import RemoteTestbed
from tests.chaos.load.load import Scale
from tests.chaos.trials.database import EMBEDDED, FAR, FEW_SLOTS, SMALL, TROUBLES
from tests.chaos.trials.database_faults import Trouble, suffer
from tests.chaos.trials.database_promises import UNNOTICED, Limits, rows
from tests.support.testbed.testbed import Testbed

FEW = Scale(gateways=12, guests=20, interval=1.0)

GENEROUS = Limits(report=4.0, login=30.0, page=16.0, ping=4.0, recovery=15.0, cpu=0.6, log=20_000.0, memory=60_000_000)
"""For a machine that has other things to do."""

SECONDS = 1.2


def missed(testbed: Testbed, troubles: Iterable[Trouble]) -> dict[str, list[str]]:
    """
    Go through troubles, a short time each; what went wrong, by trouble.

    Where the load itself has to wait, one may pass unnoticed; not most of them.
    """
    brief = [replace(trouble, seconds=min(SECONDS, trouble.seconds)) for trouble in troubles]
    with testbed:
        judged = rows(suffer(testbed, brief, FEW, before=1.5, after=0.3), GENEROUS)
    found = {row.fault: list(row.missed) for row in judged if row.missed}
    unnoticed = [fault for fault, missed in found.items() if missed == [UNNOTICED]]
    assert len(unnoticed) <= len(brief) / 2
    return {fault: missed for fault, missed in found.items() if fault not in unnoticed}


def test_a_failing_postgresql_costs_no_guest_and_no_octet() -> None:
    """Stopped, killed, frozen, locked, full of others, replaced: answers as promised, and the audit finds nothing."""
    assert missed(Testbed(FEW_SLOTS), TROUBLES.values()) == {}


def test_a_network_that_loses_everything_costs_no_guest_and_no_octet() -> None:
    """The connections are there for minutes, for whoever does not look at the time."""
    assert missed(RemoteTestbed(), FAR.values()) == {}


def test_an_embedded_postgresql_that_fails_costs_no_guest_and_no_octet() -> None:
    """Killed it is there again at once; without space its statements fail, then all of it, until there is some."""
    assert missed(EmbeddedServers(), [*EMBEDDED.values(), SMALL["no-space"]]) == {}
