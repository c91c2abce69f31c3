"""The short form of docs/high-availability.md: a server is lost under load, then the primary of the database."""

from __future__ import annotations

from tests.chaos.load.load import SMALL
from tests.chaos.trials.two_servers import TwoServersAndStandby, killed, promoted, suffer


def test_servers_and_the_primary_may_die_and_nothing_acknowledged_is_lost():
    """Behind HAProxy as documented; the history is compared with the tables of the promoted standby, to the octet."""
    for row in suffer([killed(1), promoted(1)], SMALL, before=2, after=1, testbed=TwoServersAndStandby):
        assert row.missed == [], row.text()
