"""Makes what needs a mail server."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from wifidogd.accounts.mailed_links import MailedLinks
from wifidogd.accounts.mails import MailComposer
from wifidogd.accounts.outbox import Outbox
from wifidogd.accounts.registration import Registration
from wifidogd.accounts.self_service import SelfService
from wifidogd.accounts.smtp import deliver
from wifidogd.domain.sessions import UtcNow
from wifidogd.runtime.passwords import Passwords
from wifidogd.settings import Settings
from wifidogd.store.driver.database import Database
from wifidogd.web.portal.routes import MailServices
from wifidogd.web.rendering.mail_templates import MailTemplates


def make_mail(
    settings: Settings,
    database: Database,
    passwords: Passwords,
    *,
    reactor: Any,
    utc_now: UtcNow,
    mint: Callable[[], str],
) -> tuple[Outbox | None, MailServices | None]:
    """Make the queue of mails, and what guests may do by mail; None where there is no mail server."""
    if settings.mail is None:
        return None, None
    server, sender = settings.mail.server, settings.mail.sender
    base = f"{settings.public_url}{settings.path}mail/"
    composer = MailComposer(MailTemplates(), sender=sender, base=base, utc_now=utc_now)
    registration = Registration(database, passwords, composer, utc_now=utc_now, mint=mint)
    self_service = SelfService(database, passwords, composer, utc_now=utc_now)
    mail = MailServices(registration, self_service, MailedLinks(database, passwords, utc_now=utc_now))
    return Outbox(database, partial(deliver, server, sender, reactor=reactor), utc_now=utc_now, clock=reactor), mail
