"""What a worker inherits from its parent: listening sockets, and a pipe whose end means that it must end."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from twisted.internet import fdesc, tcp
from twisted.internet.abstract import FileDescriptor
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

ORDERS = 0
"""Descriptor of the pipe that brings the orders, and stays open as long as the parent wants the worker."""

MESSAGES = 1
"""Descriptor of the pipe that takes messages to the parent."""

FIRST_SOCKET = 3
"""Descriptor of the first listening socket; the others follow."""


class InheritedPorts:
    """
    A reactor as far as endpoints see, which listens on the parent's sockets instead of opening its own.

    Whatever an endpoint asks for, it gets the next socket.  The sockets stay
    the parent's: the file of a Unix socket is not removed when a worker ends.
    """

    def __init__(self, reactor: Any, sockets: Iterable[tuple[int, int]]) -> None:
        """
        @param sockets: descriptor and address family of each.
        """
        self._reactor = reactor
        self._sockets = iter(sockets)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Accept TCP connections; as C{IReactorTCP} has it."""
        return self._next(factory)

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Accept TLS connections; as C{IReactorSSL} has it."""
        return self._next(TLSMemoryBIOFactory(contextFactory, False, factory))

    def listenUNIX(
        self, address: str, factory: Any, backlog: int = 50, mode: int = 0o666, wantPID: bool = False
    ) -> Any:
        """Accept connections on this machine; as C{IReactorUNIX} has it."""
        port = self._next(factory)
        port.connectionLost = partial(tcp.Port.connectionLost, port)  # without removing the parent's file
        port.socket.listen(backlog)  # which adopting has set to 50
        return shared(port)

    def _next(self, factory: Any) -> Any:
        descriptor, family = next(self._sockets)
        port = self._reactor.adoptStreamPort(descriptor, socket.AddressFamily(family), factory)
        os.close(descriptor)  # the port has a copy
        return port


def shared(port: Any) -> Any:
    """
    Return a port that one process can close while others go on using its socket.

    Twisted shuts down sockets that it has opened, and Unix sockets that it
    has adopted (C{twisted.internet.unix.Port.startListening}), for everybody.
    """
    port._shouldShutdown = False
    return port


class ParentWatch(FileDescriptor):
    """Watches the pipe from the parent, which brings nothing after the orders, and ends when the worker must end."""

    def __init__(self, reactor: Any, on_end: Callable[[], None]) -> None:
        """
        @param on_end: called when the parent has closed the pipe, or is gone.
        """
        super().__init__(reactor)
        self._on_end = on_end
        os.set_blocking(ORDERS, False)

    def fileno(self) -> int:
        """Return what the reactor is to watch."""
        return ORDERS

    def doRead(self) -> Exception | None:
        """Return why the pipe has ended; None if it has not."""
        ended: Exception | None = fdesc.readFromFD(ORDERS, lambda octets: None)
        return ended

    def connectionLost(self, reason: Failure) -> None:
        """Call C{on_end}."""
        super().connectionLost(reason)
        self._on_end()
