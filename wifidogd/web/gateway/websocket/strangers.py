"""Connections that nobody has vouched for: few, and fewer from one place, so that they fill nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wifidogd.domain.addresses import blocks_of

if TYPE_CHECKING:
    from wifidogd.web.gateway.websocket.router_socket import RouterSocket

MOST_STRANGERS = 500
"""Connections without an adopted gateway, or a tenth of all if that is less."""

MOST_FROM_SOURCE = 32
"""Of them from one address, once they have said who they are: all routers may come through one proxy."""


class Strangers:
    """
    The connections without an adopted gateway, in the order in which they came.

    The oldest gives way to a newcomer, so that whoever keeps many open shuts out no router: its own is a newcomer for
    as long as it takes to say who it is.
    """

    def __init__(self) -> None:
        self._sockets: dict[RouterSocket, None] = {}
        self._by_source: dict[str, dict[RouterSocket, None]] = {}

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, socket: RouterSocket, most: int, *, has_greeted: bool) -> None:
        """
        Count a connection, and close another if there are too many.

        @param most: WebSockets that there may be altogether.
        @param has_greeted: whether it has said who it is.
        """
        self._sockets.setdefault(socket)
        here = self._by_source.setdefault(blocks_of(socket.source)[0], {}) if has_greeted else {}
        here[socket] = None
        if len(here) > MOST_FROM_SOURCE:
            self._drop(next(iter(here)))
        elif len(self._sockets) > min(MOST_STRANGERS, max(1, most // 10)):
            self._drop(next(iter(self._sockets)))

    def discard(self, socket: RouterSocket) -> None:
        """Count a connection no more: it is closed, or may be that of an adopted gateway."""
        self._sockets.pop(socket, None)
        source = blocks_of(socket.source)[0]
        here = self._by_source.get(source, {})
        here.pop(socket, None)
        if not here:
            self._by_source.pop(source, None)

    def _drop(self, socket: RouterSocket) -> None:
        self.discard(socket)
        socket.replace()
