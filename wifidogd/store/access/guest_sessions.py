"""Sessions as guests meet them: opened, looked at, asked to end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from wifidogd.domain.sessions import Octets, Reason
from wifidogd.store.driver.database import Cursor

OPEN = """
    INSERT INTO sessions (token_hash, gw_id, account_id, url, opened_at, time_limit, quota_octets, allowance_id,
                          claimed_mac, probation_until, terms_version)
    VALUES (%(token_hash)s, %(gw_id)s, %(account_id)s, %(url)s, %(now)s, %(time_limit)s, %(quota_octets)s,
            %(allowance_id)s, %(claimed_mac)s, %(probation_until)s, %(terms_version)s)
"""

LOOK = """
    SELECT gw_id, ip, mac, url, activated_at, expires_at, time_limit, quota_octets, incoming, outgoing,
           ending IS NOT NULL, allowance_id, account_id IS NOT NULL
      FROM sessions
     WHERE token_hash = %(token_hash)s
"""

ASK_TO_END = """
    UPDATE sessions
       SET ending = coalesce(ending, %(reason)s)
     WHERE token_hash = %(token_hash)s
"""

FIND_ONLINE = """
    SELECT 1
      FROM sessions
      LEFT JOIN heartbeats USING (gw_id)
     WHERE gw_id = %(gw_id)s
       AND mac = %(mac)s
       AND activated_at IS NOT NULL
       AND ending IS NULL
       AND reported_at >= %(since)s
       AND (expires_at IS NULL OR expires_at > %(now)s)
       AND (restarted_at IS NULL OR reported_at >= restarted_at)
"""


@dataclass(frozen=True, slots=True)
class GuestSession:
    """
    An open session as its guest may see it.

    @ivar activated_at: None while pending.
    @ivar is_ending: True once it was asked to end.
    @ivar allowance_id: what it draws on; None for nothing.
    @ivar has_account: True for who has signed in by account.
    """

    gw_id: str
    ip: str | None
    mac: str | None
    url: str | None
    activated_at: datetime | None
    expires_at: datetime | None
    time_limit: timedelta | None
    quota_octets: int | None
    used: Octets
    is_ending: bool
    allowance_id: int | None
    has_account: bool = False


async def open_session(
    cursor: Cursor,
    token_hash: bytes,
    *,
    gw_id: str,
    account_id: int | None,
    url: str | None,
    now: datetime,
    time_limit: timedelta | None,
    quota_octets: int | None,
    allowance_id: int | None = None,
    claimed_mac: str | None = None,
    probation_until: datetime | None = None,
    terms_version: int | None = None,
) -> None:
    """
    Open a pending session at a gateway.

    @param claimed_mac: the device that it must turn out to be; None where it does not matter.
    @param terms_version: of the terms accepted; None where there are none.
    """
    await cursor.execute(
        OPEN,
        {
            "token_hash": token_hash,
            "gw_id": gw_id,
            "account_id": account_id,
            "url": url,
            "now": now,
            "time_limit": time_limit,
            "quota_octets": quota_octets,
            "allowance_id": allowance_id,
            "claimed_mac": claimed_mac,
            "probation_until": probation_until,
            "terms_version": terms_version,
        },
    )


async def look_at(cursor: Cursor, token_hash: bytes) -> GuestSession | None:
    """Fetch an open session; None if the token names none."""
    await cursor.execute(LOOK, {"token_hash": token_hash})
    row = cursor.fetchone()
    if row is None:
        return None
    values: list[Any] = list(row)
    values[8:10] = [Octets(*values[8:10])]
    return GuestSession(*values)


async def ask_to_end(cursor: Cursor, token_hash: bytes, reason: Reason) -> None:
    """Let the gateway's next report end a session, so that its last octets are counted."""
    await cursor.execute(ASK_TO_END, {"token_hash": token_hash, "reason": reason.value})


async def is_online(cursor: Cursor, gw_id: str, mac: str, now: datetime, since: datetime) -> bool:
    """
    Tell whether a device has a live session at a gateway.

    @param since: one that was not reported since then, or since the gateway restarted, is not live.
    """
    await cursor.execute(FIND_ONLINE, {"gw_id": gw_id, "mac": mac, "now": now, "since": since})
    return cursor.fetchone() is not None


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
class OtherDevice:
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


async def fetch_companions(cursor: Cursor, token_hash: bytes) -> tuple[OtherDevice, ...]:
    """List the other devices on the allowance of an open session, the longest online first, 100 at most."""
    await cursor.execute(FETCH_COMPANIONS, {"token_hash": token_hash})
    return tuple(
        OtherDevice(session_id, mac, since, Octets(incoming, outgoing), is_ending)
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
