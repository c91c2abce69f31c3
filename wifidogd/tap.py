"""The composition root: it makes what the server consists of, room by room, and gives each part what it needs."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from twisted.application.internet import TimerService
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wifidogd.access.arrivals import Arrivals
from wifidogd.access.remembered_devices import RememberedDevices
from wifidogd.access.session_view import SessionViews
from wifidogd.access.sign_in import AccountSignIn
from wifidogd.access.voucher_sign_in import VoucherSignIn
from wifidogd.accounting.expiry import Expiry
from wifidogd.accounting.ledger import TRANSACTIONS, Ledger
from wifidogd.accounts.mails import MailComposer
from wifidogd.accounts.outbox import Outbox
from wifidogd.accounts.personal_data import PersonalData
from wifidogd.accounts.registration import Registration
from wifidogd.accounts.self_service import SelfService
from wifidogd.accounts.smtp import deliver
from wifidogd.domain.server_address import ServerAddress
from wifidogd.domain.sessions import UtcNow
from wifidogd.domain.tokens import mint_token
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.gateways.registry import Registry
from wifidogd.gateways.router_config import first_steps
from wifidogd.runtime.clock_watch import LOOK, ClockWatch
from wifidogd.runtime.endpoints import ctl_command, guess_url, with_backlog
from wifidogd.runtime.passwords import Passwords
from wifidogd.runtime.process import take_charge
from wifidogd.runtime.systemd import Systemd, described
from wifidogd.runtime.timers import every
from wifidogd.server import AuthServer, Components, WorkerIdentity
from wifidogd.settings import Options, Settings, default_data_dir
from wifidogd.store.driver.database import Database
from wifidogd.store.embedded.cluster import Cluster
from wifidogd.web.gateway.routes import GatewayPages
from wifidogd.web.portal.routes import GuestPages, MailServices
from wifidogd.web.portal.sign_in import SignInServices
from wifidogd.web.rendering.mail_templates import MailTemplates
from wifidogd.web.server.health import BEAT, Health, ReactorLag
from wifidogd.web.server.site import WifidogdSite
from wifidogd.workers.supervisor import Workers

__all__ = ["Options", "makeService"]

log = Logger()

REFRESH_REGISTRY = timedelta(seconds=1)
"""How often a process looks whether an operator, or another process, has adopted or changed anything."""


def utc_now() -> datetime:
    """Return the time of the wall clock."""
    return datetime.now(UTC)


def makeService(
    options: Options, reactor: Any = None, *, utc_now: UtcNow = utc_now, mint: Callable[[], str] = mint_token
) -> AuthServer | Workers:
    """
    Make the server; nothing connects or listens until it is started.

    @param reactor: for tests; the global reactor otherwise, named here only.
    @param utc_now: for tests, as is C{mint}, which makes tokens; workers use the wall clock and chance.
    """
    settings = options.settings
    watchdog, systemd = None, Systemd({})
    if reactor is None:
        from twisted.internet import reactor as running

        reactor, watchdog, systemd = running, take_charge(running), Systemd(os.environ)
        systemd.attend(reactor)
    on_ready = partial(announce, settings, server_address(settings), systemd)
    if settings.workers == 1:
        identity = WorkerIdentity(1, 1, reactor, on_ready, watchdog)
        return auth_server(settings, identity, reactor, utc_now=utc_now, mint=mint)
    cluster, ports = private_cluster(settings, reactor), endpoints(settings, reactor)
    inherited = replace(settings, listen=tuple(described(text) for text in settings.listen))
    return Workers(inherited, cluster, ports, on_ready=on_ready, reactor=reactor)


def announce(settings: Settings, address: ServerAddress, systemd: Systemd) -> None:
    """Tell the operator, and systemd, that guests can be served."""
    ctl = ctl_command(None if settings.data_dir == default_data_dir() else settings.data_dir)
    log.info("{text}", text=first_steps(address.url, address.path, ctl))
    if os.geteuid() == 0:
        log.warn("wifidogd runs as root and need not: use twistd --uid USER, or the unit in docs/wifidogd.service.")
    systemd.notify("READY=1", f"STATUS=serving guests at {address.url}")


def server_address(settings: Settings) -> ServerAddress:
    """Return the address at which guests and gateways reach the server, as far as this machine knows."""
    url = settings.public_url
    return ServerAddress(url or guess_url(described(settings.listen[0])), settings.path, is_guess=url is None)


def private_cluster(settings: Settings, reactor: Any) -> Cluster | None:
    """Make the private PostgreSQL; None where the operator named a database."""
    if settings.database:
        return None
    return Cluster(settings.data_dir, reactor=reactor, servers=settings.workers)


def endpoints(settings: Settings, reactor: Any) -> list[IStreamServerEndpoint]:
    """Make the endpoints that will be listened at."""
    return [serverFromString(reactor, with_backlog(text)) for text in settings.listen]


@dataclass(frozen=True, slots=True)
class Common:
    """What most parts of one process are made with."""

    settings: Settings
    identity: WorkerIdentity
    reactor: Any
    utc_now: UtcNow
    mint: Callable[[], str]
    cluster: Cluster | None
    clock_watch: ClockWatch
    database: Database
    registry: Registry
    passwords: Passwords


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
    ledger, heartbeats, expiry = make_accounting(common)
    outbox, mail = make_mail(common)
    lag = ReactorLag(reactor)
    timers = make_timers(common, lag, heartbeats, expiry) + make_mail_timers(outbox, mail, reactor)
    components = Components(
        cluster=common.cluster,
        database=common.database,
        registry=common.registry,
        ledger=ledger,
        heartbeats=heartbeats,
        passwords=common.passwords,
        expiry=expiry,
        timers=timers,
        site=make_site(common, ledger, heartbeats, mail, lag),
    )
    return AuthServer(
        components,
        endpoints(settings, identity.ports),
        dsn=settings.database,
        identity=identity,
        address=server_address(settings),
        utc_now=utc_now,
        reactor=reactor,
    )


def make_common(
    settings: Settings, identity: WorkerIdentity, reactor: Any, utc_now: UtcNow, mint: Callable[[], str]
) -> Common:
    """Make the database, and what else the rooms share."""
    database = Database(clock=reactor, reserved=TRANSACTIONS)
    is_alone = identity.count == 1
    registry = Registry(
        database,
        utc_now=utc_now,
        trust_new_gateways=settings.trust_new_gateways,
        spread=None if is_alone else partial(deferLater, reactor, 1.5 * REFRESH_REGISTRY.total_seconds()),
    )
    return Common(
        settings,
        identity,
        reactor,
        utc_now,
        mint,
        private_cluster(settings, reactor),
        ClockWatch(reactor, utc_now),
        database,
        registry,
        Passwords(reactor, threads=2 if is_alone else 1),
    )


def make_accounting(common: Common) -> tuple[Ledger, Heartbeats, Expiry]:
    """Make what gateways' reports and pings go through, and what ends sessions that nobody ended."""
    database, registry, clock_watch = common.database, common.registry, common.clock_watch
    ledger = Ledger(database, registry, clock=common.reactor, utc_now=common.utc_now, clock_watch=clock_watch)
    expiry = Expiry(
        database,
        registry,
        clock=common.reactor,
        utc_now=common.utc_now,
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
    return Outbox(database, send, utc_now=utc_now, clock=common.reactor), MailServices(registration, self_service)


def make_site(
    common: Common, ledger: Ledger, heartbeats: Heartbeats, mail: MailServices | None, lag: ReactorLag
) -> WifidogdSite:
    """Make everything that speaks HTTP."""
    clock, utc_now = common.reactor, common.utc_now
    metrics = {"ledger": ledger.metrics, **common.identity.metrics}
    return WifidogdSite(
        GatewayPages(ledger, common.registry, heartbeats, clock=clock, utc_now=utc_now).app.resource(),
        make_guest_pages(common, heartbeats, mail).app.resource(),
        Health(common.database, common.registry, lag, metrics),
        path=common.settings.path,
        clock=clock,
        utc_now=utc_now,
    )


def make_guest_pages(common: Common, heartbeats: Heartbeats, mail: MailServices | None) -> GuestPages:
    """Make the pages that guests see, and what signs them in."""
    database, registry, utc_now, mint = common.database, common.registry, common.utc_now, common.mint
    services = SignInServices(
        Arrivals(database),
        AccountSignIn(database, common.passwords, utc_now=utc_now, mint=mint),
        VoucherSignIn(database, mint=mint),
        RememberedDevices(database, mint=mint),
    )
    return GuestPages(
        registry,
        services,
        SessionViews(database, registry, utc_now=utc_now),
        PersonalData(database, common.passwords, utc_now=utc_now),
        heartbeats.wait,
        mail=mail,
        path=common.settings.path,
        public_url=common.settings.public_url,
        utc_now=utc_now,
        clock=common.reactor,
    )


def make_timers(common: Common, lag: ReactorLag, heartbeats: Heartbeats, expiry: Expiry) -> list[TimerService]:
    """Make the timers that every process has."""
    jobs = [
        (BEAT, lag.look, "measuring the reactor's lag"),
        (LOOK, common.clock_watch.look, "looking at the clocks"),
        (REFRESH_REGISTRY, common.registry.refresh, "reading who is adopted"),
        (timedelta(seconds=5), heartbeats.flush, "writing heartbeats"),
        (timedelta(seconds=30), expiry.record_heard, "telling other servers what was heard"),
        (timedelta(seconds=15), expiry.end_overdue, "ending sessions over their time"),
        (timedelta(seconds=30), expiry.end_stale, "ending sessions without reports"),
        (timedelta(seconds=30), expiry.end_lost_in_restart, "ending sessions lost in a restart"),
        (timedelta(seconds=30), expiry.end_unused, "ending tokens never used"),
        (timedelta(minutes=10), expiry.forget, "deleting old tries and silent strangers"),
        (timedelta(hours=1), expiry.purge_history, "purging old history"),
    ]
    return [every(interval, job, clock=common.reactor, name=name) for interval, job, name in jobs]


def make_mail_timers(outbox: Outbox | None, mail: MailServices | None, reactor: Any) -> list[TimerService]:
    """Make the timers that send mails, and delete links that are of no use any more."""
    if outbox is None or mail is None:
        return []
    return [
        every(timedelta(seconds=2), outbox.send_due, clock=reactor, name="sending mail"),
        every(timedelta(minutes=10), mail.registration.forget, clock=reactor, name="deleting old links"),
    ]
