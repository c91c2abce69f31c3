"""Pauses between attempts."""

from __future__ import annotations

from wifidogd.runtime.backoff import doubling


def test_pauses_double_from_the_first_to_the_longest() -> None:
    """Exactly, with no jitter added; however many attempts have failed."""
    pause = doubling(0.5, 30.0)
    assert [pause(failures) for failures in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert pause(10**6) == 30
