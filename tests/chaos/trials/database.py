"""The long form of every trouble that a database can be in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.chaos.faults import embedded_postgres, postgres, remote_postgres, small_disk
from tests.chaos.load.load import TWO_HUNDRED
from tests.chaos.report.trial_result import TrialResult
from tests.chaos.trials.database_faults import Trouble, suffer
from tests.chaos.trials.database_promises import Limits, rows
from tests.support.testbed.testbed import Testbed
from wifidogd.simulation.statistics import Kind

BEFORE, AFTER = 20.0, 12.0

FEW_SLOTS = {"max_connections": "20"}

TROUBLES = {
    "stopped": Trouble("PostgreSQL stopped and started 15 s later", postgres.stopped, 15),
    "postgresql-killed": Trouble("PostgreSQL killed with SIGKILL and started 5 s later", postgres.killed, 5),
    "terminated": Trouble("every backend of wifidogd terminated", postgres.terminated, 3, is_felt=False),
    "frozen": Trouble("PostgreSQL frozen by SIGSTOP for 30 s", postgres.frozen, 30),
    "table-locked": Trouble("the table of sessions locked for 8 s", postgres.table_locked, 8),
    "rows-locked": Trouble("the rows of every other session locked for 8 s", postgres.rows_locked, 8),
    "out-of-slots": Trouble("connections refused for lack of slots for 15 s", postgres.out_of_slots, 15),
    "replaced": Trouble("a peer that logs in and hangs up for 15 s", postgres.replaced, 15),
}

ELSEWHERE_LOCKED = {
    "gateways-locked": Trouble(
        "the table of gateways locked for 8 s", postgres.gateways_locked, 8, is_felt=False, spares=[Kind.COUNTERS]
    ),
    "history-locked": Trouble(
        "the table of past sessions locked for 15 s, as by CREATE INDEX",
        postgres.history_locked,
        15,
        is_felt=False,
        spares=[Kind.COUNTERS],
    ),
}
"""What some reports need and others do not; tests/accounting/test_ledger.py has the short form."""

FAR = {
    "cut-off": Trouble("every packet to and from PostgreSQL lost for 30 s", remote_postgres.cut_off, 30),
}

SMALL = {
    "no-space": Trouble("the disk full for 15 s", small_disk.no_space, 15, is_felt=False),
    "no-space-for-the-log": Trouble(
        "the disk full for 15 s, not even the log fits", small_disk.no_space_for_the_log, 15
    ),
}

EMBEDDED = {
    "embedded-killed": Trouble(
        "the embedded PostgreSQL killed with SIGKILL", embedded_postgres.killed, 3, is_felt=False
    ),
    "embedded-no-space": Trouble("the disk of the embedded PostgreSQL full for 30 s", embedded_postgres.no_space, 30),
}


def endure(trouble: Trouble, make_testbed: Callable[[], Testbed]) -> list[TrialResult]:
    """Put wifidogd and its database through a trouble, under two hundred requests a second."""
    with make_testbed() as testbed:
        return rows(suffer(testbed, [trouble], TWO_HUNDRED, before=BEFORE, after=AFTER), Limits())


TRIALS = {
    name: partial(endure, trouble, make_testbed)
    for make_testbed, troubles in (
        (partial(Testbed, FEW_SLOTS), TROUBLES | ELSEWHERE_LOCKED),
        (remote_postgres.RemoteTestbed, FAR),
        (small_disk.SmallDiskTestbed, SMALL),
        (embedded_postgres.EmbeddedServers, EMBEDDED),
    )
    for name, trouble in troubles.items()
}
