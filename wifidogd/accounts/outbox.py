"""Sends queued mails to the mail server, again and again until it has accepted them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from wifidogd.accounts.smtp import NotSent
from wifidogd.domain.errors import StoreError
from wifidogd.domain.sessions import UtcNow
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.store.accounts.outbox import Mail, claim_mails, put_off, remove_mails
from wifidogd.store.driver.database import Cursor, Database

log = Logger()

AT_ONCE = 5
"""Mails sent at the same time, each on a connection of its own."""

ROUNDS = 20
"""How many times L{AT_ONCE} mails one run sends at most."""

CLAIM = timedelta(minutes=5)
"""How long other servers leave alone what this one is sending; much longer than sending can take."""

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=5)

Deliver = Callable[[str, str], Awaitable[None]]
"""Hands a message to a mail server for a recipient, in bounded time; raises L{NotSent}."""


def pause_after(tries: int) -> timedelta:
    """
    Return how long to wait after a failed try: one minute, then twice as long each time, up to six hours.

    @param tries: 1 or more.
    """
    doubled: int = 2 ** min(tries - 1, 20)
    return min(FIRST_PAUSE * doubled, LONGEST_PAUSE)


class Outbox:
    """
    Sends the mails that are due.

    A mail is claimed, sent and removed in this order, the first and the last in
    transactions of their own: nothing is lost, no database connection waits for
    a mail server, and a mail is sent twice only if this server dies between the
    mail server's acceptance and the removal.
    """

    def __init__(self, database: Database, deliver: Deliver, *, utc_now: UtcNow, clock: IReactorTime) -> None:
        self._database = database
        self._deliver = deliver
        self._utc_now = utc_now
        self._sparing = RateLimitedLog(log, clock)
        self._sent: list[int] = []

    async def send_due(self) -> None:
        """
        Send mails that are due, C{AT_ONCE * ROUNDS} at most; an unreachable mail server ends the run.

        @raise StoreError: as L{Database.transaction}; what was sent until then is removed at the next run.
        """
        await self._remove_sent()
        for _ in range(ROUNDS):
            mails = await self._database.transaction(self._claim)
            troubles = await gatherResults([ensureDeferred(self._send(mail)) for mail in mails])
            await self._remove_sent()
            if not mails or any(trouble is not None and not trouble.is_reached for trouble in troubles):
                return

    async def _claim(self, cursor: Cursor) -> list[Mail]:
        now = self._utc_now()
        return await claim_mails(cursor, now, now + CLAIM, AT_ONCE)

    async def _send(self, mail: Mail) -> NotSent | None:
        """Send one mail; return None if it was sent, else why not."""
        try:
            await self._deliver(mail.recipient, mail.message)
        except NotSent as trouble:
            await self._keep(mail, trouble)
            return trouble
        except Exception:
            self._sparing.failure("a mail could not be sent", Failure())
            return NotSent("a mistake of ours", is_reached=True)
        self._sent.append(mail.mail_id)
        return None

    async def _keep(self, mail: Mail, trouble: NotSent) -> None:
        """Put a mail off, or give it up; while the database is away the claim stands until it expires."""
        now = self._utc_now()
        if trouble.is_final or now >= mail.queued_at + GIVE_UP_AFTER:
            self._sparing.warn("mail {mail} is given up: {trouble}", mail=mail.mail_id, trouble=trouble)
            self._sent.append(mail.mail_id)
            return
        again = now + pause_after(mail.tries)
        self._sparing.warn("mail {mail} is put off: {trouble}", mail=mail.mail_id, trouble=trouble)
        try:
            await self._database.transaction(lambda cursor: put_off(cursor, mail.mail_id, again))
        except StoreError as problem:
            self._sparing.warn("mail {mail} stays claimed: {problem}", mail=mail.mail_id, problem=problem)

    async def _remove_sent(self) -> None:
        """Remove what was sent or given up; if that fails, it is tried again before anything else is sent."""
        done = list(self._sent)

        async def remove(cursor: Cursor) -> None:
            await remove_mails(cursor, done)

        if done:
            await self._database.transaction(remove)
            self._sent = self._sent[len(done) :]
