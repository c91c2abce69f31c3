"""Sockets that systemd has opened for us: ports below 1024 without any right, and none refused while we restart."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.endpoints import quoteStringArgument, serverFromString

from wifidogd.errors import ConfigurationError

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
