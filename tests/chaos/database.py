"""The long form of every trouble that a database can be in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.chaos import embedded, far, faults, small
from tests.chaos.house import House
from tests.chaos.judgement import Limits, rows
from tests.chaos.load import TWO_HUNDRED
from tests.chaos.row import Row
from tests.chaos.trouble import Trouble, suffer
from wifidogd.simulation.statistics import Kind

BEFORE, AFTER = 20.0, 12.0

FEW_SLOTS = {"max_connections": "20"}

TROUBLES = {
    "stopped": Trouble("PostgreSQL stopped and started 15 s later", faults.stopped, 15),
    "postgresql-killed": Trouble("PostgreSQL killed with SIGKILL and started 5 s later", faults.killed, 5),
    "terminated": Trouble("every backend of wifidogd terminated", faults.terminated, 3, is_felt=False),
    "frozen": Trouble("PostgreSQL frozen by SIGSTOP for 30 s", faults.frozen, 30),
    "table-locked": Trouble("the table of sessions locked for 8 s", faults.table_locked, 8),
    "rows-locked": Trouble("the rows of every other session locked for 8 s", faults.rows_locked, 8),
    "out-of-slots": Trouble("connections refused for lack of slots for 15 s", faults.out_of_slots, 15),
    "replaced": Trouble("a peer that logs in and hangs up for 15 s", faults.replaced, 15),
}

ELSEWHERE_LOCKED = {
    "gateways-locked": Trouble(
        "the table of gateways locked for 8 s", faults.gateways_locked, 8, is_felt=False, spares=[Kind.COUNTERS]
    ),
    "history-locked": Trouble(
        "the table of past sessions locked for 15 s, as by CREATE INDEX",
        faults.history_locked,
        15,
        is_felt=False,
        spares=[Kind.COUNTERS],
    ),
}
"""What some reports need and others do not; tests/test_ledger.py has the short form."""

FAR = {
    "cut-off": Trouble("every packet to and from PostgreSQL lost for 30 s", far.cut_off, 30),
}

SMALL = {
    "no-space": Trouble("the disk full for 15 s", small.no_space, 15, is_felt=False),
    "no-space-for-the-log": Trouble("the disk full for 15 s, not even the log fits", small.no_space_for_the_log, 15),
}

EMBEDDED = {
    "embedded-killed": Trouble("the embedded PostgreSQL killed with SIGKILL", embedded.killed, 3, is_felt=False),
    "embedded-no-space": Trouble("the disk of the embedded PostgreSQL full for 30 s", embedded.no_space, 30),
}


def endure(trouble: Trouble, make_house: Callable[[], House]) -> list[Row]:
    """Put wifidogd and its database through a trouble, under two hundred requests a second."""
    with make_house() as house:
        return rows(suffer(house, [trouble], TWO_HUNDRED, before=BEFORE, after=AFTER), Limits())


TRIALS = {
    name: partial(endure, trouble, make_house)
    for make_house, troubles in (
        (partial(House, FEW_SLOTS), TROUBLES | ELSEWHERE_LOCKED),
        (far.FarHouse, FAR),
        (small.SmallHouse, SMALL),
        (embedded.EmbeddedHouse, EMBEDDED),
    )
    for name, trouble in troubles.items()
}
