"""The HTTP server: which resource a path leads to, and what every client may hold."""

from __future__ import annotations

from functools import partial
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.http import datetimeToString
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from wifidogd.domain.sessions import UtcNow
from wifidogd.runtime.deadlines import Deadlines
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.web.server.connections.channel import REQUEST_DEADLINE, Channel
from wifidogd.web.server.connections.connection_limit import ConnectionLimit, limit_here
from wifidogd.web.server.large_bodies import LargeBodies
from wifidogd.web.server.page_scheduler import PageScheduler
from wifidogd.web.server.request import WholeRequest, source_of, split_target, wants_websocket
from wifidogd.web.server.tls import PlainPortTls

log = Logger()

MOST_OCTETS = 64 * 1024
"""Largest body of a request."""

_MACHINE_NAMES = (b"ping", b"auth", b"roam")
_HEALTH = b"/healthz"
"""The one address of the health page, to the octet: what is forbidden in front of the server must not have others."""

_NOWHERE = [b"nowhere"]


class WifidogdSite(Site):
    """
    Leads requests to gateway pages, guest pages or health, and bounds what clients may hold.

    @ivar connections: those that are open, and how many may be.
    @ivar deadlines: of clients that are waited for.
    @ivar limited_log: of what goes wrong for clients, whoever they are.
    @ivar tls: as in L{__init__}.
    """

    protocol = Channel  # type: ignore[assignment]

    def __init__(
        self,
        gateway: IResource,
        guest: IResource,
        health: IResource,
        websocket: IResource | None = None,
        *,
        path: str,
        clock: IReactorTime,
        utc_now: UtcNow,
        most_connections: int | None = None,
        most_octets: int = MOST_OCTETS,
        large_bodies: LargeBodies | None = None,
        tls: PlainPortTls | None = None,
    ) -> None:
        """
        @param websocket: answers whoever asks for a WebSocket, at whatever address; None to answer them with pages.
        @param path: of all pages, with slashes around it.
        @param most_connections: None for as many as descriptors and memory allow.
        @param large_bodies: those longer than C{most_octets}; None to receive none.
        @param tls: for clients that speak it at ports of plain HTTP; None to hang up on them.
        """
        super().__init__(
            guest, requestFactory=WholeRequest, timeout=REQUEST_DEADLINE, reactor=clock, parsePOSTFormSubmission=False
        )
        self._gateway = gateway
        self._guest = guest
        self._health = health
        self._websocket = websocket
        self._scheduler = PageScheduler(clock=clock)
        self.deadlines: Deadlines[Channel] = Deadlines(Channel.overdue, step=1.0, clock=clock)
        self.connections = ConnectionLimit(most_connections, clock=clock) if most_connections else limit_here(clock)
        self.limited_log = RateLimitedLog(log, clock)
        self._clock = clock
        self._utc_now = utc_now
        self._dated, self._date = -1, b""
        self._prefix = _segments(path.encode())
        self.most_octets = most_octets
        self.large_bodies = large_bodies or LargeBodies()
        self.tls = tls

    def date(self) -> bytes:
        """Return the time, a second old at most, in the form of the Date header."""
        now = int(self._clock.seconds())
        if now != self._dated:
            self._dated, self._date = now, datetimeToString(self._utc_now().timestamp())
        return self._date

    def metrics(self) -> dict[str, int]:
        """Count C{clients} that are connected, for monitors."""
        return {"clients": len(self.connections.channels)}

    def dispatch(self, request: WholeRequest) -> None:
        """Have a request answered by the resource its path leads to; guests' pages take turns."""
        resource = self.getResourceFor(request)
        if resource is self._guest:
            self._scheduler.schedule(request, partial(request.answer, resource))
        else:
            request.answer(resource)

    def getResourceFor(self, request: Request) -> IResource:
        """
        Return the resource that answers a request.

        Empty segments mean nothing, because gateways put slashes where they
        like, and answers must never be redirects.
        """
        if self._websocket is not None and wants_websocket(request):
            return self._websocket
        if request.path == _HEALTH:
            return self._health
        segments = _segments(request.path[1:])
        is_ours = segments[: len(self._prefix)] == self._prefix
        rest = _without_php(segments[len(self._prefix) :]) if is_ours else segments
        request.prepath = []
        request.postpath = rest or [b""]
        if not is_ours and segments:
            request.postpath = _NOWHERE
        elif rest[:1] and rest[0] in _MACHINE_NAMES:
            return self._gateway
        return self._guest

    def admit_large(self, request: WholeRequest, target: bytes) -> bool:
        """
        Return whether a request may have a body longer than a form, and there is room for it.

        @param target: of the request, whose head alone has been read.
        """
        path, _, query = split_target(target)[1].partition(b"?")
        segments = _segments(path)
        rest = _without_php(segments[len(self._prefix) :]) if segments[: len(self._prefix)] == self._prefix else []
        source = source_of(request)
        return self.large_bodies.admit(request, self.large_bodies.find_standing(rest, query, source), source)

    def acceptableProtocols(self) -> list[bytes]:
        """Offer HTTP/1.1 to TLS clients, nothing else."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Keep no access log, nor a timer for its time stamps."""

    def log(self, request: object) -> None:
        """Keep no access log."""


def _without_php(segments: list[bytes]) -> list[bytes]:
    """
    Return what routers are configured for that expect the old server in PHP as the pages here are called.

    It answered at C{login/index.php}, others like it at C{login.php} (docs/protocol.md 4).
    """
    if segments and segments[-1] == b"index.php":
        segments = segments[:-1]
    if segments and len(segments[0]) > len(b".php"):
        segments = [segments[0].removesuffix(b".php"), *segments[1:]]
    return segments


def _segments(path: bytes) -> list[bytes]:
    """
    Split a path, drop empty segments and make the others safe for Klein.

    Klein logs a traceback for what is not UTF-8 and redirects for slashes;
    such segments become ones that no page is called.
    """
    segments = [segment for segment in path.split(b"/") if segment]
    if b"%" in path or not path.isascii():
        segments = [_safe(unquote_to_bytes(segment)) for segment in segments]
    return segments


def _safe(segment: bytes) -> bytes:
    return segment.decode("utf-8", "replace").replace("/", "\ufffd").encode()
