"""What each option may be: a value ready for use, or a sentence that says what to write instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from twisted.internet.endpoints import serverFromString

from wifidogd.domain.addresses import read_mail_address
from wifidogd.domain.errors import ConfigurationError
from wifidogd.runtime.systemd import described
from wifidogd.settings.text_files import read_line
from wifidogd.settings.values import TlsFiles, default_data_dir

MOST_WORKERS = 64

_ORIGIN = re.compile(r"https?://([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
"""What a browser, a gateway and its wifidog.conf read alike; L{urlsplit} checks the numbers."""


_PORT_80 = re.compile(r"(\A(?:haproxy:)?tcp6?:(?:.*:port=)?)80(?=:|\Z)")


def checked_endpoint(text: str) -> str:
    """
    Return the description of a server endpoint, unchanged.

    @raise ConfigurationError: if Twisted cannot read it, or its certificate, or systemd has not passed its socket.
    """
    if re.match("(haproxy:)?(tcp6?|ssl):", text):
        port = re.search(r"(?:\A(?:haproxy:)?\w+:|:port=)([0-9]+)", text)
        if port is None or int(port[1]) > 65535:
            raise ConfigurationError(f"--listen {text}: write a port from 1 to 65535, such as tcp:8080.")
    try:
        serverFromString(None, described(text))
    except ConfigurationError:
        raise
    except Exception as problem:
        raise ConfigurationError(
            f"--listen {text}: {problem}; write a Twisted endpoint such as tcp:8080, tcp:8080:interface=127.0.0.1 "
            "or ssl:443:privateKey=key.pem:certKey=cert.pem."
        ) from problem
    return text


def with_https(listen: Sequence[str]) -> tuple[str, ...]:
    """
    Return endpoints with one at port 443 for each at port 80, where TLS is spoken as at all ports of plain HTTP.

    @raise ConfigurationError: if none is at port 80, or one at 443 already.
    """
    added = [_PORT_80.sub(r"\g<1>443", text) for text in listen if _PORT_80.search(text)]
    if not added:
        raise ConfigurationError("--https adds port 443 to port 80: write --listen tcp:80 as well.")
    taken = [text for text in listen if re.search(r"(\A(?:haproxy:)?\w+:|:port=)443(?=:|\Z)", text)]
    if taken:
        raise ConfigurationError(f"--https adds port 443, which --listen {taken[0]} has: leave out one of them.")
    return (*listen, *added)


def checked_tls_files(certificate: str, key: str) -> TlsFiles:
    """
    Return the files of a certificate and its key.

    @raise ConfigurationError: if they cannot be read, or do not belong together.
    """
    # Only here, as wifidogctl, which reads settings too, needs no OpenSSL.
    from wifidogd.web.server.certificates import CertificateFiles
    from wifidogd.web.server.tls import PlainPortTls

    files = TlsFiles(Path(certificate).expanduser().absolute(), Path(key).expanduser().absolute())
    try:
        CertificateFiles(PlainPortTls(), files.certificate, files.key).use()
    except (OSError, ValueError) as problem:
        raise ConfigurationError(
            f"--certificate {certificate} --key {key}: {problem}; name files in PEM that wifidogd may read, such as "
            "fullchain.pem and privkey.pem of certbot."
        ) from problem
    return files


def checked_workers(text: str, listen: Sequence[str]) -> int:
    """
    Return the number of processes.

    @param listen: descriptions of the endpoints that they are to share.
    @raise ConfigurationError: if it is none, or more than one cannot share them.
    """
    if re.fullmatch("[1-9][0-9]?", text) is None or int(text) > MOST_WORKERS:
        raise ConfigurationError(f"--workers {text}: write a number from 1 to {MOST_WORKERS}, such as 2.")
    for endpoint in listen:
        if text != "1" and re.match("systemd:|(haproxy:)?(tcp6?|ssl|unix):", endpoint) is None:
            raise ConfigurationError(
                f"--workers {text}: --listen {endpoint} cannot be shared; write tcp, tcp6, ssl, unix or systemd "
                "endpoints, or leave out --workers."
            )
    return int(text)


def checked_data_dir(text: str | None) -> Path:
    """
    Return an absolute path, which need not exist.

    @raise ConfigurationError: if something else is there, or nothing can be.
    """
    said = text or str(default_data_dir())
    try:
        path = Path(said).expanduser().absolute()
        existing = next(directory for directory in (path, *path.parents) if directory.exists())
    except (OSError, RuntimeError) as problem:
        raise ConfigurationError(
            f"--data-dir {said}: {problem}; name a directory that wifidogd may have for itself."
        ) from problem
    if not existing.is_dir():
        raise ConfigurationError(
            f"--data-dir {said}: {existing} is not a directory; name a directory that wifidogd may have for itself."
        )
    return path


def checked_path(text: str) -> str:
    """
    Return a URL path with slashes around it.

    @raise ConfigurationError: if a gateway or a browser would alter it.
    """
    path = f"/{text.strip('/')}/" if text.strip("/") else "/"
    if not re.fullmatch(r"/([A-Za-z0-9._~-]+/)*", path) or re.search(r"/\.{1,2}/", path):
        raise ConfigurationError(f"--path {text}: use letters, digits, . _ ~ - and slashes only, such as /wifidog/.")
    return path


def read_password(name: str) -> str:
    """
    Return the first line of a file.

    @raise ConfigurationError: if it cannot be read or holds no password.
    """
    try:
        with open(name, "rb") as file:
            password = read_line(file)
    except (OSError, ValueError) as problem:
        raise ConfigurationError(
            f"--mail-password-file {name}: {problem}; name a file that wifidogd may read."
        ) from problem
    if not password:
        raise ConfigurationError(f"--mail-password-file {name}: write the password into its first line.")
    return password


def checked_sender(text: str) -> str:
    """
    Return the address that mails come from.

    @raise ConfigurationError: if it is none.
    """
    address = read_mail_address(text)
    if address is None:
        raise ConfigurationError(
            f"--mail-from {text}: write the address that mails come from, such as wifi@hotel.example."
        )
    return address


def checked_url(text: str | None) -> str | None:
    """
    Return the address of this server as others see it, without a slash at its end; None for none.

    @raise ConfigurationError: unless it is scheme, host and port.
    """
    if text is None:
        return None
    if not _is_origin(text.rstrip("/")):
        raise ConfigurationError(
            f"--public-url {text}: write scheme, host and port only, such as http://wifi.example:8080."
        )
    return text.rstrip("/")


def _is_origin(text: str) -> bool:
    try:
        return urlsplit(text).port != 0 and _ORIGIN.fullmatch(text) is not None
    except ValueError:
        return False
