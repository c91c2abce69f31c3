"""Which session a browser has signed in to, open or ended a short while ago."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from wifidogd.domain.sessions import Reason
from wifidogd.store.driver.array_literals import of_octets
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

FIND_SESSION = """
    SELECT browser_hash, gw_id, reason, hidden_token
      FROM (SELECT browser_hash, gw_id, ending AS reason, hidden_token, opened_at AS since
              FROM sessions
             WHERE browser_hash = ANY(%(browser_hashes)s)
             UNION ALL
            SELECT browser_hash, gw_id, reason, NULL, ended_at
              FROM ended_sessions
             WHERE browser_hash = ANY(%(browser_hashes)s)
               AND ended_at > %(ended_since)s) AS found
     ORDER BY reason IS NOT NULL, since DESC
     LIMIT 1
"""

FORGET_ENDED = """
    DELETE FROM ended_sessions
     WHERE browser_hash IN (
           SELECT browser_hash
             FROM ended_sessions
            WHERE ended_at < %(before)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """
    A session that a browser has signed in to.

    @ivar browser_hash: SHA-256 of the secret in its cookie.
    @ivar reason: why it has ended, or is about to; None while it continues.
    @ivar hidden_token: its token, readable with that secret alone; None once it has ended.
    """

    browser_hash: bytes
    gw_id: str
    reason: Reason | None
    hidden_token: bytes | None = field(repr=False)


def _signed_in(browser_hash: bytes, gw_id: str, reason: str | None, hidden_token: bytes | None) -> SignedIn:
    return SignedIn(browser_hash, gw_id, None if reason is None else Reason(reason), hidden_token)


SIGNED_IN = RowReader(_signed_in)


async def find_signed_in(cursor: Cursor, browser_hashes: Sequence[bytes], ended_since: datetime) -> SignedIn | None:
    """
    Return the latest session of a browser, an open one rather than one that has ended.

    @param browser_hashes: SHA-256 of the secrets that the browser has, of one network each.
    @param ended_since: sessions that ended before are forgotten.
    @return: None if there is none.
    """
    await cursor.execute(FIND_SESSION, {"browser_hashes": of_octets(browser_hashes), "ended_since": ended_since})
    return SIGNED_IN.one(cursor)


async def forget_ended(cursor: Cursor, before: datetime, limit: int) -> int:
    """
    Delete what browsers are told of sessions that ended before an instant.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_ENDED, {"before": before, "limit": limit})
    return cursor.rowcount
