"""
What routers can be told at once over the connection that they keep open, and which of them have one.

These three commands are all there are: nothing here can run a program on a router, change its firmware or restart it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from twisted.internet.defer import Deferred


@dataclass(frozen=True, slots=True)
class Kickoff:
    """
    Throws a guest off.

    @ivar ip: exactly as the router lists the guest; without it nobody can be thrown off.
    """

    gw_id: str
    mac: str
    ip: str


@dataclass(frozen=True, slots=True)
class Admission:
    """Lets a guest in who did not come with a browser; the token is reported with the next counters."""

    gw_id: str
    mac: str
    ip: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TemporaryPass:
    """Opens the internet to a device for some seconds, without a session and without being counted."""

    gw_id: str
    mac: str
    seconds: int


Command = Kickoff | Admission | TemporaryPass


class Outcome(Enum):
    """
    What became of a command.

    @cvar DONE: the router says so.
    @cvar SENT: the router never replies to this command: releases before 9.04 do so to two of them.
    @cvar NOT_FOUND: the router does not list the guest.
    @cvar REFUSED: the router could not carry it out.
    @cvar UNANSWERED: no reply came in time, or the connection was lost.
    @cvar UNSENT: the router has no connection, or too many commands are waiting.
    """

    DONE = "done"
    SENT = "sent"
    NOT_FOUND = "not found"
    REFUSED = "refused"
    UNANSWERED = "no reply"
    UNSENT = "not sent"


class RouterConnection(Protocol):
    """
    The connection of one router.

    @ivar device_id: what the router calls itself.
    @ivar source: the address that it comes from.
    @ivar key: what it showed; None for nothing.
    @ivar is_open: False once it is closed.
    """

    device_id: str
    source: str
    key: str | None
    is_open: bool

    def send(self, command: Command) -> Deferred[Outcome]:
        """Send a command once those before it have been replied to; this never fails."""

    def distrust(self) -> None:
        """Close the connection when there are too many like it: it is not that of an adopted gateway."""

    def replace(self) -> None:
        """Close the connection, because the router has opened another."""


class ConnectedRouters:
    """
    The connections of routers to this process, by the gateways that each may speak for.

    Which these are is decided in the store, for all processes; see
    L{RouterClaims<wifidogd.gateways.router_claims.RouterClaims>}.
    """

    def __init__(self) -> None:
        self._connections: dict[str, RouterConnection] = {}
        self._gw_ids: dict[RouterConnection, set[str]] = {}

    def __len__(self) -> int:
        return len(self._gw_ids)

    def connection(self, gw_id: str) -> RouterConnection | None:
        """Return the connection of a gateway's router; None if it has none here."""
        return self._connections.get(gw_id)

    def speaks_for(self, connection: RouterConnection, gw_id: str) -> bool:
        """Return whether commands for a gateway are sent over this connection."""
        return self._connections.get(gw_id) is connection

    def connect(self, connection: RouterConnection, gw_id: str) -> None:
        """Send commands for a gateway over a connection; the one before is closed if no gateway is left to it."""
        before = self._connections.get(gw_id)
        if before is connection:
            return
        self._connections[gw_id] = connection
        self._gw_ids.setdefault(connection, set()).add(gw_id)
        if before is not None and self._forget(before, gw_id):
            before.replace()

    def disconnect(self, connection: RouterConnection, gw_id: str) -> None:
        """Send no more commands for a gateway over a connection."""
        if self.speaks_for(connection, gw_id):
            del self._connections[gw_id]
            self._forget(connection, gw_id)

    def gw_ids(self, connection: RouterConnection) -> list[str]:
        """Return the gateways that a connection speaks for."""
        return sorted(self._gw_ids.get(connection, ()))

    def _forget(self, connection: RouterConnection, gw_id: str) -> bool:
        """Return whether that was the last gateway that a connection spoke for."""
        gw_ids = self._gw_ids[connection]
        gw_ids.discard(gw_id)
        if not gw_ids:
            del self._gw_ids[connection]
        return not gw_ids
