"""The interfaces of a reactor that running PostgreSQL needs, and slow file work in threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from twisted.internet.interfaces import IReactorProcess, IReactorThreads, IReactorTime
from twisted.internet.threads import deferToThreadPool

P = ParamSpec("P")
T = TypeVar("T")


class Reactor(IReactorProcess, IReactorThreads, IReactorTime):
    """Child processes, threads and time."""


async def in_thread(reactor: Reactor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Await blocking work in the reactor's thread pool, for file work that takes more than a few system calls."""
    return await deferToThreadPool(reactor, reactor.getThreadPool(), work, *args, **kwargs)
