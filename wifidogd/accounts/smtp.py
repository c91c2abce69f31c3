"""Hands one mail to a mail server, on a connection of its own and within a deadline."""

from __future__ import annotations

import io
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.mail.smtp import (
    CramMD5ClientAuthenticator,
    ESMTPClient,
    LOGINAuthenticator,
    PLAINAuthenticator,
    SMTPClientError,
)
from twisted.python.failure import Failure

from wifidogd.accounts.smtp_server import MailServer, Security
from wifidogd.domain.addresses import quoted_mail_address
from wifidogd.domain.errors import WifidogdError

DEADLINE = 40.0
"""Seconds for a whole mail, from looking up the server's name to QUIT."""

MOST_OCTETS = 64 * 1024
MOST_LINES = 500
MOST_REPLIES = 50
"""What a mail server may say in one conversation; it has ten replies or so to give, that to EHLO with a dozen lines."""


class NotSent(WifidogdError):
    """
    A mail server did not accept a mail, or it is unknown whether it did.

    The message says why, in the server's words where there are any.

    @ivar is_final: True when this mail would be refused again.
    @ivar is_reached: False when the trouble is with the server, whatever the mail.
    """

    def __init__(self, why: str, *, is_final: bool = False, is_reached: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final
        self.is_reached = is_reached


async def deliver(
    server: MailServer, sender: str, recipient: str, message: str, *, reactor: Any, trust_root: Any = None
) -> None:
    r"""
    Hand over one mail.

    The server's certificate is checked, by name and against the authorities this
    machine trusts, before anything is sent to it, a password least of all.

    @param message: head and body, ASCII, lines ended by C{\n}.
    @param trust_root: for tests; None for the authorities this machine trusts.
    @raise NotSent: if the server did not accept it within L{DEADLINE}.
    """
    trust = {} if trust_root is None else {"trustRoot": trust_root}
    tls: Any = None if server.security is Security.NONE else optionsForClientTLS(server.host, **trust)
    endpoint: IStreamClientEndpoint = HostnameEndpoint(reactor, server.host, server.port, timeout=DEADLINE)
    if server.security is Security.TLS:
        endpoint = wrapClientTLS(tls, endpoint)
    delivery = Delivery(server, sender, recipient, message, tls)
    connecting = connectProtocol(endpoint, delivery)
    deadline = reactor.callLater(DEADLINE, _give_up, connecting, delivery)
    try:
        try:
            await connecting
        except Exception as trouble:
            raise NotSent(f"no connection to {server.host} port {server.port}: {_words(Failure(trouble))}") from trouble
        await delivery.done
    finally:
        if deadline.active():
            deadline.cancel()


def _give_up(connecting: Deferred[Any], delivery: Delivery) -> None:
    connecting.cancel()
    if delivery.transport is not None:
        delivery.decide(NotSent(f"not done within {DEADLINE:.0f} s"))
        delivery.transport.abortConnection()


class Delivery(ESMTPClient):
    """
    The SMTP conversation about one mail.

    @ivar done: fires with None when the connection has ended after the server
        accepted the mail, else fails with L{NotSent}.
    """

    debug = False
    transport: Any

    def __init__(self, server: MailServer, sender: str, recipient: str, message: str, tls: Any) -> None:
        user, password = (server.user or "").encode(), (server.password or "").encode()
        super().__init__(password, tls, b"")
        self.requireAuthentication = server.user is not None
        self.requireTransportSecurity = tls is not None
        self.heloFallback = tls is None
        for authenticator in (CramMD5ClientAuthenticator, LOGINAuthenticator, PLAINAuthenticator):
            self.registerAuthenticator(authenticator(user))
        self.done: Deferred[None] = Deferred()
        self._senders = [sender]
        self._recipient = quoted_mail_address(recipient).encode("ascii")
        self._message = message.encode("ascii")
        self._outcome: NotSent | None = None
        self._is_decided = False
        self._heard = self._lines = self._replies = 0

    def decide(self, outcome: NotSent | None) -> None:
        """Record the outcome, None for success; the first one recorded counts."""
        if not self._is_decided:
            self._is_decided = True
            self._outcome = outcome

    def connectionMade(self) -> None:
        """Introduce us by our address: our name, if there is one, means nothing to the server."""
        host = self.transport.getHost().host
        self.identity = f"[{'IPv6:' if ':' in host else ''}{host}]".encode()
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Take what the server says, unless it says more than a conversation needs."""
        self._heard += len(data)
        if self._heard > MOST_OCTETS:
            self._cut()
        else:
            super().dataReceived(data)

    def lineReceived(self, line: bytes) -> object:
        """Take a line, unless there are more than a conversation needs."""
        self._lines += 1
        self._replies += line[3:4] != b"-"
        if self._lines > MOST_LINES or self._replies > MOST_REPLIES:
            self._cut()
            return None
        result: object = super().lineReceived(line)
        return result

    def lineLengthExceeded(self, line: bytes) -> None:
        """Take no line that is longer than any reply (L{MAX_LENGTH} octets)."""
        self._cut()

    def _cut(self) -> None:
        """End the conversation at once, and keep nothing of what was said."""
        self.decide(NotSent("the mail server says too much"))
        self.clearLineBuffer()
        self.resp.clear()
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Report the outcome."""
        super().connectionLost(reason)
        self.decide(NotSent(f"the connection was lost: {_words(reason)}"))
        if self._outcome is None:
            self.done.callback(None)
        else:
            self.done.errback(self._outcome)

    def esmtpState_starttls(self, code: int, resp: bytes) -> None:
        """Begin TLS; whatever came ahead of it, unprotected, is dropped."""
        self.clearLineBuffer()
        super().esmtpState_starttls(code, resp)

    def getMailFrom(self) -> str | None:
        """Return the sender once, then None."""
        return self._senders.pop() if self._senders else None

    def getMailTo(self) -> list[bytes]:
        """Return the recipient."""
        return [self._recipient]

    def getMailData(self) -> io.BytesIO:
        """Return the message as a file."""
        return io.BytesIO(self._message)

    def sendError(self, exc: Exception) -> None:
        """Record an error before or outside of the mail."""
        self.decide(NotSent(_words(Failure(exc))))
        super().sendError(exc)

    def sentMail(self, code: int, resp: bytes | str, numOk: int, addresses: list[Any], log: object) -> None:
        """
        Record the server's verdict on the mail.

        A refusal is final only after the recipient was named: before that it is the
        sender or this server that is not welcome, which the operator can change.
        """
        if numOk and 200 <= code < 300:
            self.decide(None)
            return
        words = [answer for _, _, answer in addresses] or [resp]
        is_final = bool(addresses) and 500 <= code < 600
        said = words[-1] if numOk == 0 else resp
        self.decide(NotSent(f"{code} {_text(said)}", is_final=is_final, is_reached=bool(addresses)))


def _words(failure: Failure) -> str:
    """Return in one line what happened."""
    trouble = failure.value
    if isinstance(trouble, SMTPClientError):
        return f"{trouble.code} {_text(trouble.resp)}"
    return _text(failure.getErrorMessage())


def _text(said: bytes | str) -> str:
    """Return the printable part of a reply: it ends up on the operator's terminal."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return "".join(filter(str.isprintable, " ".join(text.split())))[:200]
