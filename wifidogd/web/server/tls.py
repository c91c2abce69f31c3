"""What a client must be able to do to be talked to over TLS, also at ports of plain HTTP."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
"""
Of TLS 1.2: those that authenticate what they encrypt, with keys that nobody can work out later.

All of TLS 1.3 are such.  Browsers have had them since 2014.
"""


def restrict(context: SSL.Context) -> None:
    """Let a context speak TLS 1.2 and 1.3 with L{CIPHERS} only."""
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS)
    context.set_options(SSL.OP_NO_RENEGOTIATION)


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
        restrict(contextFactory.getContext())  # the one that it returns each time
        return self._ports.listenSSL(port, factory, contextFactory, backlog=backlog, interface=interface)


@implementer(IOpenSSLServerConnectionCreator)
class PlainPortTls:
    """
    The server's side of TLS for clients that speak it at a port of plain HTTP.

    apfree-wifidog sends guests there by https (docs/protocol.md 6.12).
    """

    def __init__(self) -> None:
        self._context: SSL.Context | None = None

    @property
    def is_ready(self) -> bool:
        """Whether there is a certificate."""
        return self._context is not None

    def use(self, certificate: bytes, key: bytes) -> None:
        """
        Show clients that come from now on a certificate.

        @param certificate: the server's, followed by those that vouch for it, in PEM.
        @param key: in PEM, not encrypted.
        @raise ValueError: if they cannot be read, or do not belong together; the one before stays in use.
        """
        first, *others = x509.load_pem_x509_certificates(certificate)
        context = SSL.Context(SSL.TLS_METHOD)
        restrict(context)
        try:
            context.use_certificate(first)
            context.use_privatekey(load_pem_private_key(key, None))  # type: ignore[arg-type]
            context.check_privatekey()
            for other in others:
                context.add_extra_chain_cert(other)
        except (SSL.Error, TypeError) as problem:
            raise ValueError(f"the key is not that of the certificate, or of no use for TLS ({problem})") from problem
        self._context = context

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """Return the state of one connection; as C{IOpenSSLServerConnectionCreator} has it."""
        assert self._context is not None, "nobody speaks TLS without a certificate"
        return SSL.Connection(self._context, None)


def start_tls(protocol: Any, tls: PlainPortTls, data: bytes) -> None:
    """
    Put TLS below the protocol of a connection.

    @param protocol: what it receives from now on has been decrypted; its C{transport} may be another afterwards.
    @param data: what the client has sent so far.
    """
    lowest = _lowest(protocol.transport)
    lowest.startTLS(tls)
    if protocol.transport is lowest:
        protocol.transport = lowest.protocol  # which knows that it is closing before its connection does
    lowest.protocol.dataReceived(data)


def is_tcp(transport: Any) -> bool:
    """Return whether a connection is one of TCP, perhaps behind a proxy that names its client."""
    return isinstance(_lowest(transport).getHost(), (IPv4Address, IPv6Address))


def _lowest(transport: Any) -> Any:
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    return transport
