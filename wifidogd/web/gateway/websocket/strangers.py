"""Connections that nobody has vouched for: few, and fewer from one place, so that they fill nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wifidogd.domain.addresses import blocks_of

if TYPE_CHECKING:
    from wifidogd.web.gateway.websocket.router_socket import RouterSocket

MOST_STRANGERS = 500
"""Connections without an adopted gateway, or a tenth of all if that is less."""

MOST_FROM_SOURCE = 32
"""Of them from one address; many routers may share one, and each says who it is within a second."""


class Strangers:
    """
    The connections without an adopted gateway, in the order in which they came.

    The oldest gives way to a newcomer, so that whoever keeps many open shuts out no router: its own is a newcomer for
    as long as it takes to say who it is.
    """

    def __init__(self) -> None:
        self._sockets: dict[RouterSocket, str] = {}
        self._by_source: dict[str, dict[RouterSocket, None]] = {}

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, socket: RouterSocket, most: int) -> None:
        """
        Count a connection, and close another if there are too many.

        @param most: WebSockets that there may be altogether.
        """
        source = blocks_of(socket.source)[0]
        here = self._by_source.setdefault(source, {})
        here[socket] = None
        self._sockets[socket] = source
        if len(here) > MOST_FROM_SOURCE:
            self._drop(next(iter(here)))
        elif len(self._sockets) > min(MOST_STRANGERS, max(1, most // 10)):
            self._drop(next(iter(self._sockets)))

    def discard(self, socket: RouterSocket) -> None:
        """Count a connection no more: it is closed, or that of an adopted gateway."""
        source = self._sockets.pop(socket, None)
        if source is not None:
            del self._by_source[source][socket]
            if not self._by_source[source]:
                del self._by_source[source]

    def _drop(self, socket: RouterSocket) -> None:
        self.discard(socket)
        socket.replace()
