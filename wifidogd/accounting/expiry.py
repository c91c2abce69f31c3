"""Ends sessions that no report ended; timers run it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from wifidogd.accounting.retention import ROWS, repeat
from wifidogd.domain.decisions import FIRST_USE_WITHIN, end_if_over
from wifidogd.domain.reports.capabilities import capabilities_of
from wifidogd.domain.sessions import Ended, Reason, Session, UtcNow
from wifidogd.gateways.registry import Registry
from wifidogd.store.accounting.expiry import (
    find_lost_in_restart,
    find_overdue,
    find_stale,
    forget_unused,
)
from wifidogd.store.accounting.server_liveness import LOST_AFTER, ask_others, leave, say_heard
from wifidogd.store.accounting.sessions import end_sessions, lock_sessions
from wifidogd.store.driver.database import Cursor, Database

Find = Callable[[Cursor], Awaitable[list[bytes]]]

Conclude = Callable[[Session], Ended | None]
"""Ends a session that was found; None if it turns out to go on."""


class FindSilent(Protocol):
    """Finds sessions that are over at an instant, given since when every report has been heard."""

    async def __call__(self, cursor: Cursor, now: datetime, heard_since: datetime, limit: int) -> list[bytes]: ...


class Expiry:
    """
    Ends sessions that no report ended.

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
        await self._end_silent(find_stale, partial(_at_last_report, reason=Reason.STALE), Reason.STALE.value)

    async def end_lost_in_restart(self) -> None:
        """End sessions that their gateway lost when it restarted, at their last report."""
        lost = Reason.GATEWAY_RESTARTED
        await self._end_silent(find_lost_in_restart, partial(_at_last_report, reason=lost), lost.value)

    async def end_unused(self) -> None:
        """
        Delete sessions whose token was never used in time; they leave no history.

        After an interruption, such as a clock that was set, each gets its time anew.
        """
        if self._clock.seconds() - self._uninterrupted_since() < FIRST_USE_WITHIN.total_seconds():
            return
        forget = partial(forget_unused, now=self._utc_now(), within=FIRST_USE_WITHIN, limit=ROWS)
        await repeat(self._database, forget, "tokens never used deleted")

    async def end_overdue(self) -> None:
        """
        End sessions over their time that no report has ended, at the end of their time.

        After trouble of our own the gateway still gets time to report their
        last octets.
        """
        over = partial(end_if_over, now=self._utc_now())
        await self._end_silent(find_overdue, over, "their time, or that of validation, is up")

    async def _end_silent(self, find_silent: FindSilent, conclude: Conclude, why: str) -> None:
        """
        End sessions whose gateway was silent while it would have been heard.

        @param find_silent: finds them at an instant, given since when every report has been heard.
        @param why: for the log.
        """
        since, now = self._heard_since(), self._utc_now()
        if since is None:
            return
        own: datetime = since

        async def find(cursor: Cursor) -> list[bytes]:
            heard_since, until = await self._heard(cursor, own, now)
            return await find_silent(cursor, now=until, heard_since=heard_since, limit=ROWS)

        await self._end(find, conclude, why)

    async def _heard(self, cursor: Cursor, since: datetime, until: datetime) -> tuple[datetime, datetime]:
        """Return the time over which all processes have heard everything, given that of this one."""
        if self._name is None:
            return since, until
        others_since, others_until = await ask_others(cursor, self._name, until - LOST_AFTER)
        return max(since, others_since or since), min(until, others_until or until)

    async def _end(self, find: Find, conclude: Conclude, why: str) -> None:
        async def end(cursor: Cursor) -> int:
            sessions = await lock_sessions(cursor, await find(cursor))
            concluded = [conclude(session) for session in sessions.values()]
            endings = [self._ending(ended) for ended in concluded if ended is not None]
            if endings:
                end_sessions(cursor, endings)
            return len(endings)

        await repeat(self._database, end, f"sessions ended: {why}")

    def _ending(self, ended: Ended) -> Ended:
        """End a session; where no report says how long its guest was there, it was until the end."""
        session = ended.session
        gateway = self._registry.gateway(session.gw_id)
        if gateway is None or capabilities_of(gateway.dialect).reports_use:
            return ended
        return replace(ended, session=replace(session, reported_at=max(ended.at, session.reported_at or ended.at)))

    def _heard_since(self) -> datetime | None:
        """Return since when reports have been heard without interruption; None while they are not."""
        if self._database.available_since is None:
            return None
        since = max(self._database.available_since, self._uninterrupted_since())
        now = self._utc_now()
        heard = now - timedelta(seconds=self._clock.seconds() - since)
        unsettled = self._unsettled_at()
        return heard if unsettled is None else max(heard, min(unsettled, now))


def _at_last_report(session: Session, reason: Reason) -> Ended:
    """End a session for a reason, unless another was asked for."""
    return Ended(session, session.reported_at or session.opened_at, session.ending or reason)
