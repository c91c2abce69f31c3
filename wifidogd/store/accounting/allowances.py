"""Allowances: whose they are, and what ended sessions have used of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from wifidogd.domain.plans import Allowance, AllowanceOwner, Plan
from wifidogd.domain.sessions import Ended, Octets
from wifidogd.domain.usage import time_of
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

CLAIM_OF_VOUCHER = """
    INSERT INTO allowances (voucher_id, network, plan, valid_until, claimed_at)
    VALUES (%(voucher_id)s, %(network)s, %(plan)s, %(valid_until)s, %(now)s)
        ON CONFLICT (voucher_id) WHERE voucher_id IS NOT NULL DO UPDATE
       SET plan = excluded.plan, claimed_at = excluded.claimed_at, valid_until = excluded.valid_until
"""

CLAIM_OF_ACCOUNT = """
    INSERT INTO allowances (account_id, network, plan, valid_until, claimed_at)
    VALUES (%(account_id)s, %(network)s, %(plan)s, %(valid_until)s, %(now)s)
        ON CONFLICT (account_id, network) WHERE account_id IS NOT NULL DO UPDATE
       SET plan = excluded.plan, claimed_at = excluded.claimed_at, valid_until = excluded.valid_until
"""

CLAIM_OF_DEVICE = """
    INSERT INTO allowances (mac, network, plan, valid_until, claimed_at)
    VALUES (%(mac)s, %(network)s, %(plan)s, %(valid_until)s, %(now)s)
        ON CONFLICT (mac, network) WHERE mac IS NOT NULL DO UPDATE
       SET plan = excluded.plan, claimed_at = excluded.claimed_at, valid_until = excluded.valid_until
"""

CLAIM_OF_ADDRESS = """
    INSERT INTO allowances (address_hash, network, plan, valid_until, claimed_at)
    VALUES (%(address_hash)s, %(network)s, %(plan)s, %(valid_until)s, %(now)s)
        ON CONFLICT (address_hash, network) WHERE address_hash IS NOT NULL DO UPDATE
       SET plan = excluded.plan, claimed_at = excluded.claimed_at, valid_until = excluded.valid_until
"""

MAKE_NOBODYS = """
    INSERT INTO allowances (network, plan, claimed_at)
    VALUES (%(network)s, %(plan)s, %(now)s)
 RETURNING allowance_id
"""

HOLD_ACCOUNT = """
    SELECT 1
      FROM accounts
     WHERE account_id = %(account_id)s
       FOR KEY SHARE
"""

BEGIN_USE = """
    UPDATE allowances
       SET first_used_at = %(now)s
     WHERE allowance_id = ANY(%(allowance_ids)s::bigint[])
       AND first_used_at IS NULL
"""

HOLD = """
    SELECT 1
      FROM allowances
     WHERE allowance_id = ANY(%(allowance_ids)s::bigint[])
     ORDER BY allowance_id
       FOR UPDATE
"""

ADD_USE = """
    UPDATE allowances
       SET used_time = allowances.used_time + said.used_time,
           incoming = least(allowances.incoming::numeric + said.incoming, 9223372036854775807),
           outgoing = least(allowances.outgoing::numeric + said.outgoing, 9223372036854775807)
      FROM unnest(%(allowance_ids)s::bigint[], %(times)s::interval[], %(incoming)s::bigint[], %(outgoing)s::bigint[])
        AS said (allowance_id, used_time, incoming, outgoing)
     WHERE allowances.allowance_id = said.allowance_id
"""

FORGET_ALLOWANCES = """
    DELETE FROM allowances
     WHERE allowance_id = ANY(ARRAY(
           SELECT allowance_id
             FROM allowances
            WHERE voucher_id IS NULL
              AND account_id IS NULL
              AND address_hash IS NULL
              AND claimed_at < %(unused_before)s
              AND (claimed_at < %(before)s OR first_used_at IS NULL)
              AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.allowance_id = allowances.allowance_id)
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED))
"""


def send_claim(
    cursor: Cursor, owner: AllowanceOwner, network: str, plan: str, now: datetime, valid_until: datetime | None
) -> None:
    """
    Make the allowance of an owner if there is none, and hold it until the transaction ends.

    An account is locked before its allowance, as by those who remove it.

    @param plan: the one that holds from now on.
    """
    values = {"network": network, "plan": plan, "now": now, "valid_until": valid_until}
    if owner.voucher_id is not None:
        cursor.send(CLAIM_OF_VOUCHER, values | {"voucher_id": owner.voucher_id})
    elif owner.account_id is not None:
        cursor.send(HOLD_ACCOUNT, {"account_id": owner.account_id})
        cursor.send(CLAIM_OF_ACCOUNT, values | {"account_id": owner.account_id})
    elif owner.mac is not None:
        cursor.send(CLAIM_OF_DEVICE, values | {"mac": owner.mac})
    elif owner.address_hash is not None:
        cursor.send(CLAIM_OF_ADDRESS, values | {"address_hash": owner.address_hash})
    else:
        raise ValueError("nobody's allowance cannot be claimed")


async def make_nobodys(cursor: Cursor, network: str, plan: str, now: datetime) -> int:
    """Make an allowance without an owner, for one session, and return its allowance_id."""
    await cursor.execute(MAKE_NOBODYS, {"network": network, "plan": plan, "now": now})
    [(allowance_id,)] = cursor.fetchall()
    return int(allowance_id)


def hold_allowances(cursor: Cursor, allowance_ids: Iterable[int]) -> None:
    """
    Lock allowances until the transaction ends, in the order of their keys.

    A transaction that needs sessions too must have locked those before.
    """
    cursor.send(HOLD, {"allowance_ids": sorted(allowance_ids)})


def begin_use(cursor: Cursor, allowance_ids: Sequence[int], now: datetime) -> None:
    """Start the clock of allowances that are used for the first time."""
    cursor.send(BEGIN_USE, {"allowance_ids": list(allowance_ids), "now": now})


def add_use(cursor: Cursor, endings: Iterable[Ended]) -> None:
    """Add what ended sessions have used to the allowances that they drew on."""
    used: dict[int, tuple[timedelta, Octets]] = {}
    for session in (ended.session for ended in endings):
        if session.allowance_id is not None:
            time, octets = used.get(session.allowance_id, (timedelta(), Octets()))
            used[session.allowance_id] = (time + time_of(session), octets + session.used)
    if not used:
        return
    hold_allowances(cursor, used)
    cursor.send(
        ADD_USE,
        {
            "allowance_ids": list(used),
            "times": [time for time, _ in used.values()],
            "incoming": [octets.incoming for _, octets in used.values()],
            "outgoing": [octets.outgoing for _, octets in used.values()],
        },
    )


async def forget_allowances(cursor: Cursor, before: datetime, unused_before: datetime, limit: int) -> int:
    """
    Delete the allowances of devices, and nobody's, that were last claimed before an instant and are not in use.

    @param unused_before: a later one; for those that no gateway has ever let in.
    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_ALLOWANCES, {"before": before, "unused_before": unused_before, "limit": limit})
    return cursor.rowcount


def _allowance(
    allowance_id: int,
    voucher_id: int | None,
    account_id: int | None,
    mac: str | None,
    address_hash: bytes | None,
    network: str,
    time_zone: str,
    first_used_at: datetime | None,
    valid_until: datetime | None,
    used_time: timedelta,
    incoming: int,
    outgoing: int,
    revoked: bool,
    *,
    plan: Plan,
) -> Allowance:
    return Allowance(
        allowance_id,
        AllowanceOwner(voucher_id, account_id, mac, address_hash),
        network,
        time_zone,
        plan,
        first_used_at,
        valid_until,
        used_time,
        Octets(incoming, outgoing),
        revoked,
    )


ALLOWANCES = RowReader(_allowance)
