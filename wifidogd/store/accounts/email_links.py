"""Links in mails; each works once, and those that were used are kept until they expire, to say so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

ADD_LINK = """
    INSERT INTO email_links (link_hash, account_id, purpose, email, expires_at)
    SELECT %(link_hash)s, %(account_id)s, %(purpose)s, %(email)s, %(expires_at)s
     WHERE (SELECT count(*)
              FROM email_links
             WHERE account_id = %(account_id)s
               AND purpose = %(purpose)s
               AND used_at IS NULL
               AND expires_at > %(now)s) < %(most)s
"""

FIND_LINK = """
    SELECT account_id, purpose, email, used_at IS NOT NULL AS is_used
      FROM email_links
     WHERE link_hash = %(link_hash)s
       AND expires_at > %(now)s
"""

USE_LINK = """
    UPDATE email_links
       SET used_at = %(now)s
     WHERE link_hash = %(link_hash)s
       AND used_at IS NULL
       AND expires_at > %(now)s
 RETURNING account_id, purpose, email, false AS is_used
"""

USE_LIKE = """
    UPDATE email_links
       SET used_at = %(now)s
     WHERE account_id = %(account_id)s
       AND purpose = %(purpose)s
       AND email = %(email)s
       AND used_at IS NULL
"""

REMOVE_LINKS = """
    DELETE FROM email_links
     WHERE account_id = %(account_id)s
       AND purpose = ANY(%(purposes)s::text[])
       AND used_at IS NULL
"""

FORGET_LINKS = """
    DELETE FROM email_links
     WHERE link_hash IN (
           SELECT link_hash
             FROM email_links
            WHERE expires_at <= %(now)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED)
"""


class Purpose(Enum):
    """What a link is for."""

    VALIDATE = "validate"
    PASSWORD = "password"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Link:
    """
    A link that has not expired.

    @ivar email: the address it was sent to.
    @ivar is_used: True once it has done what it is for.
    """

    account_id: int
    purpose: Purpose
    email: str
    is_used: bool = False


async def add_link(
    cursor: Cursor, link_hash: bytes, link: Link, *, now: datetime, expires_at: datetime, most: int
) -> bool:
    """
    Make a link good until C{expires_at}.

    @param most: how many of the account may be good for this purpose at once.
    @return: False if there are as many already.
    """
    values = {"account_id": link.account_id, "purpose": link.purpose.value, "email": link.email}
    await cursor.execute(
        ADD_LINK, values | {"link_hash": link_hash, "now": now, "expires_at": expires_at, "most": most}
    )
    return cursor.rowcount == 1


async def find_link(cursor: Cursor, link_hash: bytes, now: datetime) -> Link | None:
    """Return a link without using it up; None if there is none, or it has expired."""
    await cursor.execute(FIND_LINK, {"link_hash": link_hash, "now": now})
    return LINKS.one(cursor)


async def use_link(cursor: Cursor, link_hash: bytes, now: datetime) -> Link | None:
    """Mark a link as used and return it; None if it is not good.  Only one of two concurrent uses gets it."""
    await cursor.execute(USE_LINK, {"link_hash": link_hash, "now": now})
    return LINKS.one(cursor)


async def use_links_like(cursor: Cursor, link: Link, now: datetime) -> None:
    """Mark as used all links that were sent to the same address for the same purpose."""
    values = {"account_id": link.account_id, "purpose": link.purpose.value, "email": link.email, "now": now}
    await cursor.execute(USE_LIKE, values)


async def remove_links(cursor: Cursor, account_id: int, *purposes: Purpose) -> None:
    """Delete the links of an account for these purposes that were not used."""
    await cursor.execute(REMOVE_LINKS, {"account_id": account_id, "purposes": [purpose.value for purpose in purposes]})


async def forget_links(cursor: Cursor, now: datetime, limit: int) -> int:
    """
    Delete links that have expired, used or not.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_LINKS, {"now": now, "limit": limit})
    return cursor.rowcount


def _link(account_id: int, purpose: str, email: str, is_used: bool) -> Link:
    return Link(account_id, Purpose(purpose), email, is_used)


LINKS = RowReader(_link)
