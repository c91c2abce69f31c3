"""A real mail server in the reactor of the tests, which may be told to misbehave."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.mail.imap4 import PLAINCredentials
from twisted.mail.smtp import (
    ESMTP,
    IMessage,
    IMessageDelivery,
    LOGINCredentials,
    SMTPBadRcpt,
    SMTPBadSender,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support.deadline import within
from wifidogd.accounts.smtp_server import MailServer, Security

USER, PASSWORD = "post@example.org", "se cret: ü"


@implementer(IOpenSSLServerConnectionCreator)
class Identity:
    """
    A certificate that nobody but these tests trusts.

    @ivar trust: for a client that is to trust it.
    """

    def __init__(self, *names: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self._certificate = certificate = built.public_bytes(serialization.Encoding.PEM)
        self.trust = trustRootFromCertificates([Certificate.loadPEM(certificate)])
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self._context.use_certificate(built)
        self._context.use_privatekey(key)

    def write(self, folder: Path) -> str:
        """Write the certificate to a file, for C{SSL_CERT_FILE}."""
        (folder / "certificate.pem").write_bytes(self._certificate)
        return str(folder / "certificate.pem")

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """Return the server's side of a TLS connection."""
        return SSL.Connection(self._context, None)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Mailbox(ServerFactory):
    """
    Takes mail, and keeps it.

    @ivar received: sender, recipient and message, in order of arrival.
    @ivar users: who authenticated, in order.
    @ivar refuse_from: code and text for MAIL FROM; None to accept, as for the next two.
    @ivar refuse_to: for RCPT TO.
    @ivar refuse_data: for the message.
    @ivar drop_in_data: True to hang up while the message is sent.
    @ivar hesitate: called with each message; the answer waits for what it returns.
    """

    noisy = False

    def __init__(self, security: Security = Security.STARTTLS, *, names: tuple[str, ...] = ("localhost",)) -> None:
        self.security = security
        self.identity = Identity(*names)
        self.received: list[tuple[str, str, EmailMessage]] = []
        self.users: list[str] = []
        self.refuse_from: tuple[int, str] | None = None
        self.refuse_to: tuple[int, str] | None = None
        self.refuse_data: tuple[int, str] | None = None
        self.drop_in_data = False
        self.offers_tls = True
        self.hesitate: Callable[[], Deferred[Any]] = lambda: succeed(None)
        self.connections: list[ESMTP] = []
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        checker.addUser(USER.encode(), PASSWORD.encode())
        self._portal = Portal(Realm(self), [checker])

    def open(self, port: int = 0) -> Mailbox:
        """Listen."""
        if self.security is Security.TLS:
            self.listener: Any = reactor.listenSSL(port, self, self.identity, interface="127.0.0.1")  # type: ignore[attr-defined]
        else:
            self.listener = reactor.listenTCP(port, self, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.port = self.listener.getHost().port
        return self

    async def close(self) -> None:
        """Stop listening, and close all connections."""
        await within(5, maybeDeferred(self.listener.stopListening))
        for connection in list(self.connections):
            connection.transport.abortConnection()

    def server(self, host: str = "localhost") -> MailServer:
        """Return the settings that C{--mail} would give for this server."""
        if self.security is Security.NONE:
            return MailServer(host, self.port, self.security)
        return MailServer(host, self.port, self.security, USER, PASSWORD)

    def buildProtocol(self, addr: object) -> Protocol:
        challengers = {b"PLAIN": PLAINCredentials, b"LOGIN": LOGINCredentials}
        context = self.identity if self.security is Security.STARTTLS and self.offers_tls else None
        protocol = Conversation(challengers, context)
        protocol.factory = self
        protocol.timeout = 60
        protocol.portal = self._portal
        if self.security is Security.NONE:
            protocol.delivery = Delivery(self)
        return protocol


class Conversation(ESMTP):
    """Twisted's server, which may close the connection in the middle."""

    noisy = False

    def connectionMade(self) -> None:
        self.factory.connections.append(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure) -> None:
        self.factory.connections.remove(self)
        super().connectionLost(reason)

    def sendCode(self, code: int, message: bytes = b"") -> None:
        if message == b"Delivery in progress" and self.factory.refuse_data:
            code, text = self.factory.refuse_data
            message = text.encode()
        super().sendCode(code, message)

    def state_DATA(self, line: bytes) -> Any:
        if self.factory.drop_in_data:
            self.transport.abortConnection()
            return None
        return super().state_DATA(line)


@implementer(IRealm)
class Realm:
    """Accepts every user who knows the password."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def requestAvatar(self, avatar: bytes, mind: object, *interfaces: object) -> Any:
        self._mailbox.users.append(avatar.decode())
        return IMessageDelivery, Delivery(self._mailbox), lambda: None


@implementer(IMessageDelivery)
class Delivery:
    """Accepts all senders and recipients, unless the mailbox refuses them."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def receivedHeader(self, helo: object, origin: object, recipients: object) -> bytes:
        return b""

    def validateFrom(self, helo: object, origin: Any) -> Any:
        if self._mailbox.refuse_from:
            raise SMTPBadSender(origin, *self._mailbox.refuse_from)
        self._origin = str(origin)
        return origin

    def validateTo(self, user: Any) -> Callable[[], Incoming]:
        if self._mailbox.refuse_to:
            raise SMTPBadRcpt(user, *self._mailbox.refuse_to)
        return lambda: Incoming(self._mailbox, self._origin, str(user.dest))


@implementer(IMessage)
class Incoming:
    """One message."""

    def __init__(self, mailbox: Mailbox, sender: str, recipient: str) -> None:
        self._mailbox = mailbox
        self._sender = sender
        self._recipient = recipient
        self._lines = io.BytesIO()

    def lineReceived(self, line: bytes) -> None:
        self._lines.write(line + b"\r\n")

    def eomReceived(self) -> Deferred[Any]:
        return self._mailbox.hesitate().addCallback(self._keep)

    def _keep(self, _: object) -> None:
        if self._mailbox.refuse_data:
            return
        message = message_from_bytes(self._lines.getvalue(), policy=policy.SMTP)
        assert isinstance(message, EmailMessage)
        self._mailbox.received.append((self._sender, self._recipient, message))

    def connectionLost(self) -> None:
        pass
