"""Routers with WebSockets, the database frozen, a server killed; the long form is C{make chaos CHAOS=websocket}."""

from __future__ import annotations

from tests.chaos.trials.websocket import SHORT, endure, in_short


def test_routers_stay_and_guests_are_thrown_off_whatever_happens() -> None:
    """Those who were to be, and nobody else; what routers report is in the books to the octet."""
    assert {row.fault: row.missed for row in endure(SHORT, in_short(SHORT)) if row.missed} == {}
