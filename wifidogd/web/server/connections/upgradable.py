"""HTTP over a connection that may become a WebSocket."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IProtocol

from wifidogd.web.server.connections.upgraded import UpgradedConnection
from wifidogd.web.server.request_limits import LimitedChannel

if TYPE_CHECKING:
    from wifidogd.web.server.site import WifidogdSite


class UpgradableChannel(LimitedChannel):
    """One connection, which L{twisted.web.websocket} asks for once it has accepted a request for a WebSocket."""

    site: WifidogdSite
    _upgraded: UpgradedConnection | None = None

    def _protocolUpgradeForWebsockets(self, protocol: IProtocol) -> None:
        """
        Hand the connection to a WebSocket.

        Whatever came behind the request is dropped: a client waits for the answer (RFC 6455 4.1).
        """
        self.requests.clear()
        self._upgraded = UpgradedConnection(
            protocol, self.transport, self._networkProducer, self.callLater, self._has_left, self.site.limited_log
        )
        self.dataReceived = self._upgraded.dataReceived  # type: ignore[method-assign]
        self.connectionLost = self._upgraded.connectionLost  # type: ignore[method-assign]
        protocol.makeConnection(self.transport)

    @abstractmethod
    def _has_left(self) -> None:
        """Stop counting a WebSocket, which is gone."""

    def rawDataReceived(self, data: bytes) -> None:
        """Read a part of a body, or keep what came behind a request; behind one for a WebSocket nothing is kept."""
        if self._upgraded is None:
            super().rawDataReceived(data)

    @property
    def upgraded(self) -> UpgradedConnection:
        """
        The WebSocket that this connection has become.

        @raise AttributeError: if it is none.
        """
        if self._upgraded is None:
            raise AttributeError("not a WebSocket")
        return self._upgraded

    def go_away(self) -> None:
        """Close a WebSocket because the server stops."""
        if not self.upgraded.is_over:
            self.upgraded.go_away()
