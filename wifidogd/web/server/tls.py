"""What a client must be able to do to be talked to over TLS."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
"""
Of TLS 1.2: those that authenticate what they encrypt, with keys that nobody can work out later.

All of TLS 1.3 are such.  Browsers have had them since 2014.
"""


class StrictTls:
    """A reactor as far as endpoints see, whose TLS ports speak TLS 1.2 and 1.3 with L{CIPHERS} only."""

    def __init__(self, ports: Any) -> None:
        """
        @param ports: the reactor, or what stands for it.
        """
        self._ports = ports

    def __getattr__(self, name: str) -> Any:
        """Return everything else as the reactor has it."""
        return getattr(self._ports, name)

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Accept TLS connections; as C{IReactorSSL} has it."""
        context = contextFactory.getContext()  # the one that it returns each time
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(CIPHERS)
        context.set_options(SSL.OP_NO_RENEGOTIATION)
        return self._ports.listenSSL(port, factory, contextFactory, backlog=backlog, interface=interface)
