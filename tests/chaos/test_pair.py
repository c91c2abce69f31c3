"""The short form: one of two servers is killed under load, then the other."""

from __future__ import annotations

from tests.chaos.load import SMALL
from tests.chaos.pair import killed, suffer


def test_either_of_two_servers_may_die_and_gateways_go_on():
    """Behind HAProxy with the configuration of the documentation; nothing is lost or counted twice."""
    [row] = suffer([killed(2, pause=0.5)], SMALL, before=2, after=1)
    assert row.missed == [], row.text()
