"""Guests who go from one gateway of a network to another."""

from __future__ import annotations

from datetime import datetime

from wifidogd.domain.sessions import Session
from wifidogd.store.accounting.sessions import SESSIONS
from wifidogd.store.driver.database import Cursor

FIND_ONLINE_OF_MAC = """
    SELECT token_hash, sessions.gw_id, mac, ip, opened_at, activated_at, reported_at, incoming, outgoing,
           time_limit, quota_octets, expires_at, ending, allowance_id, probation_until
      FROM sessions
      JOIN gateways USING (gw_id)
     WHERE mac = %(mac)s
       AND activated_at IS NOT NULL
       AND network = %(network)s
     LIMIT 10
"""

CONTINUE = """
    INSERT INTO sessions (token_hash, gw_id, account_id, url, opened_at, time_limit, quota_octets, expires_at,
                          allowance_id, claimed_mac, by_mac, probation_until, terms_version, device_id,
                          browser_hash, hidden_token, roamed_from)
    SELECT %(token_hash)s, %(gw_id)s, account_id, url, %(now)s, time_limit, quota_octets - incoming - outgoing,
           expires_at, allowance_id, mac, true, probation_until, terms_version, device_id,
           %(browser_hash)s, %(hidden_token)s, token_hash
      FROM sessions
     WHERE token_hash = %(origin)s
       AND ending IS NULL
       AND (SELECT count(*)
              FROM sessions AS others
             WHERE others.roamed_from = %(origin)s
               AND others.activated_at IS NULL) < %(most)s
"""


async def find_online(cursor: Cursor, network: str, mac: str) -> list[Session]:
    """Return the live sessions of a device at the gateways of a network, ten at most."""
    await cursor.execute(FIND_ONLINE_OF_MAC, {"network": network, "mac": mac})
    return SESSIONS.all(cursor)


async def continue_session(
    cursor: Cursor,
    origin: bytes,
    token_hash: bytes,
    gw_id: str,
    now: datetime,
    *,
    most: int,
    browser_hash: bytes | None = None,
    hidden_token: bytes | None = None,
) -> bool:
    """
    Make a pending session at a gateway that continues one at another: with its owner, what is left of it, and its end.

    @param origin: SHA-256 of the token of the session to continue.
    @param most: how many may wait to continue it, this one included.
    @param browser_hash: as L{open_session<wifidogd.store.access.guest_sessions.open_session>} takes it, and
        C{hidden_token}.
    @return: False if it is about to end, or as many wait.
    """
    await cursor.execute(
        CONTINUE,
        {
            "origin": origin,
            "token_hash": token_hash,
            "gw_id": gw_id,
            "now": now,
            "most": most,
            "browser_hash": browser_hash,
            "hidden_token": hidden_token,
        },
    )
    return cursor.rowcount == 1
