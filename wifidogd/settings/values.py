"""The settings of a server, checked and complete."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from wifidogd.accounts.smtp_server import MailServer


def default_data_dir() -> Path:
    """
    Return where the server keeps its private PostgreSQL when nobody named a directory.

    @return: systemd's C{STATE_DIRECTORY} (the first, if several), else C{/var/lib/wifidogd} for root, else the user's
        state directory.
    """
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    if os.geteuid() == 0:
        return Path("/var/lib/wifidogd")
    return Path(platformdirs.user_state_dir("wifidogd"))


@dataclass(frozen=True, slots=True)
class MailSettings:
    """
    How mail is sent.

    @ivar sender: the address that mails come from.
    """

    server: MailServer
    sender: str


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """
    Files in PEM for TLS at ports of plain HTTP.

    @ivar certificate: the server's, followed by those that vouch for it.
    @ivar key: not encrypted.
    """

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What the operator has chosen.

    @ivar listen: Twisted endpoint descriptions, one at least.
    @ivar database: a libpq DSN; None for a PostgreSQL of the server's own.
    @ivar data_dir: where that PostgreSQL lives; absolute.
    @ivar path: of all pages, with slashes around it.
    @ivar public_url: scheme, host and port by which guests and gateways reach the server; None if nobody said.
    @ivar mail: None where guests cannot sign up by mail; needs C{public_url}.
    @ivar workers: processes that answer on the same ports; 1 for a server without children.
    @ivar trust_new_gateways: whether a gateway is adopted by itself when it first sends a guest.
    @ivar health_details: whether everybody may read all of C{/healthz}, and not only who asks on this machine.
    @ivar tls_files: None for a certificate that the server makes itself.
    """

    listen: tuple[str, ...]
    data_dir: Path
    database: str | None = field(default=None, repr=False)  # may hold a password
    path: str = "/wifidog/"
    public_url: str | None = None
    mail: MailSettings | None = None
    workers: int = 1
    trust_new_gateways: bool = False
    health_details: bool = False
    tls_files: TlsFiles | None = None
