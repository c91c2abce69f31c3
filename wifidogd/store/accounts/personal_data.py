"""
What is stored about one guest, to be shown and to be erased.

The one place that answers a request from the history: a guest's own account
only, by its index, L{MOST} rows at a time.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime

from wifidogd.domain.guests import StoredData, StoredDevice, StoredSession
from wifidogd.domain.sessions import Octets, Reason
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.access.rate_limits import forget_tries_of_devices
from wifidogd.store.accounts.accounts import fetch_account_by_id
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

MOST = 1_000
"""Rows of a kind that one statement reads or changes."""

FIND_OWN = """
    SELECT CASE WHEN NOT by_mac THEN account_id END AS account_id, device_id, by_mac
      FROM sessions
     WHERE token_hash = %(token_hash)s
       AND ending IS DISTINCT FROM %(cut_off)s
"""

FIND_OPEN = """
    SELECT gw_id, mac, ip, url, opened_at, activated_at, ending AS reason, incoming, outgoing
      FROM sessions
     WHERE token_hash = %(token_hash)s
        OR account_id = %(account_id)s
     ORDER BY token_hash <> %(token_hash)s, opened_at DESC
     LIMIT %(most)s
"""

FIND_PAST = """
    SELECT gw_id, mac, ip, opened_at, activated_at, ended_at, reason, incoming, outgoing
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

HOLD_PAST = """
    SELECT ctid::text, gw_id, mac
      FROM past_sessions
     WHERE account_id = %(account_id)s
     LIMIT %(most)s
       FOR UPDATE
"""

ERASE_PAST = """
    UPDATE past_sessions
       SET account_id = NULL, mac = NULL, ip = NULL, allowance_id = NULL
     WHERE ctid = ANY(%(places)s::tid[])
       AND account_id = %(account_id)s
"""
"""In a partitioned table others' rows may have the same ctid."""

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
 RETURNING gw_id, mac, allowance_id
"""

ERASE_ALLOWANCES = """
    UPDATE allowances
       SET account_id = NULL, mac = NULL, address_hash = NULL
     WHERE allowance_id IN (
           SELECT allowance_id
             FROM allowances
            WHERE allowance_id = ANY(%(allowance_ids)s::bigint[]) AND mac IS NOT NULL
               OR account_id = %(account_id)s
               OR address_hash = %(address_hash)s
            ORDER BY allowance_id
              FOR UPDATE)
"""

FORGET_FAREWELLS = """
    DELETE FROM farewells
     USING unnest(%(gw_ids)s::text[], %(macs)s::macaddr[]) AS place (gw_id, mac)
     WHERE farewells.gw_id = place.gw_id
       AND farewells.mac = place.mac
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
class Owner:
    """
    Who an open session belongs to.

    @ivar account_id: None for a guest without an account, and for one who came in by the MAC alone.
    @ivar device_id: the remembered device; None for none.
    @ivar by_mac: True for a guest who came in by the MAC alone.
    """

    account_id: int | None
    device_id: int | None
    by_mac: bool = False


def _session(
    gw_id: str,
    mac: str | None,
    ip: str | None,
    opened_at: datetime,
    activated_at: datetime | None,
    reason: str | None,
    incoming: int,
    outgoing: int,
    url: str | None = None,
    ended_at: datetime | None = None,
) -> StoredSession:
    used = Octets(incoming, outgoing)
    return StoredSession(gw_id, mac, ip, url, opened_at, activated_at, ended_at, reason, used)


SESSIONS = RowReader(_session)
DEVICES = RowReader(StoredDevice)
OWNERS = RowReader(Owner)


async def find_owner(cursor: Cursor, token_hash: bytes) -> Owner | None:
    """
    Return whose an open session is.

    @return: None if the token names none, or one from before the password of its account was changed.
    """
    await cursor.execute(FIND_OWN, {"token_hash": token_hash, "cut_off": Reason.PASSWORD_CHANGED.value})
    return OWNERS.one(cursor)


async def gather(cursor: Cursor, token_hash: bytes, owner: Owner) -> StoredData:
    """
    Fetch what is stored about the guest of an open session.

    Of a guest who came in by the MAC alone it is that session only.
    """
    device_id = None if owner.by_mac else owner.device_id
    whose = {"token_hash": token_hash, "account_id": owner.account_id, "device_id": device_id, "most": MOST}
    account = None if owner.account_id is None else await fetch_account_by_id(cursor, owner.account_id)
    await cursor.execute(FIND_OPEN, whose)
    sessions = SESSIONS.all(cursor)
    if account is not None:
        await cursor.execute(FIND_PAST, whose)
        sessions += SESSIONS.all(cursor)
    await cursor.execute(FIND_DEVICES, whose)
    return StoredData(account, tuple(sessions), tuple(DEVICES.all(cursor)), owner.by_mac)


async def erase_past(cursor: Cursor, account_id: int) -> bool:
    """
    Remove the guest from past sessions; their times and octets stay, for the totals.

    @return: True if there may be more.
    """
    await cursor.execute(HOLD_PAST, {"account_id": account_id, "most": MOST})
    held = cursor.fetchall()
    await cursor.execute(ERASE_PAST, {"places": [place for place, _, _ in held], "account_id": account_id})
    await _forget_traces(cursor, {(gw_id, mac) for _, gw_id, mac in held if mac is not None})
    return len(held) == MOST


async def erase_rest(cursor: Cursor, token_hash: bytes, owner: Owner) -> None:
    """
    Remove the account with its links and devices, and ask its open sessions to end.

    They end with the gateway's next report, and leave as little then as past
    ones (L{wifidogd.store.accounting.sessions.END}).  What a device has used that a
    gateway has reported stays in an allowance that is nobody's.
    """
    account = None
    if owner.account_id is not None:
        await cursor.execute(LOCK_ACCOUNT, {"account_id": owner.account_id})
        account = cursor.fetchone()
        await erase_past(cursor, owner.account_id)
    whose = {"token_hash": token_hash, "account_id": owner.account_id, "erased": Reason.ERASED.value}
    await cursor.execute(ERASE_OPEN, whose)
    met = [row for row in cursor.fetchall() if row[1] is not None]
    email = None if account is None else account[0]
    allowance_ids = [row[2] for row in met if row[2] is not None]
    address_hash = None if email is None else hash_secret(email)
    owners = {"allowance_ids": allowance_ids, "account_id": owner.account_id, "address_hash": address_hash}
    await cursor.execute(ERASE_ALLOWANCES, owners)
    await _forget_traces(cursor, {(gw_id, mac) for gw_id, mac, _ in met})
    await cursor.execute(FORGET_DEVICE, {"device_id": owner.device_id})
    if owner.account_id is not None and account is not None:
        await _remove_account(cursor, owner.account_id, email)


async def _remove_account(cursor: Cursor, account_id: int, email: str | None) -> None:
    """Remove an account with all that refers to it: devices, links, counted tries."""
    await cursor.execute(REMOVE_ACCOUNT, {"account_id": account_id})
    if email is not None:
        await cursor.execute(REMOVE_MAILS, {"email": email})


async def _forget_traces(cursor: Cursor, places: Set[tuple[str, str]]) -> None:
    """Delete the end notices of devices at gateways, and the tries of these devices."""
    values = {"gw_ids": [gw_id for gw_id, _ in places], "macs": [mac for _, mac in places]}
    await cursor.execute(FORGET_FAREWELLS, values)
    await forget_tries_of_devices(cursor, places)
