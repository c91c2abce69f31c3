"""The command line of C{twistd wifidogd}, each option also from the environment."""

from __future__ import annotations

import os
from typing import Any

from twisted.logger import Logger
from twisted.python import usage

from wifidogd.accounts.smtp_server import EXAMPLE, read_mail_server
from wifidogd.domain.errors import ConfigurationError
from wifidogd.settings.checks import (
    checked_data_dir,
    checked_endpoint,
    checked_path,
    checked_sender,
    checked_tls_files,
    checked_url,
    checked_workers,
    read_password,
    with_https,
)
from wifidogd.settings.values import MailSettings, Settings, TlsFiles, default_data_dir
from wifidogd.store.driver.dsn import session_parameters

log = Logger()

DEFAULT_LISTEN = "tcp:8080"

PASSWORD_IS_SHOWN = (
    "ps shows every user of this machine the password in --database: put the DSN into the environment as "
    "WIFIDOGD_DATABASE, or the password into a file that the DSN names as passfile=FILE."
)

TRUE = ("1", "yes", "true", "on")
FALSE = ("", "0", "no", "false", "off")


class Options(usage.Options):
    """
    Reads the command line and the environment.

    @ivar settings: what they say; complete once they are parsed.
    """

    settings: Settings
    _is_refused = False

    optParameters = [
        ["database", None, None, "PostgreSQL to use, as a libpq DSN [default: a private one]"],
        ["data-dir", None, None, f"directory of the private PostgreSQL [default: {default_data_dir()}]"],
        ["path", None, None, "path of all pages, as in the gateways' wifidog.conf [default: /wifidog/]"],
        ["public-url", None, None, "address of this server for guests and gateways, such as http://wifi.example:8080"],
        ["mail", None, None, f"mail server, so that guests can sign up, such as {EXAMPLE}"],
        ["mail-password-file", None, None, "file with the password for the mail server"],
        ["mail-from", None, None, "address that mails are sent from [default: the mail server's user]"],
        ["certificate", None, None, "certificates in PEM, for guests who are sent by https to a port of plain HTTP"],
        ["key", None, None, "private key of --certificate, in PEM"],
        ["workers", None, None, "processes on the same ports; one for each core is best [default: 1]"],
    ]  # fmt: skip
    optFlags = [
        ["trust-new-gateways", None, "adopt every gateway when it first sends a guest; for trials only"],
        ["https", None, "listen at port 443 as well, beside port 80; both speak HTTP and TLS"],
        ["health-details", None, "let everybody read the details of /healthz, not only who asks on this machine"],
    ]
    longdesc = "Each option can also be set in the environment: --data-dir as WIFIDOGD_DATA_DIR, and so on."

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, endpoint: str) -> None:
        """Twisted endpoint to accept HTTP at; may be repeated [default: tcp:8080]"""
        self["listen"].append(endpoint)

    def postOptions(self) -> None:
        """
        Check everything and make the settings.

        @raise usage.UsageError: with a sentence that says what to write instead.
        """
        try:
            self.settings = self._settings()
        except ConfigurationError as problem:
            self._is_refused = True
            raise usage.UsageError(str(problem)) from problem

    def getUsage(self, width: int | None = None) -> str:
        """Return the help; nothing after a refusal, beside which twistd would print it."""
        return "" if self._is_refused else super().getUsage(width)

    @property
    def next_user(self) -> tuple[int, int | None] | None:
        """Whom twistd is about to become: user, and group if one was named; None for nobody else."""
        twistd: Any = getattr(self, "parent", None) or {}
        uid = twistd.get("uid")
        return None if uid is None else (uid, twistd.get("gid"))

    def _settings(self) -> Settings:
        listen = tuple(checked_endpoint(text) for text in self["listen"] or _listen_from_environment())
        if self._flag("https"):
            listen = with_https(listen)
        public_url = checked_url(self._said("public-url"))
        return Settings(
            listen=listen,
            data_dir=checked_data_dir(self._said("data-dir")),
            path=checked_path(self._said("path") or "/wifidog/"),
            public_url=public_url,
            mail=self._mail(public_url),
            workers=checked_workers(self._said("workers") or "1", listen),
            trust_new_gateways=self._flag("trust-new-gateways"),
            health_details=self._flag("health-details"),
            tls_files=self._tls_files(),
            database=self._database(),
        )

    def _mail(self, public_url: str | None) -> MailSettings | None:
        """Return how mail is sent; None without --mail."""
        server, sender, file = self._said("mail"), self._said("mail-from"), self._said("mail-password-file")
        if server is None:
            for name, value in (("mail-from", sender), ("mail-password-file", file)):
                if value is not None:
                    raise ConfigurationError(f"--{name} is of no use without --mail, such as --mail {EXAMPLE}.")
            return None
        read = read_mail_server(server, None if file is None else read_password(file))
        if public_url is None:
            raise ConfigurationError(
                "--mail needs --public-url: links in mails lead there, such as --public-url http://wifi.example:8080."
            )
        return MailSettings(read, checked_sender(sender or read.user or ""))

    def _tls_files(self) -> TlsFiles | None:
        certificate, key = self._said("certificate"), self._said("key")
        if certificate is None and key is None:
            return None
        if certificate is None or key is None:
            raise ConfigurationError(
                "--certificate and --key belong together, such as --certificate fullchain.pem --key privkey.pem."
            )
        return checked_tls_files(certificate, key)

    def _database(self) -> str | None:
        """Return the DSN, after a warning if its password is on the command line."""
        dsn = self._said("database")
        if dsn is not None:
            parameters = session_parameters(dsn)
            if self["database"] and "password" in parameters:
                log.warn(PASSWORD_IS_SHOWN)
        return dsn

    def _said(self, name: str) -> str | None:
        """Return an option from the command line, else from the environment; None for neither, or empty text."""
        said: Any = self[name] or os.environ.get(_variable(name))
        return said or None

    def _flag(self, name: str) -> bool:
        """Return whether a flag is set on the command line or in the environment."""
        said = os.environ.get(_variable(name), "").lower()
        if said not in TRUE + FALSE:
            raise ConfigurationError(f"{_variable(name)}={said}: write yes or no.")
        return bool(self[name]) or said in TRUE


def _listen_from_environment() -> list[str]:
    return os.environ.get("WIFIDOGD_LISTEN", "").split() or [DEFAULT_LISTEN]


def _variable(name: str) -> str:
    """Return the environment variable of an option."""
    return "WIFIDOGD_" + name.upper().replace("-", "_")
