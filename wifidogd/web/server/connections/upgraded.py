"""A connection that has become a WebSocket: bounds for what its client sends, which the library has none for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.web.server.request_limits import LINGER

MOST_A_TURN = 2048
"""Octets that are read in one turn of the reactor: 300 of the shortest frames, some milliseconds."""


class UpgradedConnection:
    """
    Hands what a client sends to its WebSocket, a little per turn of the reactor.

    C{twisted.web.websocket} puts the fragments of a message together however
    many there are, so octets are counted here, from one message to the next.

    @ivar most_octets: of one message, frames around it included; a longer one closes the connection.
    @ivar go_away: called when the server stops.
    @ivar is_over: whether the connection is closed, or about to be.
    """

    __slots__ = (
        "_call_later",
        "_is_paused",
        "_left",
        "_log",
        "_octets",
        "_producer",
        "_protocol",
        "_transport",
        "_turn",
        "_unheard",
        "go_away",
        "is_over",
        "most_octets",
    )

    def __init__(
        self,
        protocol: IProtocol,
        transport: Any,
        producer: Any,
        call_later: Callable[..., IDelayedCall],
        left: Callable[[], None],
        limited_log: RateLimitedLog,
    ) -> None:
        """
        @param producer: pauses and resumes what the transport brings.
        @param left: called when the connection is gone.
        """
        self.most_octets = MOST_A_TURN
        self.go_away: Callable[[], None] = transport.loseConnection
        self._protocol = protocol
        self._transport = transport
        self._producer = producer
        self._call_later = call_later
        self._left = left
        self._log = limited_log
        self._is_paused = False
        self._octets = 0
        self._unheard = b""
        self._turn: IDelayedCall | None = None
        self.is_over = False

    def dataReceived(self, data: bytes) -> None:
        """Read what the client sends."""
        if self.is_over:
            return
        self._unheard += data
        if self._turn is None:
            self._hear_some()

    def message_heard(self) -> None:
        """Count anew: a message is complete."""
        self._octets = 0

    def close(self) -> None:
        """Hear nothing more, and close the connection once everything has been sent, or in two seconds."""
        if not self.is_over:
            self.is_over = True
            self._unheard = b""
            self._transport.loseConnection()
            self._turn = self._call_later(LINGER, self._transport.abortConnection)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the WebSocket that it is over."""
        self.is_over = True
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self._left()
        self._protocol.connectionLost(reason)

    def _hear_some(self) -> None:
        self._turn = None
        piece, self._unheard = self._unheard[:MOST_A_TURN], self._unheard[MOST_A_TURN:]
        self._octets += len(piece)
        if self._octets > self.most_octets:
            self.close()
            return
        try:
            self._protocol.dataReceived(piece)
        except Exception:
            self._log.failure("a WebSocket failed", Failure())
            self._transport.abortConnection()
            return
        if self._transport.disconnecting:
            self.close()
        if not self.is_over:
            self._wait_for_a_turn()

    def _wait_for_a_turn(self) -> None:
        """Let others be served before the rest of what has arrived, and read no more until then."""
        if self._unheard:
            self._turn = self._call_later(0, self._hear_some)
        if bool(self._unheard) != self._is_paused:
            self._is_paused = not self._is_paused
            if self._is_paused:
                self._producer.pauseProducing()
            else:
                self._producer.resumeProducing()
