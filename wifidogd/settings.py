"""The command line of C{twistd wifidogd}, each option also from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs
from twisted.internet.endpoints import serverFromString
from twisted.logger import Logger
from twisted.python import usage

from wifidogd.accounts.smtp_server import EXAMPLE, MailServer, read_mail_server
from wifidogd.domain.addresses import read_mail_address
from wifidogd.domain.errors import ConfigurationError
from wifidogd.runtime.systemd import described
from wifidogd.store.driver.dsn import session_parameters

DEFAULT_LISTEN = "tcp:8080"

ORIGIN = re.compile(r"https?://([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
"""What a browser, a gateway and its wifidog.conf read alike; L{urlsplit} checks the numbers."""

MOST_WORKERS = 64

SEEN = (
    "ps shows every user of this machine the password in --database: put the DSN into the environment as "
    "WIFIDOGD_DATABASE, or the password into a file that the DSN names as passfile=FILE."
)

log = Logger()

TRUE = ("1", "yes", "true", "on")
FALSE = ("", "0", "no", "false", "off")


def default_data_dir() -> Path:
    """
    Choose where the server keeps its private PostgreSQL when nobody said.

    @return: systemd's C{STATE_DIRECTORY} (the first, if several), else
        C{/var/lib/wifidogd} for root, else the user's state directory.
    """
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    if os.geteuid() == 0:
        return Path("/var/lib/wifidogd")
    return Path(platformdirs.user_state_dir("wifidogd"))


class Options(usage.Options):
    """
    What the operator may choose.

    After parsing it is a mapping: C{listen} (endpoint descriptions, one at
    least), C{database} (a DSN, or None for a PostgreSQL of its own),
    C{data-dir} (an absolute L{Path}), C{path} (with slashes around it),
    C{public-url} (without a slash at the end, or None), C{mail} (a
    L{MailServer}, or None), C{mail-from} (an address, None without C{mail}),
    C{workers} (a number, 1 for no children) and C{trust-new-gateways}.
    """

    optParameters = [
        ["database", None, None, "PostgreSQL to use, as a libpq DSN [default: one of its own]"],
        ["data-dir", None, None, f"where its own PostgreSQL lives [default: {default_data_dir()}]"],
        ["path", None, None, "path that gateways are configured with [default: /wifidog/]"],
        ["public-url", None, None, "how guests and gateways reach this server, such as http://wifi.example:8080"],
        ["mail", None, None, f"mail server that lets guests sign up, such as {EXAMPLE}"],
        ["mail-password-file", None, None, "file with the password of the mail server's user"],
        ["mail-from", None, None, "address that mails come from [default: the mail server's user]"],
        ["workers", None, None, "processes that answer on the same ports, one for each core [default: 1]"],
    ]  # fmt: skip
    optFlags = [
        ["trust-new-gateways", None, "adopt a gateway by itself when it first sends a guest; for trials"],
    ]
    longdesc = "Every option can also be set in the environment: --data-dir as WIFIDOGD_DATA_DIR, and so on."

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, endpoint: str) -> None:
        """where to accept HTTP, as a Twisted endpoint; may be repeated [default: tcp:8080]"""
        self["listen"].append(endpoint)

    def postOptions(self) -> None:
        """
        Fill in what was not said and check everything.

        @raise usage.UsageError: with a sentence that says what to write instead.
        """
        try:
            self["listen"] = [checked_endpoint(text) for text in self["listen"] or _listen_from_environment()]
            self["data-dir"] = checked_data_dir(self._said("data-dir"))
            self["path"] = checked_path(self._said("path") or "/wifidog/")
            self["public-url"] = checked_url(self._said("public-url"))
            is_seen, self["database"] = bool(self["database"]), self._said("database")
            self["mail"], self["mail-from"] = self._mail()
            self["workers"] = checked_workers(self._said("workers") or "1", self["listen"])
            self["trust-new-gateways"] = bool(self["trust-new-gateways"]) or _flag_from_environment()
            if self["database"] is not None:
                parameters = session_parameters(self["database"])
                if is_seen and "password" in parameters:
                    log.warn(SEEN)
        except ConfigurationError as problem:
            raise usage.UsageError(str(problem)) from problem

    def _mail(self) -> tuple[MailServer | None, str | None]:
        """Tell which server takes mail, and whom mails come from."""
        said, sender, file = self._said("mail"), self._said("mail-from"), self._said("mail-password-file")
        if said is None:
            for name, value in (("mail-from", sender), ("mail-password-file", file)):
                if value is not None:
                    raise ConfigurationError(f"--{name} is of no use without --mail, such as --mail {EXAMPLE}.")
            return None, None
        server = read_mail_server(said, None if file is None else read_password(file))
        if self["public-url"] is None:
            raise ConfigurationError(
                "--mail needs --public-url: links in mails lead there, such as --public-url http://wifi.example:8080."
            )
        return server, checked_sender(sender or server.user or "")

    def _said(self, name: str) -> str | None:
        """Look on the command line, then in the environment; empty counts as not said."""
        said: Any = self[name] or os.environ.get("WIFIDOGD_" + name.upper().replace("-", "_"))
        return said or None


def checked_endpoint(text: str) -> str:
    """
    Accept the description of a server endpoint.

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


def checked_workers(text: str, listen: Sequence[str]) -> int:
    """
    Accept a number of processes.

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
    Accept a directory, there or not.

    @raise ConfigurationError: if something else is there, or nothing can be.
    """
    said = text or str(default_data_dir())
    try:
        path = Path(said).expanduser().absolute()
        there = next(place for place in (path, *path.parents) if place.exists())
    except (OSError, RuntimeError) as problem:
        raise ConfigurationError(
            f"--data-dir {said}: {problem}; name a directory that wifidogd may have for itself."
        ) from problem
    if not there.is_dir():
        raise ConfigurationError(
            f"--data-dir {said}: {there} is not a directory; name a directory that wifidogd may have for itself."
        )
    return path


def checked_path(text: str) -> str:
    """
    Accept a URL path and put slashes around it.

    @raise ConfigurationError: if a gateway or a browser would alter it.
    """
    path = f"/{text.strip('/')}/" if text.strip("/") else "/"
    if not re.fullmatch(r"/([A-Za-z0-9._~-]+/)*", path) or re.search(r"/\.{1,2}/", path):
        raise ConfigurationError(f"--path {text}: use letters, digits, . _ ~ - and slashes only, such as /wifidog/.")
    return path


def read_password(name: str) -> str:
    """
    Read the first line of a file.

    @raise ConfigurationError: if it cannot be read or holds no password.
    """
    try:
        with open(name, encoding="utf-8") as file:
            password = file.readline(1_000).rstrip("\r\n")
    except (OSError, ValueError) as problem:
        raise ConfigurationError(
            f"--mail-password-file {name}: {problem}; name a file that wifidogd may read."
        ) from problem
    if not password:
        raise ConfigurationError(f"--mail-password-file {name}: write the password into its first line.")
    return password


def checked_sender(text: str) -> str:
    """
    Accept the address that mails come from.

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
    Accept the address of this server as others see it.

    @raise ConfigurationError: if it is more or less than scheme, host and port.
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
        return urlsplit(text).port != 0 and ORIGIN.fullmatch(text) is not None
    except ValueError:
        return False


def _listen_from_environment() -> list[str]:
    return os.environ.get("WIFIDOGD_LISTEN", "").split() or [DEFAULT_LISTEN]


def _flag_from_environment() -> bool:
    said = os.environ.get("WIFIDOGD_TRUST_NEW_GATEWAYS", "").lower()
    if said not in TRUE + FALSE:
        raise ConfigurationError(f"WIFIDOGD_TRUST_NEW_GATEWAYS={said}: write yes or no.")
    return said in TRUE
