"""Devices that may come back without a form: remembered with a session, and forgotten."""

from __future__ import annotations

from datetime import datetime

from wifidogd.domain.guests import RememberedDevice
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

REMEMBER = """
    WITH device AS (
        INSERT INTO devices (key_hash, network, account_id, voucher_id, remembered_at, expires_at)
        SELECT %(key_hash)s, %(network)s, %(account_id)s, %(voucher_id)s, %(now)s, %(until)s
          FROM sessions
         WHERE token_hash = %(token_hash)s
     RETURNING device_id
    )
    UPDATE sessions
       SET device_id = device.device_id
      FROM device
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


DEVICES = RowReader(RememberedDevice)


def remember_device(
    cursor: Cursor,
    token_hash: bytes,
    key_hash: bytes,
    network: str,
    *,
    account_id: int | None = None,
    voucher_id: int | None = None,
    now: datetime,
    until: datetime,
) -> None:
    """
    Send that the device of an open session is remembered for an account or a voucher.

    Without such a session nothing is remembered.

    @param key_hash: SHA-256 of the secret in its cookie.
    """
    values: dict[str, object] = {
        "token_hash": token_hash,
        "key_hash": key_hash,
        "network": network,
        "account_id": account_id,
        "voucher_id": voucher_id,
        "now": now,
        "until": until,
    }
    cursor.send(REMEMBER, values)


def attach_device(cursor: Cursor, token_hash: bytes, device_id: int) -> None:
    """Send that a session belongs to a device that is remembered already."""
    cursor.send(ATTACH, {"token_hash": token_hash, "device_id": device_id})


async def forget_device(cursor: Cursor, token_hash: bytes) -> bool:
    """
    Delete the device of an open session.

    @return: False if it was not remembered.
    """
    await cursor.execute(FORGET, {"token_hash": token_hash})
    return cursor.rowcount == 1


def forget_key(cursor: Cursor, key_hash: bytes) -> None:
    """Send that the device with a secret is forgotten, if it is known."""
    cursor.send(FORGET_KEY, {"key_hash": key_hash})


async def forget_devices_of(cursor: Cursor, account_id: int) -> None:
    """Delete all devices on which somebody signed in by an account."""
    await cursor.execute(FORGET_ACCOUNT, {"account_id": account_id})


async def forget_old_devices(cursor: Cursor, *, now: datetime, unseen_since: datetime, limit: int) -> int:
    """
    Delete devices that have expired, and those that no gateway has let in.

    @param unseen_since: the latter only if they were remembered before then.
    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_OLD, {"now": now, "unseen_since": unseen_since, "limit": limit})
    return cursor.rowcount
