"""What is stored about the sessions of one network, open and past, as an audit compares them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from wifidogd.domain.sessions import Octets
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

FETCH_LAST_SESSION = """
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END
      FROM sessions_session_id_seq
"""

LIST_OPEN = """
    SELECT session_id, token_hash, sessions.gw_id, mac, incoming, outgoing
      FROM sessions
      JOIN gateways USING (gw_id)
     WHERE network = %(network)s
       AND session_id > %(after)s
     ORDER BY session_id
     LIMIT %(limit)s
"""

LIST_PAST = """
    SELECT session_id, gw_id, mac, incoming, outgoing, reason, ended_at
      FROM past_sessions
     WHERE network = %(network)s
       AND (ended_at, session_id) > (%(ended_after)s, %(after)s)
     ORDER BY ended_at, session_id
     LIMIT %(limit)s
"""

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Kept:
    """
    A session as it is stored.

    @ivar token_hash: None for a past one.
    @ivar mac: None for one that was never in use.
    @ivar reason: why it ended, as stored; None while it goes on.
    """

    session_id: int
    token_hash: bytes | None
    gw_id: str
    mac: str | None
    used: Octets
    reason: str | None = None


async def fetch_last_session(cursor: Cursor) -> int:
    """Return the highest C{session_id} given out so far; 0 for none."""
    await cursor.execute(FETCH_LAST_SESSION)
    [(last,)] = cursor.fetchall()
    return int(last)


async def list_open(cursor: Cursor, network: str, after: int, limit: int) -> list[Kept]:
    """Fetch open sessions of a network by C{session_id}, beginning after one, C{limit} at most."""
    await cursor.execute(LIST_OPEN, {"network": network, "after": after, "limit": limit})
    return SESSIONS.all(cursor)


async def list_past(
    cursor: Cursor, network: str, after: tuple[datetime, int], limit: int
) -> tuple[list[Kept], tuple[datetime, int]]:
    """
    Fetch past sessions of a network by their end, C{limit} at most.

    @param after: where the last page ended; L{BEGINNING} and 0 for the first.
    @return: the sessions, and where this page ends.
    """
    ended_after, session_id = after
    wanted = {"network": network, "ended_after": ended_after, "after": session_id, "limit": limit}
    await cursor.execute(LIST_PAST, wanted)
    read, ended_at, rows = SESSIONS.over(cursor.columns), cursor.columns.index("ended_at"), cursor.fetchall()
    sessions = [read(row) for row in rows]
    return sessions, (rows[-1][ended_at], sessions[-1].session_id) if rows else after


def _kept(
    session_id: int,
    gw_id: str,
    mac: str | None,
    incoming: int,
    outgoing: int,
    token_hash: bytes | None = None,
    reason: str | None = None,
) -> Kept:
    return Kept(session_id, token_hash, gw_id, mac, Octets(incoming, outgoing), reason)


SESSIONS = RowReader(_kept)
