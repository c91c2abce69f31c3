"""Makes what gives ports of plain HTTP their certificate."""

from __future__ import annotations

from datetime import timedelta

from twisted.application.internet import TimerService
from twisted.internet.interfaces import IReactorTime

from wifidogd.domain.sessions import UtcNow
from wifidogd.runtime.timers import every
from wifidogd.settings import Settings
from wifidogd.store.driver.database import Database
from wifidogd.web.server.certificates import CertificateFiles, SelfMadeCertificate
from wifidogd.web.server.tls import PlainPortTls

_NAME = "reading the certificate"


def make_certificate_timer(
    settings: Settings, host: str, tls: PlainPortTls, database: Database, *, utc_now: UtcNow, clock: IReactorTime
) -> TimerService:
    """
    Make the timer that reads the certificate, and again when it has been renewed.

    @param host: by which guests reach this server, for a certificate that it makes itself.
    """
    if settings.tls_files is None:
        self_made = SelfMadeCertificate(database, tls, host, utc_now=utc_now)
        return every(timedelta(hours=1), self_made.refresh, clock=clock, name=_NAME)
    files = CertificateFiles(tls, settings.tls_files.certificate, settings.tls_files.key)
    files.look()  # root, who may be somebody else soon (twistd --uid), may read files that others may not
    return every(timedelta(minutes=1), files.refresh, clock=clock, name=_NAME)
