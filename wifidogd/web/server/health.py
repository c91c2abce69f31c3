"""C{/healthz}: what a monitor asks, as JSON."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from wifidogd.gateways.registry import Registry
from wifidogd.store.driver.database import Database

BEAT = timedelta(seconds=0.5)
"""Between two measurements of the reactor's lag."""

BEATS_KEPT = 20

_LOCAL_NAMES = re.compile(r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])?(:[0-9]{1,5})?")
"""A C{Host} of somebody on this machine, who may name none."""

_OF_PROXIES = (b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip")

Metrics = Callable[[], Mapping[str, float | str | None]]


class ReactorLag:
    """Measures how late the reactor is; what blocks it makes every client wait as long."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._looked_at: float | None = None
        self._lags: deque[float] = deque([0.0], BEATS_KEPT)

    @property
    def worst(self) -> float:
        """Seconds by which the reactor was late, the most in the last L{BEATS_KEPT} beats."""
        return max(self._lags)

    async def look(self) -> None:
        """Measure the lag; to be called every L{BEAT}."""
        now = self._clock.seconds()
        if self._looked_at is not None:
            self._lags.append(max(0.0, now - self._looked_at - BEAT.total_seconds()))
        self._looked_at = now


class Health(Resource):
    """
    Answers a monitor: 200, or 503 while the database is away or not prepared.

    Strangers read only that.  What is wrong, and the numbers, are for those
    who ask on this machine, and not through a proxy that runs on it.

    The answer holds numbers and lower-case words of ours only: a gateway that
    strays here must not find any of the words it looks for.
    """

    isLeaf = True

    def __init__(
        self,
        database: Database,
        registry: Registry,
        lag: ReactorLag,
        metrics: Mapping[str, Metrics],
        *,
        shows_details: bool = False,
    ) -> None:
        """
        @param metrics: what else to show, by the key under which it stands.
        @param shows_details: whether everybody may read everything.
        """
        super().__init__()
        self._shows_details = shows_details
        self._database = database
        self._registry = registry
        self._lag = lag
        self._metrics = {"database": database.metrics, **metrics}

    def render(self, request: Request) -> int:
        """Answer every method alike."""
        is_up = self._database.available_since is not None
        is_ready = is_up and self._registry.loaded
        answer: dict[str, object] = {"status": "ok" if is_ready else "not ok"}
        if self._shows_details or is_from_here(request):
            answer |= {
                "status": "ok" if is_ready else "starting" if is_up else "database away",
                "reactor_lag_seconds": round(self._lag.worst, 3),
                **{key: dict(count()) for key, count in self._metrics.items()},
            }
        request.setResponseCode(http.OK if is_ready else http.SERVICE_UNAVAILABLE)
        request.setHeader(b"content-type", b"application/json")
        request.setHeader(b"cache-control", b"no-store")
        request.write(json.dumps(answer).encode() + b"\n")
        request.finish()
        return NOT_DONE_YET


def is_from_here(request: Request) -> bool:
    """
    Return whether somebody on this machine sends a request, and not a proxy on it for somebody else.

    The connection itself must come from a loopback address, so that nobody gets
    here by what a PROXY header claims; and the request must have nothing that
    proxies add, nor be for a name by which guests reach this server.
    """
    connection: Any = request.channel.transport
    while (below := getattr(connection, "transport", None)) is not None:
        connection = below
    peer = connection.getPeer()
    names = [name.lower() for name, _ in request.requestHeaders.getAllRawHeaders()]
    return (
        _is_loopback(getattr(peer, "host", ""))
        and peer == request.getClientAddress()
        and not any(name in _OF_PROXIES or name.startswith(b"x-forwarded") for name in names)
        and _LOCAL_NAMES.fullmatch((request.getHeader(b"host") or b"").decode("latin-1").lower()) is not None
    )


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
