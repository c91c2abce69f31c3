"""A clock that is set while guests are online; C{make chaos} waits for every timer that might end somebody."""

from __future__ import annotations

from tests.chaos.load.load import SMALL
from tests.chaos.trials.clock_steps import back, forward, leave, live_through


def test_a_clock_that_is_set_by_an_hour_costs_no_guest_and_no_octet() -> None:
    """Forward, and then back by two: nobody's deadline comes at once, and no timer waits for an hour."""
    row = live_through("clock set", leave, forward, back, scale=SMALL, settle=2.0, after=1.5)
    assert row.missed == []
