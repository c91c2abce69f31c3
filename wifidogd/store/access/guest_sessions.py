"""Open sessions as their guests use them: opened at sign-in, shown on the portal, asked to end."""

from __future__ import annotations

from datetime import datetime, timedelta

from wifidogd.domain.guests import GuestSession, OtherDevice, RememberedDevice
from wifidogd.domain.sessions import Octets, Reason
from wifidogd.store.access.remembered_devices import DEVICES
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

OPEN = """
    INSERT INTO sessions (token_hash, gw_id, account_id, url, opened_at, time_limit, quota_octets, allowance_id,
                          claimed_mac, by_mac, probation_until, terms_version, browser_hash, hidden_token)
    VALUES (%(token_hash)s, %(gw_id)s, %(account_id)s, %(url)s, %(now)s, %(time_limit)s, %(quota_octets)s,
            %(allowance_id)s, %(claimed_mac)s, %(by_mac)s, %(probation_until)s, %(terms_version)s,
            %(browser_hash)s, %(hidden_token)s)
"""

FETCH_SESSION = """
    SELECT mine.gw_id AS my_gw_id, mine.ip AS my_ip, mine.mac AS my_mac, mine.url AS my_url,
           mine.activated_at AS my_activated_at, mine.expires_at AS my_expires_at, mine.time_limit AS my_time_limit,
           mine.quota_octets AS my_quota_octets, mine.incoming AS my_incoming, mine.outgoing AS my_outgoing,
           mine.ending IS NOT NULL AS my_is_ending, mine.allowance_id AS my_allowance_id,
           mine.account_id IS NOT NULL AND NOT mine.by_mac AS my_has_account,
           devices.device_id, devices.mac, devices.account_id, devices.voucher_id, remembered_at, devices.expires_at,
           coalesce(accounts.plan, vouchers.plan) AS plan, vouchers.valid_until,
           coalesce(NOT revoked, NOT disabled AND validated_at IS NOT NULL) AS is_welcome,
           others.session_id AS other_session_id, others.mac AS other_mac, others.activated_at AS other_since,
           others.incoming AS other_incoming, others.outgoing AS other_outgoing,
           others.ending IS NOT NULL AS other_is_ending
      FROM sessions AS mine
      LEFT JOIN devices ON devices.device_id = mine.device_id
      LEFT JOIN accounts ON accounts.account_id = devices.account_id
      LEFT JOIN vouchers ON vouchers.voucher_id = devices.voucher_id
      LEFT JOIN sessions AS others
        ON others.allowance_id = mine.allowance_id
       AND others.token_hash <> mine.token_hash
       AND others.activated_at IS NOT NULL
       AND NOT mine.by_mac
     WHERE mine.token_hash = %(token_hash)s
     ORDER BY others.activated_at, others.session_id
     LIMIT 100
"""

ASK_TO_END = """
    UPDATE sessions
       SET ending = coalesce(ending, %(reason)s)
     WHERE token_hash = %(token_hash)s
"""

DISCONNECT = """
    UPDATE sessions
       SET ending = coalesce(sessions.ending, %(reason)s)
      FROM sessions AS mine
     WHERE mine.token_hash = %(token_hash)s
       AND mine.ending IS NULL
       AND NOT mine.by_mac
       AND sessions.allowance_id = mine.allowance_id
       AND sessions.session_id = %(session_id)s
"""


def open_session(
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
    by_mac: bool = False,
    probation_until: datetime | None = None,
    terms_version: int | None = None,
    browser_hash: bytes | None = None,
    hidden_token: bytes | None = None,
) -> None:
    """
    Send a pending session at a gateway.

    @param claimed_mac: the device that the gateway must report, as the redirect named it; None for any.
    @param by_mac: True for a guest of whom only the MAC says who they are.
    @param terms_version: of the terms accepted; None where there are none.
    @param browser_hash: SHA-256 of the secret in the browser's cookie; None for a session that no browser opened.
    @param hidden_token: the token, readable with that secret alone.
    """
    cursor.send(
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
            "by_mac": by_mac,
            "probation_until": probation_until,
            "terms_version": terms_version,
            "browser_hash": browser_hash,
            "hidden_token": hidden_token,
        },
    )


async def fetch_session(cursor: Cursor, token_hash: bytes) -> GuestSession | None:
    """
    Fetch an open session with its remembered device and the other devices on its allowance.

    Of a guest who was let in by the MAC alone neither the account nor other devices are told: it may be imitated.

    @return: None if the token names none.
    """
    await cursor.execute(FETCH_SESSION, {"token_hash": token_hash})
    rows, columns = cursor.fetchall(), cursor.columns
    if not rows:
        return None
    device, other = map(columns.index, ("device_id", "other_session_id"))
    other_in = OTHER_DEVICES.over(columns)
    return SESSIONS.over(columns)(
        rows[0],
        device=None if rows[0][device] is None else DEVICES.over(columns)(rows[0]),
        other_devices=tuple(other_in(row) for row in rows if row[other] is not None),
    )


def ask_to_end(cursor: Cursor, token_hash: bytes, reason: Reason) -> None:
    """Send that the gateway's next report ends a session, so that its last octets are counted."""
    cursor.send(ASK_TO_END, {"token_hash": token_hash, "reason": reason.value})


async def disconnect(cursor: Cursor, token_hash: bytes, session_id: int, reason: Reason) -> bool:
    """
    Ask another device to leave: its gateway's next report ends its session.

    @param token_hash: of an open session on the same allowance, whose guest did not come in by the MAC alone.
    @return: False if no such session draws on that allowance.
    """
    values = {"token_hash": token_hash, "session_id": session_id, "reason": reason.value}
    await cursor.execute(DISCONNECT, values)
    return cursor.rowcount == 1


def _other_device(
    session_id: int, mac: str | None, since: datetime, incoming: int, outgoing: int, is_ending: bool
) -> OtherDevice:
    return OtherDevice(session_id, mac, since, Octets(incoming, outgoing), is_ending)


def _session(
    gw_id: str,
    ip: str | None,
    mac: str | None,
    url: str | None,
    activated_at: datetime | None,
    expires_at: datetime | None,
    time_limit: timedelta | None,
    quota_octets: int | None,
    incoming: int,
    outgoing: int,
    is_ending: bool,
    allowance_id: int | None,
    has_account: bool,
    *,
    device: RememberedDevice | None,
    other_devices: tuple[OtherDevice, ...],
) -> GuestSession:
    return GuestSession(
        gw_id,
        ip,
        mac,
        url,
        activated_at,
        expires_at,
        time_limit,
        quota_octets,
        Octets(incoming, outgoing),
        is_ending,
        allowance_id,
        has_account,
        device,
        other_devices,
    )


SESSIONS = RowReader(_session, prefix="my_")
OTHER_DEVICES = RowReader(_other_device, prefix="other_")
