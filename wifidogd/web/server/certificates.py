"""Where the certificate for TLS on plain ports comes from: the operator's files, or one that the server makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.logger import Logger

from wifidogd.domain.sessions import UtcNow
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.server_certificates import StoredCertificate, fetch_certificate, save_certificate
from wifidogd.web.server.tls import PlainPortTls

log = Logger()

LIFETIME = timedelta(days=397)
"""How long a certificate is good for, from a day before it is made: browsers take none that is good for longer."""

RENEW_BEFORE = timedelta(days=30)

_EARLIER = timedelta(days=1)
"""How far a guest's clock may be behind."""

_LARGEST = 1_000_000
"""Octets of a file of certificates, or of a key."""


def make_certificate(host: str, now: datetime) -> StoredCertificate:
    """
    Return a new certificate, signed with its own key.

    @param host: a name or an address, which it is for.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    begins_at = (now - _EARLIER).replace(microsecond=0)
    expires_at = begins_at + LIFETIME - timedelta(seconds=1)  # the last second counts
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=begins_at,
        not_valid_after=expires_at,
    )
    for extension, is_critical in (
        (x509.SubjectAlternativeName([_general_name(host)]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
    ):
        builder = builder.add_extension(extension, is_critical)
    made = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return StoredCertificate(made.decode(), private.decode(), expires_at)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class SelfMadeCertificate:
    """Makes a certificate, once for all servers and workers on one database, and renews it in time."""

    def __init__(self, database: Database, tls: PlainPortTls, host: str, *, utc_now: UtcNow) -> None:
        """@param host: by which guests reach this server."""
        self._database = database
        self._tls = tls
        self._host = host or "localhost"
        self._utc_now = utc_now
        self._used: StoredCertificate | None = None

    async def refresh(self) -> None:
        """
        Use what is stored, after a new one if there is none or it expires soon.

        @raise StoreError: as L{Database.transaction}.
        """
        stored = await self._database.transaction(self._fetch)
        if stored != self._used:
            self._tls.use(stored.certificate.encode(), stored.private_key.encode())
            self._used = stored

    async def _fetch(self, cursor: Cursor) -> StoredCertificate:
        now = self._utc_now()
        stored = await fetch_certificate(cursor, self._host)
        if stored is not None and stored.expires_at > now + RENEW_BEFORE:
            return stored
        made = make_certificate(self._host, now)
        await save_certificate(cursor, self._host, made, now + RENEW_BEFORE)
        return await fetch_certificate(cursor, self._host) or made


class CertificateFiles:
    """Uses the operator's files, and reads them again when they change."""

    def __init__(self, tls: PlainPortTls, certificate: Path, key: Path) -> None:
        """@param certificate: the server's, followed by those that vouch for it, in PEM."""
        self._tls = tls
        self._files = (certificate, key)
        self._seen: Sequence[tuple[int, int, int] | None] = ()

    def use(self) -> None:
        """
        Read the files.

        @raise OSError: if one cannot be read.
        @raise ValueError: if they are of no use.
        """
        certificate, key = map(_content, self._files)
        self._tls.use(certificate, key)

    def look(self) -> None:
        """Read the files if they have changed; what is of no use replaces nothing, and is logged once."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self.use()
        except (OSError, ValueError) as problem:
            log.warn(
                "the certificate in {file} cannot be used, and the one from before stays in use: {problem}",
                file=str(self._files[0]),
                problem=problem,
            )
        else:
            log.info("the certificate in {file} is used from now on", file=str(self._files[0]))

    async def refresh(self) -> None:
        """Do as L{look} does, as timers call it."""
        self.look()

    def _state(self) -> Sequence[tuple[int, int, int] | None]:
        return [_state_of(file) for file in self._files]


def _content(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_LARGEST)


def _state_of(file: Path) -> tuple[int, int, int] | None:
    """Return what changes when the file, or the one that a link leads to, is replaced; None if there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
