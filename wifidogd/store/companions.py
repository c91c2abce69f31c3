"""Sessions that draw on one allowance: the guest's own devices, as each of them may see and end the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wifidogd.model import Octets, Reason
from wifidogd.store.database import Cursor

FETCH_COMPANIONS = """
    SELECT theirs.session_id, theirs.mac, theirs.activated_at, theirs.incoming, theirs.outgoing,
           theirs.ending IS NOT NULL
      FROM sessions AS mine
      JOIN sessions AS theirs USING (allowance_id)
     WHERE mine.token_hash = %(token_hash)s
       AND theirs.token_hash <> mine.token_hash
       AND theirs.activated_at IS NOT NULL
     ORDER BY theirs.activated_at, theirs.session_id
     LIMIT 100
"""

DISCONNECT = """
    UPDATE sessions
       SET ending = coalesce(sessions.ending, %(reason)s)
      FROM sessions AS mine
     WHERE mine.token_hash = %(token_hash)s
       AND sessions.allowance_id = mine.allowance_id
       AND sessions.session_id = %(session_id)s
"""


@dataclass(frozen=True, slots=True)
class Companion:
    """
    Another device that is online on the same allowance.

    @ivar mac: None when the gateway could not tell.
    @ivar since: when it got online.
    @ivar is_ending: True once it was asked to leave.
    """

    session_id: int
    mac: str | None
    since: datetime
    used: Octets
    is_ending: bool


async def fetch_companions(cursor: Cursor, token_hash: bytes) -> tuple[Companion, ...]:
    """List the other devices on the allowance of an open session, the longest online first, 100 at most."""
    await cursor.execute(FETCH_COMPANIONS, {"token_hash": token_hash})
    return tuple(
        Companion(session_id, mac, since, Octets(incoming, outgoing), is_ending)
        for session_id, mac, since, incoming, outgoing, is_ending in cursor.fetchall()
    )


async def disconnect(cursor: Cursor, token_hash: bytes, session_id: int, reason: Reason) -> bool:
    """
    Let the next report of a device end its session.

    @param token_hash: of an open session on the same allowance.
    @return: False if there is no such companion.
    """
    values = {"token_hash": token_hash, "session_id": session_id, "reason": reason.value}
    await cursor.execute(DISCONNECT, values)
    return cursor.rowcount == 1
