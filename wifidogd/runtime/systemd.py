"""
What passes between systemd and a service.

To systemd go notifications, as sd_notify(3) defines them for C{Type=notify};
from systemd come listening sockets, for C{systemd:} endpoints.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.interfaces import IReactorCore, IReactorTime
from twisted.internet.task import LoopingCall

from wifidogd.domain.errors import ConfigurationError


class IServiceReactor(IReactorCore, IReactorTime):
    """What L{Systemd.attend} needs of a reactor."""


class Systemd:
    """Notifies systemd of the state of this process, if systemd has started it and asks for that."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """
        @param environment: of this process; what systemd set for it alone is removed, as PostgreSQL would use it too.
        """
        self._address = environment.pop("NOTIFY_SOCKET", "")
        patience = environment.pop("WATCHDOG_USEC", "")
        is_ours = environment.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._patience = int(patience) / 1e6 if is_ours and patience.isdigit() else None

    def attend(self, reactor: IServiceReactor) -> None:
        """Notify systemd of the end, and while the reactor turns, twice in each WATCHDOG_USEC, that it does."""
        reactor.addSystemEventTrigger("before", "shutdown", self.notify, "STOPPING=1", "STATUS=stopping")
        if self._patience is not None:
            life = LoopingCall(self.notify, "WATCHDOG=1")
            life.clock = reactor
            reactor.callWhenRunning(life.start, self._patience / 2)

    def notify(self, *assignments: str) -> None:
        """Send assignments in one datagram; what systemd does not take at once is lost."""
        if not self._address.startswith(("/", "@")):
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying, suppress(OSError):
            notifying.setblocking(False)
            notifying.sendto("\n".join(assignments).encode(), address)


DOMAINS: dict[int, str] = {socket.AF_INET: "INET", socket.AF_INET6: "INET6"}
"""Address families of sockets, by what C{systemd:} endpoints call them."""


def is_passed(listen: str) -> bool:
    """Return whether systemd passes the socket of an endpoint."""
    return listen.startswith("systemd:")


def described(listen: str) -> str:
    """
    Return where an endpoint listens.

    @param listen: a Twisted endpoint description; if systemd passes its socket, it must not be in use yet.
    @return: the same, or the description that would open the socket which systemd has passed.
    @raise ConfigurationError: if it has passed no such socket.
    """
    if not is_passed(listen):
        return listen
    try:
        endpoint: Any = serverFromString(None, listen)
        with socket.socket(fileno=os.dup(endpoint.fileno)) as passed:
            family, name = passed.family, passed.getsockname()
    except (IndexError, KeyError, OSError) as problem:
        raise ConfigurationError(
            f"--listen {listen}: systemd has passed no such socket; start wifidogd.socket, or write an endpoint "
            "such as tcp:8080."
        ) from problem
    if family not in DOMAINS or family != endpoint.addressFamily:
        raise ConfigurationError(_other_domain(listen, family))
    kind = "tcp6" if family == socket.AF_INET6 else "tcp"
    return f"{kind}:{name[1]}:interface={quoteStringArgument(name[0])}"


def _other_domain(listen: str, family: int) -> str:
    if family in DOMAINS:
        return (
            f"--listen {listen}: the socket that systemd has passed is of another kind; write domain={DOMAINS[family]}."
        )
    return f"--listen {listen}: systemd has passed no TCP socket; let ListenStream name a port, or write unix:PATH."
