"""Devices that may come back without a form: remembered with a session, met by a gateway, found again, forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wifidogd.store.driver.database import Cursor

REMEMBER = """
    WITH stay AS (
        SELECT sessions.account_id, voucher_id
          FROM sessions
          LEFT JOIN allowances USING (allowance_id)
         WHERE token_hash = %(token_hash)s
           AND (sessions.account_id IS NOT NULL OR voucher_id IS NOT NULL)
    ), device AS (
        INSERT INTO devices (key_hash, network, account_id, voucher_id, remembered_at, expires_at)
        SELECT %(key_hash)s, %(network)s, account_id, voucher_id, %(now)s, %(until)s
          FROM stay
     RETURNING device_id
    )
    UPDATE sessions
       SET device_id = device.device_id
      FROM device
     WHERE token_hash = %(token_hash)s
"""

BY_KEY = """
    SELECT device_id, mac, account_id, voucher_id, remembered_at, expires_at, coalesce(accounts.plan, vouchers.plan),
           vouchers.valid_until,
           coalesce(NOT revoked, NOT disabled AND validated_at IS NOT NULL)
      FROM devices
      LEFT JOIN accounts USING (account_id)
      LEFT JOIN vouchers USING (voucher_id)
     WHERE key_hash = %(key_hash)s
       AND devices.network = %(network)s
"""

BY_MAC = """
    SELECT device_id, mac, account_id, voucher_id, remembered_at, expires_at, coalesce(accounts.plan, vouchers.plan),
           vouchers.valid_until,
           coalesce(NOT revoked, NOT disabled AND validated_at IS NOT NULL)
      FROM devices
      LEFT JOIN accounts USING (account_id)
      LEFT JOIN vouchers USING (voucher_id)
     WHERE devices.network = %(network)s
       AND mac = %(mac)s
     ORDER BY remembered_at DESC
     LIMIT 1
"""

BY_SESSION = """
    SELECT device_id, devices.mac, devices.account_id, voucher_id, remembered_at, devices.expires_at,
           coalesce(accounts.plan, vouchers.plan), vouchers.valid_until,
           coalesce(NOT revoked, NOT disabled AND validated_at IS NOT NULL)
      FROM sessions
      JOIN devices USING (device_id)
      LEFT JOIN accounts ON accounts.account_id = devices.account_id
      LEFT JOIN vouchers USING (voucher_id)
     WHERE token_hash = %(token_hash)s
"""

ATTACH = """
    UPDATE sessions
       SET device_id = %(device_id)s
     WHERE token_hash = %(token_hash)s
"""

FORGET = """
    DELETE FROM devices
     WHERE device_id = (SELECT device_id FROM sessions WHERE token_hash = %(token_hash)s)
"""

FORGET_KEY = """
    DELETE FROM devices
     WHERE key_hash = %(key_hash)s
"""

FORGET_ACCOUNT = """
    DELETE FROM devices
     WHERE account_id = %(account_id)s
"""

FORGET_OLD = """
    DELETE FROM devices
     WHERE device_id IN (
           SELECT device_id
             FROM devices
            WHERE expires_at <= %(now)s OR NOT seen AND remembered_at < %(unseen_since)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Device:
    """
    A device that is remembered, and by whom it was used.

    @ivar mac: as a gateway reported it; None until then, or when the gateway could not tell.
    @ivar account_id: None unless its guest signed in by account.
    @ivar voucher_id: None unless its guest signed in by voucher; one of both is known.
    @ivar remembered_at: when its guest signed in with a form.
    @ivar plan: of the account or voucher; None for that of the network.
    @ivar valid_until: of the voucher; None for no end of its own.
    @ivar is_welcome: False while the account is locked or its address not validated, or the voucher was taken back.
    """

    device_id: int
    mac: str | None
    account_id: int | None
    voucher_id: int | None
    remembered_at: datetime
    expires_at: datetime
    plan: str | None = None
    valid_until: datetime | None = None
    is_welcome: bool = True


async def remember_device(
    cursor: Cursor, token_hash: bytes, key_hash: bytes, network: str, *, now: datetime, until: datetime
) -> bool:
    """
    Remember the device of an open session, for who signed in by account or voucher.

    @param key_hash: SHA-256 of the secret in its cookie.
    @return: False if there is no such session.
    """
    values = {"token_hash": token_hash, "key_hash": key_hash, "network": network, "now": now, "until": until}
    await cursor.execute(REMEMBER, values)
    return cursor.rowcount == 1


async def find_by_key(cursor: Cursor, network: str, key_hash: bytes) -> Device | None:
    """Find a device by the secret in its cookie; also one that has expired."""
    await cursor.execute(BY_KEY, {"network": network, "key_hash": key_hash})
    row = cursor.fetchone()
    return None if row is None else Device(*row)


async def find_by_mac(cursor: Cursor, network: str, mac: str) -> Device | None:
    """Find the device that a gateway has last reported with a MAC; also one that has expired."""
    await cursor.execute(BY_MAC, {"network": network, "mac": mac})
    row = cursor.fetchone()
    return None if row is None else Device(*row)


async def find_by_session(cursor: Cursor, token_hash: bytes) -> Device | None:
    """Find the device of an open session, if it is remembered; also one that has expired."""
    await cursor.execute(BY_SESSION, {"token_hash": token_hash})
    row = cursor.fetchone()
    return None if row is None else Device(*row)


async def attach_device(cursor: Cursor, token_hash: bytes, device_id: int) -> None:
    """Note that a session is of a device that is remembered already."""
    await cursor.execute(ATTACH, {"token_hash": token_hash, "device_id": device_id})


async def forget_device(cursor: Cursor, token_hash: bytes) -> bool:
    """
    Forget the device of an open session.

    @return: False if it was not remembered.
    """
    await cursor.execute(FORGET, {"token_hash": token_hash})
    return cursor.rowcount == 1


async def forget_key(cursor: Cursor, key_hash: bytes) -> None:
    """Forget the device with a secret, if it is known."""
    await cursor.execute(FORGET_KEY, {"key_hash": key_hash})


async def forget_devices_of(cursor: Cursor, account_id: int) -> None:
    """Forget all devices on which somebody signed in by an account."""
    await cursor.execute(FORGET_ACCOUNT, {"account_id": account_id})


async def forget_old_devices(cursor: Cursor, *, now: datetime, unseen_since: datetime, limit: int) -> int:
    """
    Forget devices whose time is over, and those that no gateway has let in.

    @param unseen_since: the latter only if remembered before then.
    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_OLD, {"now": now, "unseen_since": unseen_since, "limit": limit})
    return cursor.rowcount
