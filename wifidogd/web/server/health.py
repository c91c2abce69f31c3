"""C{/healthz}: what a monitor asks, as JSON."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta

from twisted.internet.interfaces import IReactorTime
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from wifidogd.gateways.registry import Registry
from wifidogd.store.driver.database import Database

BEAT = timedelta(seconds=0.5)
"""Between two looks at how late the reactor is."""

BEATS_KEPT = 20

Statistics = Callable[[], Mapping[str, float | str | None]]


class ReactorLag:
    """Measures how late the reactor is: something that blocks it makes every client wait as long."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._looked_at: float | None = None
        self._lags: deque[float] = deque([0.0], BEATS_KEPT)

    @property
    def worst(self) -> float:
        """Seconds, the worst of the last L{BEATS_KEPT} beats."""
        return max(self._lags)

    async def look(self) -> None:
        """Compare the clock with the last time; to be called every L{BEAT}."""
        now = self._clock.seconds()
        if self._looked_at is not None:
            self._lags.append(max(0.0, now - self._looked_at - BEAT.total_seconds()))
        self._looked_at = now


class Health(Resource):
    """
    Tells a monitor how the server is: 200, or 503 while the database is away or not prepared.

    Numbers and lower-case words of ours only, no text from elsewhere: a gateway
    that strays here must find neither of the words it looks for.
    """

    isLeaf = True

    def __init__(
        self, database: Database, directory: Registry, lag: ReactorLag, figures: Mapping[str, Statistics]
    ) -> None:
        """
        @param figures: what else to count, by the name of the room that counts it.
        """
        super().__init__()
        self._database = database
        self._directory = directory
        self._lag = lag
        self._figures = {"database": database.figures, **figures}

    def render(self, request: Request) -> int:
        """Answer any method alike."""
        is_up = self._database.available_since is not None
        is_ready = is_up and self._directory.loaded
        answer = {
            "status": "ok" if is_ready else "starting" if is_up else "database away",
            "reactor_lag_seconds": round(self._lag.worst, 3),
            **{room: dict(count()) for room, count in self._figures.items()},
        }
        request.setResponseCode(http.OK if is_ready else http.SERVICE_UNAVAILABLE)
        request.setHeader(b"content-type", b"application/json")
        request.setHeader(b"cache-control", b"no-store")
        request.write(json.dumps(answer).encode() + b"\n")
        request.finish()
        return NOT_DONE_YET
