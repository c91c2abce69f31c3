"""Awaiting with a deadline, so that a Deferred that never fires fails its test and does not hang the run."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred

T = TypeVar("T")


async def within(seconds: float, awaited: Awaitable[T] | Coroutine[Any, Any, T]) -> T:
    """
    Await something that must be done in real time.

    @raise twisted.internet.defer.TimeoutError: if it is not.
    """
    deferred: Deferred[T] = awaited if isinstance(awaited, Deferred) else ensureDeferred(awaited)  # type: ignore[arg-type]
    return await deferred.addTimeout(seconds, reactor)  # type: ignore[arg-type]
