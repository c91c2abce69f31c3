"""Pauses that grow with each failure in a row."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.internet import backoffPolicy


def doubling(first: float, longest: float) -> Callable[[int], float]:
    """
    Return a function from the number of failures, counted from 0, to the seconds before the next attempt.

    There is no jitter in it: Twisted adds up to a second however short the
    pause is, which would be most of the shortest ones here.
    """
    return backoffPolicy(initialDelay=first, maxDelay=longest, factor=2.0, jitter=lambda: 0.0)
