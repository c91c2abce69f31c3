"""
What is stored about one guest: looked at, and erased.

The one place that answers a request from the history: a guest's own account
only, by its index, L{MOST} rows at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wifidogd.model import Octets, Reason
from wifidogd.store.accounts import Account, fetch_account_by_id
from wifidogd.store.database import Cursor

MOST = 1_000
"""Rows of a kind that one statement reads or changes."""

FIND_OWN = """
    SELECT account_id, device_id
      FROM sessions
     WHERE token_hash = %(token_hash)s
"""

FIND_OPEN = """
    SELECT gw_id, mac, ip, url, opened_at, activated_at, NULL, ending, incoming, outgoing
      FROM sessions
     WHERE token_hash = %(token_hash)s
        OR account_id = %(account_id)s
     ORDER BY token_hash <> %(token_hash)s, opened_at DESC
     LIMIT %(most)s
"""

FIND_PAST = """
    SELECT gw_id, mac, ip, NULL, opened_at, activated_at, ended_at, reason, incoming, outgoing
      FROM past_sessions
     WHERE account_id = %(account_id)s
     ORDER BY ended_at DESC
     LIMIT %(most)s
"""

FIND_DEVICES = """
    SELECT network, mac, remembered_at, expires_at
      FROM devices
     WHERE device_id = %(device_id)s
        OR account_id = %(account_id)s
     ORDER BY remembered_at DESC
     LIMIT %(most)s
"""

LOCK_ACCOUNT = """
    SELECT email
      FROM accounts
     WHERE account_id = %(account_id)s
       FOR UPDATE
"""

ERASE_PAST = """
    UPDATE past_sessions
       SET account_id = NULL, mac = NULL, ip = NULL, allowance_id = NULL
     WHERE ctid = ANY(ARRAY(
           SELECT ctid
             FROM past_sessions
            WHERE account_id = %(account_id)s
            LIMIT %(most)s
              FOR UPDATE))
"""

ERASE_OPEN = """
    UPDATE sessions
       SET ending = %(erased)s, account_id = NULL, device_id = NULL, url = NULL
     WHERE token_hash IN (
           SELECT token_hash
             FROM sessions
            WHERE token_hash = %(token_hash)s
               OR account_id = %(account_id)s
            ORDER BY token_hash
              FOR UPDATE)
"""

FORGET_DEVICE = """
    DELETE FROM devices
     WHERE device_id = %(device_id)s
"""

REMOVE_ACCOUNT = """
    DELETE FROM accounts
     WHERE account_id = %(account_id)s
"""

REMOVE_MAILS = """
    DELETE FROM mails
     WHERE recipient = %(email)s
"""


@dataclass(frozen=True, slots=True)
class StoredStay:
    """
    A session of the guest.

    @ivar url: the page first wanted; kept of open sessions only.
    @ivar ended_at: None for an open one.
    @ivar reason: why it ended, or is about to; None for one that goes on.
    """

    gw_id: str
    mac: str | None
    ip: str | None
    url: str | None
    opened_at: datetime
    activated_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    used: Octets


@dataclass(frozen=True, slots=True)
class StoredDevice:
    """A device that may come back without a form; C{mac} is None until a gateway has reported it."""

    network: str
    mac: str | None
    remembered_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """
    All that is stored about a guest.

    @ivar account: None for who has signed in without.
    @ivar stays: open ones, that of the token first, then past ones of the account from the last on; L{MOST} of each.
    """

    account: Account | None
    stays: tuple[StoredStay, ...]
    devices: tuple[StoredDevice, ...]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who an open session belongs to: an account and a remembered device, each None for none."""

    account_id: int | None
    device_id: int | None


async def find_owner(cursor: Cursor, token_hash: bytes) -> Owner | None:
    """Tell whose an open session is; None if the token names none."""
    await cursor.execute(FIND_OWN, {"token_hash": token_hash})
    row = cursor.fetchone()
    return None if row is None else Owner(*row)


async def gather(cursor: Cursor, token_hash: bytes, owner: Owner) -> Stored:
    """Fetch what is stored about the guest of an open session."""
    whose = {"token_hash": token_hash, "account_id": owner.account_id, "device_id": owner.device_id, "most": MOST}
    account = None if owner.account_id is None else await fetch_account_by_id(cursor, owner.account_id)
    await cursor.execute(FIND_OPEN, whose)
    rows = cursor.fetchall()
    if account is not None:
        await cursor.execute(FIND_PAST, whose)
        rows += cursor.fetchall()
    await cursor.execute(FIND_DEVICES, whose)
    devices = tuple(StoredDevice(*row) for row in cursor.fetchall())
    return Stored(account, tuple(map(_stay, rows)), devices)


def _stay(row: tuple[Any, ...]) -> StoredStay:
    fields: list[Any] = list(row)
    fields[8:] = [Octets(*fields[8:])]
    return StoredStay(*fields)


async def erase_past(cursor: Cursor, account_id: int) -> bool:
    """
    Take the guest out of past sessions; when they were and what they used stays, for the totals.

    @return: True if there may be more.
    """
    await cursor.execute(ERASE_PAST, {"account_id": account_id, "most": MOST})
    return cursor.rowcount == MOST


async def erase_rest(cursor: Cursor, token_hash: bytes, owner: Owner) -> None:
    """
    Remove the account with its links and devices, and ask its open sessions to end.

    They end with the gateway's next report, and leave as little then as past
    ones (L{wifidogd.store.sessions.END}).
    """
    whose = {"token_hash": token_hash, "account_id": owner.account_id, "device_id": owner.device_id}
    email = None
    if owner.account_id is not None:
        await cursor.execute(LOCK_ACCOUNT, whose)
        row = cursor.fetchone()
        email = None if row is None else row[0]
        await erase_past(cursor, owner.account_id)
    await cursor.execute(ERASE_OPEN, {**whose, "erased": Reason.ERASED.value})
    await cursor.execute(FORGET_DEVICE, whose)
    if owner.account_id is not None:
        await cursor.execute(REMOVE_ACCOUNT, whose)
    if email is not None:
        await cursor.execute(REMOVE_MAILS, {"email": email})
