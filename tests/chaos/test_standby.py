"""The short form: a primary is lost under load, and its standby takes over."""

from __future__ import annotations

from tests.chaos.load import SMALL
from tests.chaos.standby import crash, endure


def test_wifidogd_follows_to_a_promoted_standby_and_nothing_acknowledged_is_lost():
    """The books are compared with the tables of the promoted one, to the octet."""
    [row] = endure(lambda twins: crash(twins, seconds=1), SMALL, before=3, after=3)
    assert row.missed == [], row.text()
