"""
Has routers throw off guests whose sessions are over, and ends the sessions in the books.

Whatever is to end a session marks it in the store (C{sessions.ending}), or its time is over, or that for which its
guest was on trust.  The process that the
guest's router is connected to looks for such sessions twice a second, so it does not matter which process or command
marked it, and nothing is lost with a connection to PostgreSQL, as a notification would be.  Where no router is
connected nothing is looked for, and the next report ends the session.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wifidogd.domain.decisions import end_if_over
from wifidogd.domain.errors import StoreError
from wifidogd.domain.guests import EndNotice
from wifidogd.domain.sessions import Ended, Reason, UtcNow
from wifidogd.gateways.router_commands import ConnectedRouters, Kickoff, Outcome, RouterConnection
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.store.access.end_notices import save_end_notices
from wifidogd.store.accounting.kickoffs import OverSession, find_over
from wifidogd.store.accounting.sessions import end_sessions, lock_sessions
from wifidogd.store.driver.database import Cursor, Database

LOOK_FOR_OVER = timedelta(seconds=0.5)
"""How often sessions are looked for that are over."""

MOST_AT_ONCE = 200
"""Sessions that are looked for at once, of each kind, and whose routers are being told."""

AGAIN_AFTER = {Outcome.UNSENT: 1.0, Outcome.UNANSWERED: 5.0, Outcome.REFUSED: 60.0}
"""Seconds after which a router is told again, if no report has ended the session by then."""

BY_GUESTS = (Reason.LOGOUT.value, Reason.ERASED.value, Reason.ROAMED.value)
"""Reasons that a guest can bring about as often as they like, and come back at once."""

LOG_OUT_WITHIN = 3.0
"""
Seconds in which the router's own log-out comes, with the last octets, if it does not list the guest any more.

The guest's browser may have called it just before (docs/protocol.md 7.3).
"""

_TOLD = (Reason.TIME_IS_UP, Reason.NOT_VALIDATED)
"""Reasons that the next page tells the guest of, since no report brings them to the gateway."""


class Kickoffs:
    """Tells the routers of this process whose sessions are over."""

    def __init__(
        self, database: Database, routers: ConnectedRouters, *, server: str, clock: IReactorTime, utc_now: UtcNow
    ) -> None:
        """
        @param server: the name of this process among those on the database.
        """
        self._database = database
        self._routers = routers
        self._server = server
        self._clock = clock
        self._utc_now = utc_now
        self._log = RateLimitedLog(Logger(), clock)
        self._told: dict[bytes, float] = {}
        self._absent: dict[bytes, float] = {}

    async def look(self) -> None:
        """
        Tell the routers that are connected here whose sessions are over; nothing is read where none is.

        @raise StoreError: as L{Database.transaction}.
        """
        now = self._clock.seconds()
        self._told, self._absent = (
            {token_hash: until for token_hash, until in known.items() if until > now}
            for known in (self._told, self._absent)
        )
        if len(self._routers) and len(self._told) < MOST_AT_ONCE * 10:
            find = partial(
                find_over,
                server=self._server,
                now=self._utc_now(),
                known=self._told,
                by_guests=BY_GUESTS,
                limit=MOST_AT_ONCE,
            )
            for session in await self._database.transaction(find):
                self._tell(session)

    def _tell(self, session: OverSession) -> None:
        connection = self._routers.connection(session.gw_id)
        if connection is not None:
            self._told[session.token_hash] = float("inf")
            told = Deferred.fromCoroutine(self._kick_off(session, connection))
            told.addErrback(partial(self._log.failure, "a session that is over was not ended"))  # type: ignore[unused-awaitable]

    async def _kick_off(self, session: OverSession, connection: RouterConnection) -> None:
        """Have a guest thrown off and end the session, or leave it to the next report."""
        outcome = await connection.send(Kickoff(session.gw_id, session.mac, session.ip))
        now = self._clock.seconds()
        self._told[session.token_hash] = now + AGAIN_AFTER.get(outcome, 1.0)
        if outcome is Outcome.NOT_FOUND and session.token_hash not in self._absent:
            self._told[session.token_hash] = now + LOG_OUT_WITHIN
            self._absent[session.token_hash] = now + 10 * LOG_OUT_WITHIN
        elif outcome in (Outcome.DONE, Outcome.NOT_FOUND):
            await self._end(session)
        else:
            self._log.info(
                "a guest is not thrown off {gw_id} ({outcome}); the next report does it",
                gw_id=session.gw_id,
                outcome=outcome.value,
            )

    async def _end(self, session: OverSession) -> None:
        """End the session of a guest who is off, in the books."""
        try:
            ended = await self._database.transaction(
                lambda cursor: _conclude(cursor, session.token_hash, self._utc_now())
            )
        except StoreError as problem:
            self._log.warn("a guest is off whose session could not be ended: {problem}", problem=problem)
            return
        if ended is not None:
            self._log.info("a guest is thrown off {gw_id}: {why}", gw_id=session.gw_id, why=ended.reason.value)


async def _conclude(cursor: Cursor, token_hash: bytes, now: datetime) -> Ended | None:
    """
    End a session, unless a report has ended it meanwhile.

    @return: None if there is nothing to end.
    """
    session = (await lock_sessions(cursor, [token_hash])).get(token_hash)
    ended = None if session is None else end_if_over(session, now)
    if ended is not None:
        end_sessions(cursor, [ended])
        if ended.session.mac is not None and ended.reason in _TOLD:
            notice = EndNotice(ended.session.gw_id, ended.session.mac, ended.reason, ended.at, ended.at)
            await save_end_notices(cursor, [notice])
    return ended
