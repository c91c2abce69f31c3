"""Timers that outlive a failing run and never overlap themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from twisted.application.internet import TimerService
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wifidogd.domain.errors import StoreError
from wifidogd.runtime.rate_limited_log import RateLimitedLog

log = Logger()

Job = Callable[[], Awaitable[None]]


def every(interval: timedelta, job: Job, *, clock: IReactorTime, name: str) -> TimerService:
    """
    Return a service, called C{name}, that awaits C{job()} when it starts and then every C{interval}.

    Runs never overlap: the next waits for the last.  A run that raises is
    logged and the timer goes on; a bare L{TimerService} would stop for good at
    the first exception (twisted#3627).  A store that is away is one line in
    some seconds, anything else a traceback.
    """
    limited = RateLimitedLog(log, clock)

    async def run() -> None:
        try:
            await job()
        except StoreError as problem:
            limited.warn("{name} is put off: {problem}", name=name, problem=problem)
        except Exception:
            log.failure("{name} failed; next run in {pause}", name=name, pause=interval)

    def start() -> Deferred[None]:
        return ensureDeferred(run())

    service = TimerService(interval.total_seconds(), start)
    service.setName(name)
    service.clock = clock
    return service
