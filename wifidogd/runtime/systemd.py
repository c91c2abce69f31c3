"""What a service of C{Type=notify} tells systemd; sd_notify(3) has the words."""

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
    """What it takes to tell of beginning, life and end."""


class Systemd:
    """Tells systemd how we are, if it has started us and wants to know."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """
        @param environment: of this process; what is meant for us alone is removed, as our PostgreSQL would use it too.
        """
        self._address = environment.pop("NOTIFY_SOCKET", "")
        patience = environment.pop("WATCHDOG_USEC", "")
        is_ours = environment.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._patience = int(patience) / 1e6 if is_ours and patience.isdigit() else None

    def attend(self, reactor: IServiceReactor) -> None:
        """Tell of the end, and show life as long as the reactor turns: twice in the time that systemd waits for it."""
        reactor.addSystemEventTrigger("before", "shutdown", self.say, "STOPPING=1", "STATUS=stopping")
        if self._patience is not None:
            life = LoopingCall(self.say, "WATCHDOG=1")
            life.clock = reactor
            reactor.callWhenRunning(life.start, self._patience / 2)

    def say(self, *words: str) -> None:
        """Send assignments, one datagram; what systemd does not take at once is lost, as it would be at a reboot."""
        if not self._address.startswith(("/", "@")):
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying, suppress(OSError):
            notifying.setblocking(False)
            notifying.sendto("\n".join(words).encode(), address)


DOMAINS: dict[int, str] = {socket.AF_INET: "INET", socket.AF_INET6: "INET6"}
"""Families of sockets that can be had, and how C{systemd:} endpoints call them."""


def is_passed(listen: str) -> bool:
    """Tell whether an endpoint is a socket that systemd passes."""
    return listen.startswith("systemd:")


def described(listen: str) -> str:
    """
    Say where an endpoint listens.

    @param listen: a Twisted endpoint description; if systemd passes its socket, it has not been listened at yet.
    @return: the same, or what would open the socket that systemd has passed.
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
