"""Makes what the server of one process consists of, and gives each part what it needs."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from twisted.application.internet import TimerService
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint

from wifidogd.accounting.expiry import Expiry
from wifidogd.accounting.ledger import Ledger
from wifidogd.accounting.retention import Retention
from wifidogd.accounts.mailed_links import MailedLinks
from wifidogd.accounts.mails import MailComposer
from wifidogd.accounts.outbox import Outbox
from wifidogd.accounts.registration import Registration
from wifidogd.accounts.self_service import SelfService
from wifidogd.accounts.smtp import deliver
from wifidogd.domain.server_address import ServerAddress
from wifidogd.domain.sessions import UtcNow
from wifidogd.domain.tokens import mint_token
from wifidogd.gateways.devices import Devices
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.runtime.endpoints import guess_url, with_backlog
from wifidogd.runtime.systemd import described
from wifidogd.server import AuthServer, Components, WorkerIdentity
from wifidogd.settings import Settings
from wifidogd.tap.certificate import make_certificate_timer
from wifidogd.tap.common import Common, make_common
from wifidogd.tap.front import make_site
from wifidogd.tap.routers import make_routers
from wifidogd.tap.schedule import make_mail_timers, make_timers
from wifidogd.web.portal.routes import MailServices
from wifidogd.web.rendering.mail_templates import MailTemplates
from wifidogd.web.server.health import ReactorLag
from wifidogd.web.server.tls import PlainPortTls, StrictTls


def utc_now() -> datetime:
    """Return the time of the wall clock."""
    return datetime.now(UTC)


def server_address(settings: Settings) -> ServerAddress:
    """Return the address at which guests and gateways reach the server, as far as this machine knows."""
    url = settings.public_url
    return ServerAddress(url or guess_url(described(settings.listen[0])), settings.path, is_guess=url is None)


def endpoints(settings: Settings, reactor: Any) -> list[IStreamServerEndpoint]:
    """Make the endpoints that will be listened at."""
    return [serverFromString(StrictTls(reactor), with_backlog(text)) for text in settings.listen]


def auth_server(
    settings: Settings,
    identity: WorkerIdentity,
    reactor: Any,
    *,
    utc_now: UtcNow = utc_now,
    mint: Callable[[], str] = mint_token,
) -> AuthServer:
    """Make the whole server of one process."""
    common = make_common(settings, identity, reactor, utc_now, mint)
    return AuthServer(
        make_components(common),
        endpoints(settings, identity.ports),
        dsn=settings.database,
        identity=identity,
        address=server_address(settings),
        utc_now=utc_now,
        reactor=reactor,
    )


def make_components(common: Common) -> Components:
    """Make what the server starts and stops."""
    database, registry, clock, utc_now = common.database, common.registry, common.reactor, common.utc_now
    ledger, heartbeats, expiry = make_accounting(common)
    devices = Devices(database, registry, heartbeats, utc_now=utc_now)
    name = server_name(common.settings, common.identity)
    routers = make_routers(database, registry, heartbeats, devices, server=name, clock=clock, utc_now=utc_now)
    outbox, mail = make_mail(common)
    lag, tls = ReactorLag(clock), PlainPortTls()
    host = server_address(common.settings).host
    return Components(
        cluster=common.cluster,
        database=database,
        registry=registry,
        ledger=ledger,
        heartbeats=heartbeats,
        devices=devices,
        claims=routers.claims,
        passwords=common.passwords,
        expiry=expiry,
        clock_watch=common.clock_watch,
        timers=[
            *make_own_timers(common, lag, heartbeats, devices, expiry),
            make_certificate_timer(common.settings, host, tls, database, utc_now=utc_now, clock=clock),
            *routers.timers(clock),
            *make_mail_timers(outbox, mail, clock),
        ],
        site=make_site(common, ledger, heartbeats, devices, routers, mail, lag, tls),
    )


def make_own_timers(
    common: Common, lag: ReactorLag, heartbeats: Heartbeats, devices: Devices, expiry: Expiry
) -> list[TimerService]:
    """Make the timers that every process has, whatever its settings."""
    return make_timers(
        lag,
        common.clock_watch,
        common.registry,
        heartbeats,
        devices,
        common.activity,
        common.observations,
        expiry,
        Retention(common.database, common.registry, utc_now=common.utc_now),
        common.reactor,
    )


def make_accounting(common: Common) -> tuple[Ledger, Heartbeats, Expiry]:
    """Make what gateways' reports and pings go through, and what ends sessions that nobody ended."""
    database, registry, clock_watch = common.database, common.registry, common.clock_watch
    clock, utc_now = common.reactor, common.utc_now
    ledger = Ledger(
        database,
        registry,
        clock=clock,
        utc_now=utc_now,
        clock_watch=clock_watch,
        observations=common.observations,
    )
    expiry = Expiry(
        database,
        registry,
        clock=clock,
        utc_now=utc_now,
        unsettled_at=lambda: ledger.unsettled_at,
        uninterrupted_since=lambda: clock_watch.since,
        name=None if common.cluster else server_name(common.settings, common.identity),
    )
    return ledger, Heartbeats(database, registry, clock_watch=clock_watch), expiry


def server_name(settings: Settings, identity: WorkerIdentity) -> str:
    """Return what a process is called among those on its database; the same after a restart."""
    return f"{socket.gethostname()} {described(settings.listen[0])}"[:250] + f" {identity.number}"


def make_mail(common: Common) -> tuple[Outbox | None, MailServices | None]:
    """Make what needs a mail server; None where there is none."""
    settings, database, utc_now = common.settings, common.database, common.utc_now
    if settings.mail is None:
        return None, None
    server, sender = settings.mail.server, settings.mail.sender
    base = f"{settings.public_url}{settings.path}mail/"
    composer = MailComposer(MailTemplates(), sender=sender, base=base, utc_now=utc_now)
    send = partial(deliver, server, sender, reactor=common.reactor)
    registration = Registration(database, common.passwords, composer, utc_now=utc_now, mint=common.mint)
    self_service = SelfService(database, common.passwords, composer, utc_now=utc_now)
    mailed_links = MailedLinks(database, common.passwords, utc_now=utc_now)
    mail = MailServices(registration, self_service, mailed_links)
    return Outbox(database, send, utc_now=utc_now, clock=common.reactor), mail
