"""The composition root: every object is made here and gets what it needs through its constructor."""

from __future__ import annotations

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

from wifidogd.account_care import AccountCare
from wifidogd.activation import described
from wifidogd.admission import Admission
from wifidogd.attention import LOOK, Attention
from wifidogd.collector import spare_what_stays
from wifidogd.companions import Companions
from wifidogd.correspondence import Correspondence
from wifidogd.credentials import Passwords, mint_token
from wifidogd.directory import Directory
from wifidogd.heartbeat import Heartbeats
from wifidogd.ledger import TRANSACTIONS, Ledger
from wifidogd.model import UtcNow
from wifidogd.my_data import MyData
from wifidogd.options import Options, default_data_dir
from wifidogd.periodic import every
from wifidogd.post import Post
from wifidogd.reach import ctl_command, guess_url, with_backlog
from wifidogd.registration import Registration
from wifidogd.remembered import Remembered
from wifidogd.service import AuthServer, Place, Rooms
from wifidogd.smtp import deliver
from wifidogd.steady import go_by_steady_time
from wifidogd.store.cluster import Cluster
from wifidogd.store.database import Database
from wifidogd.systemd import Systemd
from wifidogd.upkeep import Upkeep
from wifidogd.vouchers import Vouchers
from wifidogd.watchdog import Watchdog
from wifidogd.web.front import Front
from wifidogd.web.gateway import GatewayPages
from wifidogd.web.guest import GuestPages
from wifidogd.web.health import BEAT, Health, ReactorLag
from wifidogd.web.letters import Letters
from wifidogd.web.registration import ByMail
from wifidogd.welcome import welcome
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
        return auth_server(options, Place(1, 1, reactor, up, watchdog), reactor, utc_now=utc_now, mint=mint)
    theirs = {**options, "listen": listen}
    return Workers(theirs, private_cluster(options, reactor), endpoints(options, reactor), up=up, reactor=reactor)


def take_charge(reactor: Any) -> Watchdog:
    """Prepare a process of ours that has the reactor to itself."""
    go_by_steady_time(reactor)
    reactor.callWhenRunning(spare_what_stays)
    watchdog = Watchdog(reactor)
    watchdog.start()
    return watchdog


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
    place: Place,
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
    directory = Directory(
        database,
        utc_now=utc_now,
        trust_new_gateways=options["trust-new-gateways"],
        spread=None if place.count == 1 else partial(deferLater, reactor, 1.5 * READ_DIRECTORY.total_seconds()),
    )
    attention = Attention(reactor, utc_now)
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
    admission = Admission(database, directory, passwords, utc_now=utc_now, mint=mint)
    vouchers = Vouchers(database, directory, utc_now=utc_now, mint=mint)
    cluster = private_cluster(options, reactor)
    upkeep = Upkeep(
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
    post, by_mail = mailing(options, database, directory, passwords, utc_now, mint, reactor)
    front = Front(
        GatewayPages(ledger, directory, heartbeats, clock=reactor, utc_now=utc_now).app.resource(),
        GuestPages(
            directory,
            admission,
            vouchers,
            heartbeats.wait,
            remembered=Remembered(database, directory, utc_now=utc_now, mint=mint),
            companions=Companions(database),
            my_data=MyData(database, passwords, utc_now=utc_now),
            by_mail=by_mail,
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
    rooms = Rooms(
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
    directory: Directory,
    passwords: Passwords,
    utc_now: UtcNow,
    mint: Callable[[], str],
    reactor: Any,
) -> tuple[Post | None, ByMail | None]:
    """Wire what needs a mail server; nothing where there is none."""
    server, sender = options["mail"], options["mail-from"]
    if server is None:
        return None, None
    base = f"{options['public-url']}{options['path']}mail/"
    correspondence = Correspondence(Letters(), sender=sender, base=base, utc_now=utc_now)
    post = Post(database, partial(deliver, server, sender, reactor=reactor), utc_now=utc_now, clock=reactor)
    registration = Registration(database, directory, passwords, correspondence, utc_now=utc_now, mint=mint)
    return post, ByMail(registration, AccountCare(database, passwords, correspondence, utc_now=utc_now))


def mail_timers(post: Post | None, by_mail: ByMail | None, reactor: Any) -> list[TimerService]:
    """Say how often mails are sent, and what belongs to them is forgotten."""
    if post is None or by_mail is None:
        return []
    return [
        every(timedelta(seconds=2), post.send_due, clock=reactor, name="sending mail"),
        every(timedelta(minutes=10), by_mail.registration.forget, clock=reactor, name="forgetting old links"),
    ]


def timers(
    lag: ReactorLag, attention: Attention, directory: Directory, heartbeats: Heartbeats, upkeep: Upkeep, reactor: Any
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
