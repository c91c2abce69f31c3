"""One request, and an answer that goes out in one piece."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure
from twisted.web.http import BAD_REQUEST, NO_BODY_CODES
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from twisted.web.server import Request

from wifidogd.web.server.large_bodies import MOST_OCTETS as LARGEST
from wifidogd.web.server.request_limits import BodyTooLarge, TooLong

if TYPE_CHECKING:
    from wifidogd.web.server.connections.channel import Channel
    from wifidogd.web.server.site import WifidogdSite

_MOST_PIECES = 250
"""Chunks of a body, or packets it comes in: each costs time, however short it is."""

_MOST_PIECES_OF_LARGE = 2000
"""The same of a large body."""

_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_ONE_HOST = b"A request names the host that it is for, once.\n"


class WholeRequest(Request):
    """
    A request whose answer goes out in one piece.

    It always has a C{Content-Length}: chunks would be scanned as text by
    gateways that speak HTTP/1.1 badly, and a guest's page fits one segment.
    """

    channel: Channel
    site: WifidogdSite
    content: BytesIO

    _pieces_of_body = 0
    _is_large = False

    def __init__(self, channel: Channel, *args: Any, **kwargs: Any) -> None:
        super().__init__(channel, *args, **kwargs)
        self._pieces: list[bytes] = []

    def gotLength(self, length: int | None) -> None:
        """Prepare for a body, in memory; C{length} is None when it comes in chunks."""
        self.content = BytesIO()
        if length is not None and not self._may_hold(length):
            self.channel.refuse(TooLong.BODY)

    def handleContentChunk(self, data: bytes) -> None:
        """
        Keep a part of the body.

        @raise BodyTooLarge: if there is too much of it, or it comes in too many pieces.
        """
        self._pieces_of_body += 1
        most_pieces = _MOST_PIECES_OF_LARGE if self._is_large else _MOST_PIECES
        if self._pieces_of_body > most_pieces or not self._may_hold(self.content.tell() + len(data)):
            raise BodyTooLarge("the body of a request is too large")
        self.content.write(data)

    def _may_hold(self, octets: int) -> bool:
        """Return whether a body of this length is received; only few clients may send more than a form."""
        site = self.channel.site
        if octets <= site.most_octets:
            return True
        if not self._is_large and octets <= LARGEST:
            self._is_large = site.admit_large(self, self.channel.target)
        return self._is_large and octets <= LARGEST

    def connectionLost(self, reason: Failure) -> None:
        """Make room for the large body of another client."""
        if self._is_large and self.channel is not None:
            self.channel.site.large_bodies.release(self)
        super().connectionLost(reason)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """
        Begin to answer; who needs the query or the form reads it with L{wifidogd.web.server.query}.

        A request of HTTP/1.1 without a host is refused, and so is any with
        two: a proxy may have gone by the other (RFC 9112 3.2).
        """
        self.content.seek(0)
        self.args = {}
        self.method, self.uri, self.clientproto = command, path, version
        hosts = len(self.requestHeaders.getRawHeaders(b"Host", ()))
        if hosts > 1 or (hosts == 0 and version == b"HTTP/1.1"):
            self._refuse_hosts()
            return
        self._take_origin_form()
        self.path = self.uri.partition(b"?")[0]
        self.process()

    def _refuse_hosts(self) -> None:
        """Answer 400, and read nothing more of this connection."""
        self.site = self.channel.site
        self.channel.end_with_answer()
        self.setResponseCode(BAD_REQUEST)
        self.setHeader(b"connection", b"close")
        self.setHeader(b"cache-control", b"no-store")
        self.setHeader(b"content-type", b"text/plain; charset=utf-8")
        self.write(_ONE_HOST)
        self.finish()

    def _take_origin_form(self) -> None:
        """Split a target such as C{http://wifi.example/x} into host and C{/x}; its host counts (RFC 9112 3.2.2)."""
        host, self.uri = split_target(self.uri)
        if host is not None:
            self.requestHeaders.setRawHeaders(b"Host", [host])

    def process(self) -> None:
        """Have the site find who answers."""
        self.site = self.channel.site
        self.site.dispatch(self)

    def answer(self, resource: IResource) -> None:
        """Have a resource make the answer."""
        try:
            self.render(resource)
        except Exception:
            self.processingFailed(Failure())

    def getRequestHostname(self) -> bytes:
        """Return a constant: Klein would raise on a host that cannot be true, and nothing here depends on it."""
        return b"localhost"

    def write(self, data: bytes) -> None:
        """Keep a part of the answer until L{finish}."""
        self._pieces.append(data)

    def finish(self) -> None:
        """Send the answer in one write, unless the client has gone."""
        if self._is_large:
            self.site.large_bodies.release(self)
        if self._disconnected:
            return
        self.startedWriting = 1
        answer = [b"%s %d %s\r\ndate: %s\r\n" % (self.clientproto, self.code, self.code_message, self.site.date())]
        for name, values in self.responseHeaders.getAllRawHeaders():
            if name != b"Content-Length":
                answer += [b"%s: %s\r\n" % (name, value) for value in values]
        body = b"".join(self._pieces)
        if self.code not in NO_BODY_CODES:
            answer.append(b"content-length: %d\r\n" % len(body))
        answer.append(b"\r\n")
        if self.method != b"HEAD" and self.code not in NO_BODY_CODES:
            answer.append(body)
        self.channel.writeSequence(answer)
        super().finish()


def split_target(target: bytes) -> tuple[bytes | None, bytes]:
    """Return the host that the target of a request names, None for none, and the rest of it (RFC 9112 3.2.2)."""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return None, target
    host, rest = absolute.groups()
    return host, rest if rest.startswith(b"/") else b"/" + rest


def source_of(request: IRequest) -> str:
    """Return the address that a request came from; behind a Unix socket it is this machine's."""
    return str(getattr(request.getClientAddress(), "host", "127.0.0.1"))


def has_plain_port(request: IRequest) -> bool:
    """Return whether a request came over TLS to a port that plain HTTP is meant for."""
    return bool(getattr(getattr(request, "channel", None), "has_plain_port", False))


def query_of(request: IRequest) -> bytes:
    """Return what follows the first C{?} of the address, as received."""
    return bytes(request.uri.partition(b"?")[2])


def wants_websocket(request: IRequest) -> bool:
    """Return whether a request asks for a WebSocket."""
    upgrades = request.requestHeaders.getRawHeaders(b"Upgrade")
    return upgrades is not None and any(b"websocket" in upgrade.lower() for upgrade in upgrades)
