"""C{/ws/wifidogx}, where routers open WebSockets, and the answer to whoever asks for one anywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.http import BAD_REQUEST, NOT_ALLOWED, NOT_FOUND, SERVICE_UNAVAILABLE
from twisted.web.server import Request
from twisted.web.websocket import WebSocketResource

from wifidogd.domain.gateways import Heartbeat
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.devices import Devices
from wifidogd.gateways.registry import Registry
from wifidogd.gateways.router_claims import RouterClaims
from wifidogd.runtime.deadlines import Deadlines
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.web.gateway.websocket.refusal import refuse
from wifidogd.web.gateway.websocket.router_messages import Greeting
from wifidogd.web.gateway.websocket.router_socket import RouterSocket
from wifidogd.web.gateway.websocket.strangers import Strangers
from wifidogd.web.server.query import read_query
from wifidogd.web.server.request import query_of, source_of

if TYPE_CHECKING:
    from wifidogd.web.server.connections.channel import Channel

log = Logger()

PATH = (b"ws", b"wifidogx")
"""Where apfree-wifidog connects if its configuration names no other C{WSServerPath}."""

NOT_SO = "This is not how a WebSocket is opened (RFC 6455 4.1)."

_LONGEST_KEY = 200


class RouterSockets:
    """
    The WebSockets of routers.

    @ivar deadlines: of routers that must say something.
    @ivar strangers: the connections that speak for no adopted gateway.
    """

    def __init__(
        self, registry: Registry, claims: RouterClaims, devices: Devices, *, clock: IReactorTime, utc_now: UtcNow
    ) -> None:
        self.clock = clock
        self.deadlines: Deadlines[RouterSocket] = Deadlines(RouterSocket.replace, step=1.0, clock=clock)
        self.strangers = Strangers()
        self._registry = registry
        self._claims = claims
        self._devices = devices
        self._utc_now = utc_now
        self._log = RateLimitedLog(log, clock)
        self._early: dict[RouterSocket, Greeting] = {}

    def hear(self, socket: RouterSocket, greeting: Greeting) -> None:
        """Take a greeting for a heartbeat of its gateways, as far as the connection may speak for them."""
        if not self._registry.loaded:
            # All routers come back within seconds of a start; taken for strangers, most would be sent away again.
            self.strangers.discard(socket)
            self._early[socket] = greeting
            return
        strangers = [gw_id for gw_id in greeting.auth_modes if self._registry.gateway(gw_id) is None]
        self._devices.learn(greeting.device_id, strangers, socket.source)
        if any(self._registry.may_ask(gw_id, socket.key) for gw_id in greeting.auth_modes):
            self.strangers.discard(socket)
        else:
            socket.distrust()
        for gw_id in greeting.auth_modes:
            gateway = self._registry.gateway(gw_id)
            if gateway is None or not self._registry.may_ask(gw_id, socket.key):
                self._claims.release(socket, gw_id)
            else:
                self._claims.hear(socket, self._heartbeat(gw_id, socket, greeting), is_keyed=bool(gateway.key_hashes))
            if gateway is not None and not self._registry.may_ask(gw_id, socket.key):
                self._log.warn("WebSocket of {gw_id} is not used: its key is missing or wrong", gw_id=gw_id)

    def hear_early(self) -> None:
        """Hear what was said before it was known which gateways are adopted."""
        early, self._early = self._early, {}
        for socket, greeting in early.items():
            self.hear(socket, greeting)

    def may_speak_for(self, socket: RouterSocket, gw_id: str) -> bool:
        """Return whether a connection is still that of a gateway's router, whose key may have changed."""
        return self._claims.routers.speaks_for(socket, gw_id) and self._registry.may_ask(gw_id, socket.key)

    def lost(self, socket: RouterSocket) -> None:
        """Forget a connection that is closed."""
        self.strangers.discard(socket)
        self._early.pop(socket, None)
        self._claims.release(socket)

    def metrics(self) -> dict[str, int]:
        """Count the C{routers} that commands can be sent to, and connections of C{strangers}."""
        return {"routers": len(self._claims.routers), "strangers": len(self.strangers)}

    def _heartbeat(self, gw_id: str, socket: RouterSocket, greeting: Greeting) -> Heartbeat:
        system = greeting.system
        return Heartbeat(
            gw_id,
            self._utc_now(),
            socket.source,
            sys_uptime=system.sys_uptime,
            memory_free=system.memory_free,
            load=system.load,
            wifidog_uptime=system.wifidog_uptime,
            by_websocket=True,
        )


class WebSocketPages(WebSocketResource):
    """Answers every request for a WebSocket, whatever its address."""

    isLeaf = True

    def __init__(self, sockets: RouterSockets) -> None:
        super().__init__(self)
        self._sockets = sockets

    def render(self, request: Request) -> bytes | int:
        """Open a WebSocket, or refuse it so that the router does not come back at once."""
        segments = [segment for segment in request.path.split(b"/") if segment]
        if tuple(segments[:2]) != PATH or len(segments) > 3:
            return refuse(request, NOT_FOUND, "There is no WebSocket here: WSServerPath is /ws/wifidogx.")
        if request.method != b"GET":
            return refuse(request, NOT_ALLOWED, "A WebSocket is opened by GET.")
        channel: Channel = request.channel  # type: ignore[assignment]
        if not channel.site.connections.may_upgrade:
            return refuse(request, SERVICE_UNAVAILABLE, "Too many routers are connected to this server.")
        if not _is_complete(request):
            return refuse(request, BAD_REQUEST, NOT_SO)
        try:
            answer = self.render_GET(request)
        except Exception:
            # h11 and the codec of host names refuse in words of their own.
            return refuse(request, BAD_REQUEST, NOT_SO)
        return refuse(request, BAD_REQUEST, NOT_SO) if isinstance(answer, bytes) else answer

    def buildProtocol(self, request: Request) -> RouterSocket:
        """Return what speaks to the router."""
        channel: Channel = request.channel  # type: ignore[assignment]
        return RouterSocket(self._sockets, channel, source_of(request), _key(request))


def _is_complete(request: Request) -> bool:
    """Return whether the library would open a WebSocket; it logs each request for which it does not."""
    upgrade, connection, version, keys, host = (
        request.requestHeaders.getRawHeaders(name, [])
        for name in (b"Upgrade", b"Connection", b"Sec-WebSocket-Version", b"Sec-WebSocket-Key", b"Host")
    )
    tokens = {token.strip().lower() for field in connection[-1:] for token in field.split(b",")}
    is_asked_for = [field.lower() for field in upgrade] == [b"websocket"] and b"upgrade" in tokens
    return is_asked_for and version == [b"13"] and len(keys) == len(host) == 1


def _key(request: Request) -> str | None:
    """Return the key in the path, or in C{k} of the query."""
    segments = [segment for segment in request.path.split(b"/") if segment]
    if len(segments) == 3:
        return segments[2].decode("utf-8", "replace")[:_LONGEST_KEY]
    return read_query(query_of(request)).get("k")
