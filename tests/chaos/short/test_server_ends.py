"""
A server that is killed under load, twice; C{make chaos} does it many times, and stops, blocks and freezes it too.

What a stop does with those who were accepted is in test_service.py and test_workers.py.
"""

from __future__ import annotations

from tests.chaos.load.load import SMALL
from tests.chaos.trials.server_ends import BACK_WITHIN, embedded, kill, struck


def test_a_killed_server_costs_no_guest_and_no_octet() -> None:
    """Nor does its own PostgreSQL that dies with it; and nobody is turned away, where systemd keeps the socket."""
    row = struck("killed", embedded, kill, 2, scale=SMALL, back_within=BACK_WITHIN, settle=1.5)
    assert row.missed == []
