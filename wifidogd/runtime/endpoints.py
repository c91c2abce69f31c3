"""How guests, gateways and the operator reach this server, as far as the machine itself knows."""

from __future__ import annotations

import re
import socket

BACKLOG = 1024
"""Connections waiting to be accepted; the kernel may allow fewer."""

EVERYWHERE = ("", "0.0.0.0", "::")
"""Interfaces that stand for all interfaces of the machine."""


def guess_url(listen: str) -> str:
    """
    Return a guess of the public URL.

    @param listen: a Twisted endpoint description.
    @return: scheme, host and port; the host is the endpoint's interface, else the address this machine has
        towards the internet, else localhost.
    """
    port = re.search(r"(?:\A\w+:|:port=)([0-9]+)", listen)
    interface = re.search(r":interface=((?:[^:\\]|\\.)+)", listen)
    host = interface[1].replace("\\:", ":") if interface else ""
    if host in EVERYWHERE:
        host = _own_address()
    scheme = "https" if listen.startswith("ssl:") else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port[1] if port else 80}"


def with_backlog(listen: str) -> str:
    """
    Return an endpoint description with a backlog of L{BACKLOG}, where its kind has one and the operator named none.

    Twisted's default of 50 is too few while the server pauses accepting.
    """
    has_one = re.match("(haproxy:)?(tcp6?|ssl|unix):", listen) and ":backlog=" not in listen
    return f"{listen}:backlog={BACKLOG}" if has_one else listen


def _own_address() -> str:
    """Return the address towards the internet, by the routing table; connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
