"""What most parts of the server of one process are made with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.task import deferLater

from wifidogd.accounting.ledger import TRANSACTIONS
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.activity import Activity
from wifidogd.gateways.observations import Observations
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.clock_watch import ClockWatch
from wifidogd.runtime.passwords import Passwords
from wifidogd.server import WorkerIdentity
from wifidogd.settings import Settings
from wifidogd.store.driver.database import Database
from wifidogd.store.embedded.cluster import Cluster
from wifidogd.tap.schedule import REFRESH_REGISTRY


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
    activity: Activity
    observations: Observations
    passwords: Passwords


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
        Activity(database, registry, clock=reactor, utc_now=utc_now),
        Observations(database, registry, clock=reactor),
        Passwords(reactor, threads=2 if is_alone else 1),
    )


def private_cluster(settings: Settings, reactor: Any) -> Cluster | None:
    """Make the private PostgreSQL; None where the operator named a database."""
    if settings.database:
        return None
    return Cluster(settings.data_dir, reactor=reactor, servers=settings.workers)
