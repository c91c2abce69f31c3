"""Mails counted by whom they go to, and by the account that has them sent; all servers on a database share them."""

from __future__ import annotations

from datetime import datetime, timedelta

from wifidogd.domain.addresses import mailbox_of
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.driver.database import Cursor

AT_ONCE = 3
"""Mails that may follow each other at once; as many of an address may wait for the mail server."""

PAUSE = timedelta(hours=1)
"""After that there is one mail for each of these."""

COUNT_MAIL = """
    INSERT INTO mail_limits AS known (subject_hash, spent_until)
    SELECT %(subject_hash)s, %(now)s + %(pause)s
     WHERE (SELECT count(*) FROM mails WHERE recipient = %(recipient)s) < %(at_once)s
        ON CONFLICT (subject_hash) DO UPDATE
       SET spent_until = greatest(known.spent_until, %(now)s) + %(pause)s
     WHERE known.spent_until <= %(now)s + (%(at_once)s - 1) * %(pause)s
"""

FORGET_COUNTS = """
    DELETE FROM mail_limits
     WHERE subject_hash IN (
           SELECT subject_hash
             FROM mail_limits
            WHERE spent_until <= %(now)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED)
"""


async def count_mail_to(cursor: Cursor, recipient: str, now: datetime) -> bool:
    """
    Count a mail to an address, together with those to other addresses of the same mailbox.

    @return: False if it must not be sent, because L{AT_ONCE} were sent lately, or wait to be sent.
    """
    return await _count(cursor, f"mails to {mailbox_of(recipient)}", recipient, now)


async def count_mail_of(cursor: Cursor, account_id: int, now: datetime) -> bool:
    """
    Count a mail that an account has sent to an address that is not its own.

    @return: False if it must not be sent.
    """
    return await _count(cursor, f"mails of account {account_id}", None, now)


async def forget_counts(cursor: Cursor, now: datetime, limit: int) -> int:
    """
    Delete counts of which nothing is left.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_COUNTS, {"now": now, "limit": limit})
    return cursor.rowcount


async def _count(cursor: Cursor, subject: str, recipient: str | None, now: datetime) -> bool:
    values = {"subject_hash": hash_secret(subject), "recipient": recipient, "now": now}
    await cursor.execute(COUNT_MAIL, values | {"pause": PAUSE, "at_once": AT_ONCE})
    return cursor.rowcount == 1
