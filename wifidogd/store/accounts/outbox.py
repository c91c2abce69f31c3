"""Mails to be sent; those sent, or given up, are deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

MOST = 10_000
"""Mails that may wait; a mail server that is away for days must not fill the database."""

MOST_OF_SOURCE = 1_000
"""Those of them that one source may have had written."""

QUEUE = """
    INSERT INTO mails (recipient, message, source, queued_at, next_try)
    SELECT %(recipient)s, %(message)s, %(source)s, %(now)s, %(now)s
     WHERE (SELECT count(*) FROM (SELECT 1 FROM mails LIMIT %(most)s) AS waiting) < %(most)s
       AND (SELECT count(*) FROM (SELECT 1 FROM mails WHERE source = %(source)s LIMIT %(most_of_source)s) AS theirs)
           < %(most_of_source)s
"""

CLAIM = """
    UPDATE mails
       SET tries = tries + 1,
           next_try = %(until)s
     WHERE mail_id IN (
           SELECT mail_id
             FROM mails
            WHERE next_try <= %(now)s
            ORDER BY next_try
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED)
 RETURNING mail_id, recipient, message, queued_at, tries
"""

REMOVE = """
    DELETE FROM mails
     WHERE mail_id = ANY(%(mail_ids)s::bigint[])
"""

PUT_OFF = """
    UPDATE mails
       SET next_try = %(until)s
     WHERE mail_id = %(mail_id)s
"""


@dataclass(frozen=True, slots=True)
class Mail:
    """
    A mail to be sent now.

    @ivar recipient: address, ASCII.
    @ivar message: head and body, RFC 5322, ASCII.
    @ivar tries: how often the mail server was asked, this time included.
    """

    mail_id: int
    recipient: str
    message: str = field(repr=False)
    queued_at: datetime
    tries: int


MAILS = RowReader(Mail)


async def queue_mail(cursor: Cursor, recipient: str, message: str, now: datetime, source: str | None = None) -> bool:
    """
    Queue a mail, to be sent as soon as the transaction is committed.

    @param source: who has it written, as L{wifidogd.domain.addresses.delegation_of} returns it; None when unknown.
    @return: False if L{MOST} are waiting already, or L{MOST_OF_SOURCE} of this source.
    """
    values = {"recipient": recipient, "message": message, "source": source, "now": now}
    await cursor.execute(QUEUE, values | {"most": MOST, "most_of_source": MOST_OF_SOURCE})
    return cursor.rowcount == 1


async def claim_mails(cursor: Cursor, now: datetime, until: datetime, limit: int) -> list[Mail]:
    """
    Take mails that are due, C{limit} at most; no other server gets them before C{until}.

    What is neither removed nor put off by then, because this server died, is due again.
    """
    await cursor.execute(CLAIM, {"now": now, "until": until, "limit": limit})
    return MAILS.all(cursor)


async def remove_mails(cursor: Cursor, mail_ids: Sequence[int]) -> None:
    """Delete mails that were sent or given up."""
    await cursor.execute(REMOVE, {"mail_ids": list(mail_ids)})


async def put_off(cursor: Cursor, mail_id: int, until: datetime) -> None:
    """Record when a mail that could not be sent is tried again."""
    await cursor.execute(PUT_OFF, {"mail_id": mail_id, "until": until})
