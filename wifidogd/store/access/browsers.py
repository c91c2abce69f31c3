"""Which session a browser has signed in to, open or ended a short while ago, and where it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from wifidogd.domain.sessions import Reason
from wifidogd.store.driver.array_literals import of_octets
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

FIND_SESSION = """
    SELECT browser_hash, gw_id, reason, token_hash, hidden_token
      FROM (SELECT browser_hash, gw_id, ending AS reason, token_hash, hidden_token, opened_at AS since
              FROM sessions
             WHERE browser_hash = ANY(%(browser_hashes)s)
             UNION ALL
            SELECT browser_hash, gw_id, reason, NULL, NULL, ended_at
              FROM ended_sessions
             WHERE browser_hash = ANY(%(browser_hashes)s)
               AND ended_at > %(ended_since)s) AS found
     ORDER BY reason IS NOT NULL, since DESC
     LIMIT 1
"""

HAND_OVER = """
      WITH successor AS (
    SELECT token_hash, roamed_from
      FROM sessions
     WHERE roamed_from = %(origin)s
       AND activated_at IS NOT NULL
       AND browser_hash IS NULL
     LIMIT 1),
           freed AS (
    UPDATE sessions
       SET browser_hash = NULL,
           hidden_token = NULL
      FROM sessions AS before
      JOIN successor ON successor.roamed_from = before.token_hash
     WHERE sessions.token_hash = %(origin)s
       AND before.token_hash = %(origin)s
 RETURNING successor.token_hash, before.browser_hash, before.hidden_token)
    UPDATE sessions
       SET browser_hash = freed.browser_hash,
           hidden_token = freed.hidden_token
      FROM freed
     WHERE sessions.token_hash = freed.token_hash
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
    @ivar token_hash: SHA-256 of its token; None once it has ended.
    @ivar hidden_token: the token of the session that the browser opened, readable with that secret alone; that of the
        same session, unless a router has since continued it.  None once it has ended.
    """

    browser_hash: bytes
    gw_id: str
    reason: Reason | None
    token_hash: bytes | None = field(repr=False)
    hidden_token: bytes | None = field(repr=False)


def _signed_in(
    browser_hash: bytes, gw_id: str, reason: str | None, token_hash: bytes | None, hidden_token: bytes | None
) -> SignedIn:
    return SignedIn(browser_hash, gw_id, None if reason is None else Reason(reason), token_hash, hidden_token)


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


def hand_over(cursor: Cursor, origin: bytes) -> None:
    """
    Send that the browser of a session finds, from now on, the live one that continues it at another gateway.

    The hidden token goes along unchanged, since nobody but the browser could hide the new one.  A session that has
    a browser of its own, as one continued on the login page has, keeps it.

    @param origin: SHA-256 of the token of the session that was left.
    """
    cursor.send(HAND_OVER, {"origin": origin})


async def forget_ended(cursor: Cursor, before: datetime, limit: int) -> int:
    """
    Delete what browsers are told of sessions that ended before an instant.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_ENDED, {"before": before, "limit": limit})
    return cursor.rowcount
