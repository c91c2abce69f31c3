"""The composition root: every object is made here and gets what it needs through its constructor."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from twisted.application.internet import TimerService
from twisted.application.service import IService
from twisted.internet.endpoints import serverFromString

from wifidogd.admission import Admission
from wifidogd.credentials import Passwords
from wifidogd.directory import Directory
from wifidogd.heartbeat import Heartbeats
from wifidogd.ledger import Ledger
from wifidogd.options import Options
from wifidogd.periodic import every
from wifidogd.service import AuthServer, Rooms
from wifidogd.store.cluster import Cluster
from wifidogd.store.database import Database
from wifidogd.upkeep import Upkeep
from wifidogd.web.front import Front
from wifidogd.web.gateway import GatewayPages
from wifidogd.welcome import welcome

__all__ = ["Options", "makeService"]


def makeService(options: Options, reactor: Any = None) -> IService:
    """
    Wire the rooms together; nothing connects or listens until started.

    @param reactor: for tests; the global reactor otherwise, named here only.
    """
    if reactor is None:
        from twisted.internet import reactor
    database = Database(clock=reactor)
    directory = Directory(database, utc_now=utc_now, trust_new_gateways=options["trust-new-gateways"])
    ledger = Ledger(database, directory, clock=reactor, utc_now=utc_now)
    heartbeats = Heartbeats(database, directory)
    passwords = Passwords(reactor)
    admission = Admission(database, directory, passwords, utc_now=utc_now)
    upkeep = Upkeep(
        database, directory, clock=reactor, utc_now=utc_now, unsettled_at=lambda: ledger.unsettled_at
    )
    gateways = GatewayPages(ledger, directory, heartbeats, clock=reactor, utc_now=utc_now)
    front = Front()
    rooms = Rooms(
        cluster=None if options["database"] else Cluster(options["data-dir"], reactor=reactor),
        database=database,
        directory=directory,
        ledger=ledger,
        heartbeats=heartbeats,
        passwords=passwords,
        timers=timers(directory, heartbeats, upkeep, reactor),
        front=front,
    )
    public_url = options["public-url"] or guessed_url(options["listen"][0])
    return AuthServer(
        rooms,
        [serverFromString(reactor, text) for text in options["listen"]],
        dsn=options["database"],
        welcome=partial(welcome, public_url, options["path"]),
        reactor=reactor,
    )


def timers(directory: Directory, heartbeats: Heartbeats, upkeep: Upkeep, reactor: Any) -> list[TimerService]:
    """Say what is done how often."""
    beats = [
        (timedelta(seconds=1), directory.refresh, "reading who is adopted"),
        (timedelta(seconds=5), heartbeats.flush, "writing heartbeats"),
        (timedelta(seconds=15), upkeep.end_overdue, "ending sessions over their time"),
        (timedelta(seconds=30), upkeep.end_stale, "ending sessions without reports"),
        (timedelta(seconds=30), upkeep.end_lost_in_restart, "ending sessions lost in a restart"),
        (timedelta(seconds=30), upkeep.end_unused, "ending tokens never used"),
        (timedelta(minutes=10), upkeep.forget, "forgetting old tries and silent strangers"),
        (timedelta(hours=1), upkeep.purge_history, "purging old history"),
    ]
    return [every(interval, job, clock=reactor, name=name) for interval, job, name in beats]


def utc_now() -> datetime:
    """Ask the wall clock."""
    return datetime.now(UTC)
