"""The mail server that C{--mail} names."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from wifidogd.domain.errors import ConfigurationError

EXAMPLE = "smtp+tls://user@mail.example:587"


class Security(Enum):
    """How the conversation is kept private; the value is the scheme of the URL."""

    STARTTLS = "smtp+tls"
    TLS = "smtps"
    NONE = "smtp"


_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


@dataclass(frozen=True, slots=True)
class MailServer:
    """
    A mail server.

    @ivar user: the name to sign in with; None for no sign-in.
    @ivar password: the user's.
    """

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def read_mail_server(text: str, password: str | None) -> MailServer:
    """
    Return the mail server that a URL names.

    @param text: a URL such as L{EXAMPLE}; without a port it is the usual one of the scheme.
    @param password: of the URL's user; None when none was given.
    @raise ConfigurationError: if mail cannot be sent that way, or not safely.
    """
    url, port = _split(text)
    try:
        security = Security(url.scheme)
    except ValueError:
        raise _wrong(text, f"start with smtp+tls://, smtps:// or smtp://, such as {EXAMPLE}") from None
    if not url.hostname or url.path.strip("/") or url.query or url.fragment:
        raise _wrong(text, f"write scheme, user, host and port only, such as {EXAMPLE}")
    if url.password is not None:
        raise _wrong(text, "write the password into a file and name that with --mail-password-file")
    if security is Security.NONE and not _is_this_machine(url.hostname):
        raise _wrong(text, "smtp:// is not encrypted and for localhost only; write smtp+tls:// or smtps://")
    user = unquote(url.username) if url.username else None
    if user is not None and password is None:
        raise _wrong(text, "name the file that holds the user's password with --mail-password-file")
    if user is None and password is not None:
        raise _wrong(text, f"the password in --mail-password-file needs a user, such as {EXAMPLE}")
    return MailServer(url.hostname, port or _PORTS[security], security, user, password)


def _split(text: str) -> tuple[SplitResult, int | None]:
    try:
        url = urlsplit(text)
        if url.port == 0 or not text.isprintable() or " " in text:
            raise ValueError(text)
        return url, url.port
    except ValueError:
        raise _wrong(text, f"this cannot be read; write something like {EXAMPLE}") from None


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wrong(text: str, advice: str) -> ConfigurationError:
    """Return an error that does not repeat a password."""
    scheme, mark, rest = text.partition("://")
    return ConfigurationError(f"--mail {scheme}{mark}{rest.rpartition('@')[2]}: {advice}.")
