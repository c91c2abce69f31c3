"""The composition root: every object is made here and gets what it needs through its constructor."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable, Mapping
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
from wifidogd.domain.sessions import UtcNow
from wifidogd.domain.tokens import mint_token
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.gateways.registry import Registry
from wifidogd.gateways.router_config import welcome
from wifidogd.runtime.clock_watch import LOOK, ClockWatch
from wifidogd.runtime.endpoints import ctl_command, guess_url, with_backlog
from wifidogd.runtime.monotonic import go_by_steady_time
from wifidogd.runtime.passwords import Passwords
from wifidogd.runtime.systemd import Systemd, described
from wifidogd.runtime.timers import every
from wifidogd.runtime.watchdog import Watchdog
from wifidogd.server import AuthServer, Components, WorkerIdentity
from wifidogd.settings import Options, default_data_dir
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

READ_DIRECTORY = timedelta(seconds=1)
"""How often a process looks whether an operator, or another process, has adopted or changed anything."""


def utc_now() -> datetime:
    """Ask the wall clock."""
    return datetime.now(UTC)


def makeService(
    options: Options, reactor: Any = None, *, utc_now: UtcNow = utc_now, mint: Callable[[], str] = mint_token
) -> AuthServer | Workers:
    """
    Wire the rooms together; nothing connects or listens until started.

    @param reactor: for tests; the global reactor otherwise, named here only.
    @param utc_now: for tests, as is C{mint}, which makes tokens; workers ask the wall clock and chance.
    """
    watchdog, systemd = None, Systemd({})
    if reactor is None:
        from twisted.internet import reactor as running

        reactor, watchdog, systemd = running, take_charge(running), Systemd(os.environ)
        systemd.attend(reactor)
    count = options["workers"]
    listen = [described(text) for text in options["listen"]]
    url = options["public-url"] or guess_url(listen[0])
    ctl = ctl_command(None if options["data-dir"] == default_data_dir() else options["data-dir"])

    def up() -> None:
        log.info("{text}", text=welcome(url, options["path"], ctl))
        if os.geteuid() == 0:
            log.warn("wifidogd runs as root and need not: use twistd --uid USER, or the unit in docs/wifidogd.service.")
        systemd.say("READY=1", f"STATUS=serving guests at {url}")

    if count == 1:
        return auth_server(options, WorkerIdentity(1, 1, reactor, up, watchdog), reactor, utc_now=utc_now, mint=mint)
    theirs = {**options, "listen": listen}
    return Workers(theirs, private_cluster(options, reactor), endpoints(options, reactor), up=up, reactor=reactor)


def take_charge(reactor: Any) -> Watchdog:
    """Prepare a process of ours that has the reactor to itself."""
    go_by_steady_time(reactor)
    reactor.callWhenRunning(spare_what_stays)
    watchdog = Watchdog(reactor)
    watchdog.start()
    return watchdog


def spare_what_stays() -> None:
    """
    Have the collector leave alone what has been loaded so far.

    Modules, templates and translations are hundreds of thousands of objects
    that live as long as the process; looking through them over and over was a
    tenth of the CPU of a busy server.  To be called once, when all is loaded.
    """
    gc.collect()
    gc.freeze()


def private_cluster(options: Mapping[str, Any], reactor: Any) -> Cluster | None:
    """Make the private PostgreSQL; None where there is another."""
    if options["database"]:
        return None
    return Cluster(options["data-dir"], reactor=reactor, servers=options["workers"])


def endpoints(options: Mapping[str, Any], reactor: Any) -> list[IStreamServerEndpoint]:
    """Make what will be listened at."""
    return [serverFromString(reactor, with_backlog(text)) for text in options["listen"]]


def auth_server(
    options: Mapping[str, Any],
    place: WorkerIdentity,
    reactor: Any,
    *,
    utc_now: UtcNow = utc_now,
    mint: Callable[[], str] = mint_token,
) -> AuthServer:
    """
    Wire the rooms of one process together.

    @param options: as L{Options} holds them.
    """
    database = Database(clock=reactor, reserved=TRANSACTIONS)
    directory = Registry(
        database,
        utc_now=utc_now,
        trust_new_gateways=options["trust-new-gateways"],
        spread=None if place.count == 1 else partial(deferLater, reactor, 1.5 * READ_DIRECTORY.total_seconds()),
    )
    attention = ClockWatch(reactor, utc_now)
    ledger = Ledger(
        database,
        directory,
        clock=reactor,
        utc_now=utc_now,
        woke_at=lambda: attention.woke_at,
        clock_set_at=lambda: attention.set_at,
    )
    heartbeats = Heartbeats(database, directory, clock_set_at=lambda: attention.set_at)
    passwords = Passwords(reactor, threads=2 if place.count == 1 else 1)
    sign_in = SignInServices(
        Arrivals(database),
        AccountSignIn(database, passwords, utc_now=utc_now, mint=mint),
        VoucherSignIn(database, mint=mint),
        RememberedDevices(database, mint=mint),
    )
    cluster = private_cluster(options, reactor)
    upkeep = Expiry(
        database,
        directory,
        clock=reactor,
        utc_now=utc_now,
        unsettled_at=lambda: ledger.unsettled_at,
        attentive_since=lambda: attention.since,
        name=None
        if cluster
        else f"{socket.gethostname()} {described(options['listen'][0])}"[:250] + f" {place.number}",
    )
    lag = ReactorLag(reactor)
    post, by_mail = mailing(options, database, passwords, utc_now, mint, reactor)
    front = WifidogdSite(
        GatewayPages(ledger, directory, heartbeats, clock=reactor, utc_now=utc_now).app.resource(),
        GuestPages(
            directory,
            sign_in,
            SessionViews(database, directory, utc_now=utc_now),
            PersonalData(database, passwords, utc_now=utc_now),
            heartbeats.wait,
            mail=by_mail,
            path=options["path"],
            public_url=options["public-url"],
            utc_now=utc_now,
            clock=reactor,
        ).app.resource(),
        Health(database, directory, lag, {"ledger": ledger.figures, **place.figures}),
        path=options["path"],
        clock=reactor,
        utc_now=utc_now,
    )
    rooms = Components(
        cluster=cluster,
        database=database,
        directory=directory,
        ledger=ledger,
        heartbeats=heartbeats,
        passwords=passwords,
        upkeep=upkeep,
        timers=timers(lag, attention, directory, heartbeats, upkeep, reactor) + mail_timers(post, by_mail, reactor),
        front=front,
    )
    return AuthServer(rooms, endpoints(options, place.ports), dsn=options["database"], place=place, reactor=reactor)


def mailing(
    options: Mapping[str, Any],
    database: Database,
    passwords: Passwords,
    utc_now: UtcNow,
    mint: Callable[[], str],
    reactor: Any,
) -> tuple[Outbox | None, MailServices | None]:
    """Wire what needs a mail server; nothing where there is none."""
    server, sender = options["mail"], options["mail-from"]
    if server is None:
        return None, None
    base = f"{options['public-url']}{options['path']}mail/"
    correspondence = MailComposer(MailTemplates(), sender=sender, base=base, utc_now=utc_now)
    post = Outbox(database, partial(deliver, server, sender, reactor=reactor), utc_now=utc_now, clock=reactor)
    registration = Registration(database, passwords, correspondence, utc_now=utc_now, mint=mint)
    return post, MailServices(registration, SelfService(database, passwords, correspondence, utc_now=utc_now))


def mail_timers(post: Outbox | None, by_mail: MailServices | None, reactor: Any) -> list[TimerService]:
    """Say how often mails are sent, and what belongs to them is forgotten."""
    if post is None or by_mail is None:
        return []
    return [
        every(timedelta(seconds=2), post.send_due, clock=reactor, name="sending mail"),
        every(timedelta(minutes=10), by_mail.registration.forget, clock=reactor, name="forgetting old links"),
    ]


def timers(
    lag: ReactorLag, attention: ClockWatch, directory: Registry, heartbeats: Heartbeats, upkeep: Expiry, reactor: Any
) -> list[TimerService]:
    """Say what is done how often."""
    beats = [
        (BEAT, lag.look, "measuring the reactor's lag"),
        (LOOK, attention.look, "looking at the clocks"),
        (READ_DIRECTORY, directory.refresh, "reading who is adopted"),
        (timedelta(seconds=5), heartbeats.flush, "writing heartbeats"),
        (timedelta(seconds=30), upkeep.say_heard, "telling other servers what was heard"),
        (timedelta(seconds=15), upkeep.end_overdue, "ending sessions over their time"),
        (timedelta(seconds=30), upkeep.end_stale, "ending sessions without reports"),
        (timedelta(seconds=30), upkeep.end_lost_in_restart, "ending sessions lost in a restart"),
        (timedelta(seconds=30), upkeep.end_unused, "ending tokens never used"),
        (timedelta(minutes=10), upkeep.forget, "forgetting old tries and silent strangers"),
        (timedelta(hours=1), upkeep.purge_history, "purging old history"),
    ]
    return [every(interval, job, clock=reactor, name=name) for interval, job, name in beats]
