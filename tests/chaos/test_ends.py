"""A server that is killed and stopped under load, a few times; C{make chaos} does it many times, and blocks it too."""

from __future__ import annotations

from tests.chaos.ends import BACK_WITHIN, beside, embedded, kill, stop, struck
from tests.chaos.load import SMALL


def test_a_killed_server_costs_no_guest_and_no_octet() -> None:
    """Nor does its own PostgreSQL that dies with it; and nobody is turned away, where systemd keeps the socket."""
    row = struck("killed", embedded, kill, 2, scale=SMALL, back_within=BACK_WITHIN, settle=1.5)
    assert row.missed == []


def test_a_stopped_server_answers_all_that_it_has_accepted() -> None:
    """And nothing is lost."""
    row = struck("stopped", beside, stop, 2, scale=SMALL, may_lose=False, back_within=BACK_WITHIN, settle=1.5)
    assert row.missed == []
