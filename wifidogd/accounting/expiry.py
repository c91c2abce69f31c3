"""What timers run: end sessions that no report ended, delete what is too old."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wifidogd.domain.decisions import FIRST_USE_WITHIN
from wifidogd.domain.reports.capabilities import capabilities_of
from wifidogd.domain.sessions import Ended, Reason, Session, UtcNow
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.browsers import forget_ended
from wifidogd.store.access.end_notices import forget_end_notices
from wifidogd.store.access.guest_sources import SPARE_FOR, forget_sources
from wifidogd.store.access.mail_accesses import forget_accesses
from wifidogd.store.access.rate_limits import TRIES_WINDOW, forget_tries
from wifidogd.store.access.remembered_devices import forget_old_devices
from wifidogd.store.accounting.allowances import forget_allowances
from wifidogd.store.accounting.expiry import (
    find_lost_in_restart,
    find_overdue,
    find_stale,
    forget_unused,
    purge_history,
)
from wifidogd.store.accounting.recent_use import forget_slots
from wifidogd.store.accounting.server_liveness import ask_others, forget_servers, leave, say_heard
from wifidogd.store.accounting.sessions import end_sessions, lock_sessions
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

LOST_AFTER = timedelta(hours=1)
"""How long the other servers wait for one that records nothing any more before they judge without it."""

Find = Callable[[Cursor], Awaitable[list[bytes]]]


class FindSilent(Protocol):
    """Finds sessions that are over at an instant, given since when every report has been heard."""

    async def __call__(self, cursor: Cursor, now: datetime, heard_since: datetime, limit: int) -> list[bytes]: ...


class Expiry:
    """
    Ends sessions that no report ended, and deletes what is too old.

    With several servers or workers on one database each row is handled once:
    rows that another process has locked are passed over.  Silence of a gateway
    counts only over a time in which every process could settle what it heard,
    as each of them records in the store.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        *,
        clock: IReactorTime,
        utc_now: UtcNow,
        unsettled_at: Callable[[], datetime | None],
        uninterrupted_since: Callable[[], float],
        name: str | None = None,
    ) -> None:
        """
        @param unsettled_at: returns when a report last could not be settled; None for never.
        @param uninterrupted_since: returns the clock time since which this process has missed nothing; see
            L{ClockWatch}.
        @param name: of this process among those on the database, the same after a restart; None if there can be no
            other.
        """
        self._database = database
        self._registry = registry
        self._clock = clock
        self._utc_now = utc_now
        self._unsettled_at = unsettled_at
        self._uninterrupted_since = uninterrupted_since
        self._name = name

    async def record_heard(self) -> None:
        """Record since when, until now, this process could settle whatever it heard."""
        name, since = self._name, self._heard_since()
        if name is not None and since is not None:
            now = self._utc_now()
            await self._database.transaction(lambda cursor: say_heard(cursor, name, min(since, now), now))

    async def sign_off(self) -> None:
        """Record that the others need not wait for this process any more."""
        name = self._name
        if name is not None:
            await self._database.transaction(lambda cursor: leave(cursor, name))

    async def end_stale(self) -> None:
        """
        End sessions without a report for too long, at their last report.

        Silence while a server or its store was away is not the gateway's:
        no guest is thrown off because of our own trouble.
        """
        await self._end_silent(find_stale, Reason.STALE, _last_report)

    async def end_lost_in_restart(self) -> None:
        """End sessions that their gateway lost when it restarted, at their last report."""
        await self._end_silent(find_lost_in_restart, Reason.GATEWAY_RESTARTED, _last_report)

    async def end_unused(self) -> None:
        """
        Delete sessions whose token was never used in time; they leave no history.

        After an interruption, such as a clock that was set, each gets its time anew.
        """
        if self._clock.seconds() - self._uninterrupted_since() < FIRST_USE_WITHIN.total_seconds():
            return
        forget = partial(forget_unused, now=self._utc_now(), within=FIRST_USE_WITHIN, limit=ROWS)
        await self._repeat(forget, "tokens never used deleted")

    async def end_overdue(self) -> None:
        """
        End sessions over their time that no report has ended, at the end of their time.

        After trouble of our own the gateway still gets time to report their
        last octets.
        """
        now = self._utc_now()
        await self._end_silent(find_overdue, Reason.TIME_IS_UP, lambda session: session.expires_at or now)

    async def purge_history(self) -> None:
        """Delete past sessions that are older than their network keeps them."""
        now = self._utc_now()
        for network in self._registry.networks():
            if network.retention is not None:
                before = now - network.retention
                purge = partial(purge_history, network=network.name, before=before, limit=ROWS)
                await self._repeat(purge, "past sessions deleted")

    async def forget(self) -> None:
        """Delete old sign-in attempts, use of long ago, end notices, devices and gateways that have stopped waiting."""
        now = self._utc_now()
        await self._repeat(partial(forget_tries, before=now - TRIES_WINDOW, limit=ROWS), "old sign-in attempts deleted")
        await self._repeat(partial(forget_sources, before=now - SPARE_FOR, limit=ROWS), "sources of guests deleted")
        await self._repeat(partial(forget_slots, before=now - KEEP_SLOTS, limit=ROWS), "minutes of use deleted")
        await self._repeat(partial(forget_end_notices, before=now - KEEP_SLOTS, limit=ROWS), "end notices deleted")
        await self._repeat(partial(forget_ended, before=now - KEEP_ENDED, limit=ROWS), "ends of sessions deleted")
        await self._repeat(
            partial(forget_allowances, before=now - KEEP_DEVICES, unused_before=now - SEEN_WITHIN, limit=ROWS),
            "allowances of devices deleted",
        )
        await self._repeat(partial(forget_accesses, before=now - KEEP_ACCESSES, limit=ROWS), "accesses to mail deleted")
        unseen = partial(forget_old_devices, now=now, unseen_since=now - SEEN_WITHIN, limit=ROWS)
        await self._repeat(unseen, "devices deleted")
        await self._database.transaction(lambda cursor: forget_waiting(cursor, now - WAIT_FOR_ADOPTION))
        await self._database.transaction(lambda cursor: forget_commands(cursor, now - KEEP_COMMANDS))
        await self._database.transaction(lambda cursor: forget_servers(cursor, now - LOST_AFTER))

    async def _end_silent(self, find_silent: FindSilent, reason: Reason, end_of: Callable[[Session], datetime]) -> None:
        """
        End sessions whose gateway was silent while it would have been heard.

        @param find_silent: finds them at an instant, given since when every report has been heard.
        """
        since, now = self._heard_since(), self._utc_now()
        if since is None:
            return
        own: datetime = since

        async def find(cursor: Cursor) -> list[bytes]:
            heard_since, until = await self._heard(cursor, own, now)
            return await find_silent(cursor, now=until, heard_since=heard_since, limit=ROWS)

        await self._end(find, reason, end_of)

    async def _heard(self, cursor: Cursor, since: datetime, until: datetime) -> tuple[datetime, datetime]:
        """Return the time over which all processes have heard everything, given that of this one."""
        if self._name is None:
            return since, until
        others_since, others_until = await ask_others(cursor, self._name, until - LOST_AFTER)
        return max(since, others_since or since), min(until, others_until or until)

    async def _end(self, find: Find, reason: Reason, end_of: Callable[[Session], datetime]) -> None:
        async def end(cursor: Cursor) -> int:
            sessions = await lock_sessions(cursor, await find(cursor))
            endings = [self._ending(session, end_of(session), reason) for session in sessions.values()]
            if endings:
                end_sessions(cursor, endings)
            return len(endings)

        await self._repeat(end, f"sessions ended: {reason.value}")

    def _ending(self, session: Session, at: datetime, reason: Reason) -> Ended:
        """End a session; where no report says how long its guest was there, it was until the end."""
        gateway = self._registry.gateway(session.gw_id)
        if gateway is not None and not capabilities_of(gateway.dialect).reports_use:
            session = replace(session, reported_at=max(at, session.reported_at or at))
        return Ended(session, at, session.ending or reason)

    async def _repeat(self, work: Callable[[Cursor], Awaitable[int]], done: str) -> None:
        """Run a bounded piece of work until it finds fewer rows than its bound, and log each after its commit."""
        count = ROWS
        while count >= ROWS:
            count = await self._database.transaction(work)
            if count:
                log.info("{count} {done}", count=count, done=done)

    def _heard_since(self) -> datetime | None:
        """Return since when reports have been heard without interruption; None while they are not."""
        if self._database.available_since is None:
            return None
        since = max(self._database.available_since, self._uninterrupted_since())
        now = self._utc_now()
        heard = now - timedelta(seconds=self._clock.seconds() - since)
        unsettled = self._unsettled_at()
        return heard if unsettled is None else max(heard, min(unsettled, now))


def _last_report(session: Session) -> datetime:
    return session.reported_at or session.opened_at
