"""The certificates that servers have made themselves, the same for all servers and workers on one database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

FETCH_CERTIFICATE = """
    SELECT certificate, private_key, expires_at
      FROM server_certificates
     WHERE host = %(host)s
"""

SAVE_CERTIFICATE = """
    INSERT INTO server_certificates (host, certificate, private_key, expires_at)
    VALUES (%(host)s, %(certificate)s, %(private_key)s, %(expires_at)s)
        ON CONFLICT (host) DO UPDATE
       SET certificate = excluded.certificate, private_key = excluded.private_key, expires_at = excluded.expires_at
     WHERE server_certificates.expires_at <= %(replace_until)s
"""


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """
    A certificate and its key.

    @ivar certificate: X.509 in PEM.
    @ivar private_key: PKCS #8 in PEM.
    """

    certificate: str
    private_key: str = field(repr=False)
    expires_at: datetime


CERTIFICATES = RowReader(StoredCertificate)


async def fetch_certificate(cursor: Cursor, host: str) -> StoredCertificate | None:
    """Return the certificate for a name or address; None if there is none yet."""
    await cursor.execute(FETCH_CERTIFICATE, {"host": host})
    return CERTIFICATES.one(cursor)


async def save_certificate(cursor: Cursor, host: str, made: StoredCertificate, replace_until: datetime) -> None:
    """
    Save a certificate, unless another server was first.

    @param replace_until: one that expires later than this stays.
    """
    await cursor.execute(
        SAVE_CERTIFICATE,
        {
            "host": host,
            "certificate": made.certificate,
            "private_key": made.private_key,
            "expires_at": made.expires_at,
            "replace_until": replace_until,
        },
    )
