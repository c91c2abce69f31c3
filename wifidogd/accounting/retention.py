"""Deletes what has been kept for long enough, in bounded pieces; timers run it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from twisted.logger import Logger

from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.browsers import forget_ended
from wifidogd.store.access.end_notices import forget_end_notices
from wifidogd.store.access.guest_sources import SPARE_FOR, forget_sources
from wifidogd.store.access.mail_accesses import forget_accesses
from wifidogd.store.access.rate_limits import TRIES_WINDOW, forget_tries
from wifidogd.store.access.remembered_devices import forget_old_devices
from wifidogd.store.accounting.allowances import forget_allowances
from wifidogd.store.accounting.expiry import purge_history
from wifidogd.store.accounting.recent_use import forget_slots
from wifidogd.store.accounting.server_liveness import LOST_AFTER, forget_servers
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.router_commands import forget_commands
from wifidogd.store.gateways.waiting_gateways import forget_waiting

log = Logger()

ROWS = 500
"""Rows that one transaction changes, at most; while there are more, the next transaction follows at once."""

WAIT_FOR_ADOPTION = timedelta(days=7)
"""How long a gateway that stays silent is kept on the waiting list."""

KEEP_SLOTS = timedelta(days=32)
"""How long recent use is kept, and end notices: a day longer than the longest sliding window."""

KEEP_DEVICES = timedelta(days=366)
"""How long the allowance is kept of a device that does not come back."""

SEEN_WITHIN = timedelta(hours=1)
"""How long a device that no gateway has let in is remembered, and its allowance kept: anybody can invent a MAC."""

KEEP_ENDED = timedelta(hours=2)
"""How long browsers are told why their session has ended: no shorter than their guests are shown it."""

KEEP_ACCESSES = timedelta(hours=1)
"""How long a device that read its mail is remembered."""

KEEP_COMMANDS = timedelta(minutes=1)
"""How long a command to a router is kept whose sender has not removed it."""


class Retention:
    """
    Deletes history, and what is of no use any more.

    With several servers or workers on one database each row is handled once:
    rows that another process has locked are passed over.
    """

    def __init__(self, database: Database, registry: Registry, *, utc_now: UtcNow) -> None:
        self._database = database
        self._registry = registry
        self._utc_now = utc_now

    async def purge_history(self) -> None:
        """Delete past sessions that are older than their network keeps them."""
        now = self._utc_now()
        for network in self._registry.networks():
            if network.retention is not None:
                before = now - network.retention
                purge = partial(purge_history, network=network.name, before=before, limit=ROWS)
                await repeat(self._database, purge, "past sessions deleted")

    async def forget(self) -> None:
        """Delete old sign-in attempts, use of long ago, end notices, devices and gateways that have stopped waiting."""
        now = self._utc_now()
        unused = partial(forget_allowances, before=now - KEEP_DEVICES, unused_before=now - SEEN_WITHIN, limit=ROWS)
        unseen = partial(forget_old_devices, now=now, unseen_since=now - SEEN_WITHIN, limit=ROWS)
        for forget, what in (
            (partial(forget_tries, before=now - TRIES_WINDOW, limit=ROWS), "old sign-in attempts"),
            (partial(forget_sources, before=now - SPARE_FOR, limit=ROWS), "sources of guests"),
            (partial(forget_slots, before=now - KEEP_SLOTS, limit=ROWS), "minutes of use"),
            (partial(forget_end_notices, before=now - KEEP_SLOTS, limit=ROWS), "end notices"),
            (partial(forget_ended, before=now - KEEP_ENDED, limit=ROWS), "ends of sessions"),
            (unused, "allowances of devices"),
            (partial(forget_accesses, before=now - KEEP_ACCESSES, limit=ROWS), "accesses to mail"),
            (unseen, "devices"),
        ):
            await repeat(self._database, forget, f"{what} deleted")
        await self._database.transaction(lambda cursor: forget_waiting(cursor, now - WAIT_FOR_ADOPTION))
        await self._database.transaction(lambda cursor: forget_commands(cursor, now - KEEP_COMMANDS))
        await self._database.transaction(lambda cursor: forget_servers(cursor, now - LOST_AFTER))


async def repeat(database: Database, work: Callable[[Cursor], Awaitable[int]], done: str) -> None:
    """Run a bounded piece of work until it finds fewer rows than its bound, and log each after its commit."""
    count = ROWS
    while count >= ROWS:
        count = await database.transaction(work)
        if count:
            log.info("{count} {done}", count=count, done=done)
