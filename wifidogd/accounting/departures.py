"""Ends the sessions of guests whom their gateway does not list any more."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wifidogd.domain.errors import StoreError
from wifidogd.domain.sessions import Ended, Reason, Session, UtcNow
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.store.accounting.missed_sessions import compare_list, note_listed, note_missed
from wifidogd.store.accounting.sessions import end_sessions, lock_sessions
from wifidogd.store.driver.database import Cursor, Database

log = Logger()

MOST_ROWS = 2000
"""Sessions that one list changes, at most; the next list changes the others."""

ENDING_AT_ONCE, MOST_WAITING = 2, 100
"""Transactions that end sessions, and gateways that wait for one; beyond it their next lists say the same."""


class Departures:
    """
    Compares the complete lists of gateways with their sessions.

    A session that two lists in a row leave out has been forgotten by its
    gateway, which says so in no other way (docs/protocol.md 3.7).  What the first
    list said is in the store: the second may come to another process.
    """

    def __init__(self, database: Database, *, clock: IReactorTime, utc_now: UtcNow) -> None:
        self._database = database
        self._utc_now = utc_now
        self._log = RateLimitedLog(log, clock)
        self._turns = DeferredSemaphore(ENDING_AT_ONCE)

    async def compare(self, gw_id: str, token_hashes: Collection[bytes], source: str | None) -> None:
        """
        End the sessions of a gateway that this list and the one before leave out, at their last report.

        Trouble with the store costs nothing but time: the next lists say the same.

        @param token_hashes: of all clients listed.
        @param source: as in L{compare_list}.
        """
        what = gw_id, token_hashes, source
        try:
            left = await self._database.transaction(partial(self._note, *what))
            ended = await self._end(left, *what) if left else 0
        except StoreError as problem:
            self._log.warn("cannot tell which guests have left {gw_id}: {problem}", gw_id=gw_id, problem=problem)
            return
        if ended:
            log.info("{count} sessions at {gw_id} ended: {why}", count=ended, gw_id=gw_id, why=Reason.LEFT.value)

    async def _note(
        self, gw_id: str, token_hashes: Collection[bytes], source: str | None, cursor: Cursor
    ) -> list[bytes]:
        """Record who is listed and who is missed; return the tokens of those who have left."""
        now = self._utc_now()
        compared = await compare_list(cursor, gw_id, token_hashes, source=source, now=now, limit=MOST_ROWS)
        if listed := [each.token_hash for each in compared if each.is_listed]:
            note_listed(cursor, listed, source)
        if missed := [each.token_hash for each in compared if not each.is_listed and not each.has_left]:
            note_missed(cursor, missed, now)
        return [each.token_hash for each in compared if each.has_left]

    async def _end(
        self, left: Collection[bytes], gw_id: str, token_hashes: Collection[bytes], source: str | None
    ) -> int:
        """
        End the sessions of those who have left, in a transaction that holds no other session.

        The history may be locked for long, and reports on a session wait for whoever holds it.

        @return: how many have ended.
        """
        if len(self._turns.waiting) >= MOST_WAITING:
            return 0

        async def end(cursor: Cursor) -> int:
            # Since they were noted, one of them may have been reported.
            now = self._utc_now()
            compared = await compare_list(
                cursor, gw_id, token_hashes, source=source, now=now, limit=MOST_ROWS, among=left
            )
            sessions = await lock_sessions(cursor, [each.token_hash for each in compared if each.has_left])
            if sessions:
                end_sessions(cursor, [_departure(session) for session in sessions.values()])
            return len(sessions)

        async with self._turns:
            return await self._database.transaction(end)


def _departure(session: Session) -> Ended:
    """End a session at its last report, or at the end of its time if that was earlier."""
    ends = [end for end in (session.reported_at, session.expires_at) if end is not None]
    return Ended(session, min(ends, default=session.opened_at), session.ending or Reason.LEFT)
