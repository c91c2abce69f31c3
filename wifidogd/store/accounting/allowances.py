"""Allowances: what is used of them in all, and when it was used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from wifidogd.domain.plans import Allowance
from wifidogd.domain.quotas import Amount, Slot
from wifidogd.domain.sessions import Ended, Octets
from wifidogd.domain.usage import add_octets, time_of
from wifidogd.store.accounting.plans import plan_of
from wifidogd.store.driver.database import Cursor

BY_MINUTE = timedelta(days=2)
"""The longest window whose use is read by the minute; that of longer ones is read by the hour."""

MOST_SLOTS = 3_000
"""More than a window has: 2,880 minutes, or 745 hours of 31 days."""

CLAIM = """
    INSERT INTO allowances AS known (owner, network, plan, valid_until, claimed_at)
    VALUES (%(owner)s, %(network)s, %(plan)s, %(valid_until)s, %(now)s)
        ON CONFLICT (owner) DO UPDATE
       SET plan = excluded.plan,
           claimed_at = excluded.claimed_at,
           valid_until = excluded.valid_until
 RETURNING allowance_id
"""

LOCK_ALLOWANCES = """
    SELECT allowance_id, owner, network, time_zone, first_used_at, allowances.valid_until, used_time, incoming,
           outgoing, revoked,
           plans.name, plans.title, plans.time_limit, time_counts, incoming_octets, outgoing_octets, total_octets,
           devices, when_full, valid_from, plans.valid_until, hours, day_time, day_octets, span, span_time, span_octets
      FROM allowances
      JOIN plans ON plans.name = allowances.plan
      JOIN networks ON networks.name = allowances.network
     WHERE allowance_id = ANY(%(allowance_ids)s::bigint[])
     ORDER BY allowance_id
       FOR UPDATE OF allowances
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

ADD_TO_SLOTS = """
    INSERT INTO allowance_slots AS known (allowance_id, starts_at, used_time, octets)
    SELECT *
      FROM unnest(%(allowance_ids)s::bigint[], %(starts)s::timestamptz[], %(times)s::interval[], %(octets)s::bigint[])
        ON CONFLICT (allowance_id, starts_at) DO UPDATE
       SET used_time = known.used_time + excluded.used_time,
           octets = least(known.octets::numeric + excluded.octets, 9223372036854775807)
"""

FETCH_SLOTS = """
    SELECT max(starts_at), sum(used_time), least(sum(octets), 9223372036854775807)::bigint
      FROM allowance_slots
     WHERE allowance_id = %(allowance_id)s
       AND starts_at > %(after)s
     GROUP BY date_trunc(%(unit)s, starts_at, 'UTC')
     ORDER BY 1
     LIMIT %(most)s
"""

FORGET_SLOTS = """
    DELETE FROM allowance_slots
     WHERE ctid = ANY(ARRAY(
           SELECT ctid
             FROM allowance_slots
            WHERE starts_at < %(before)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED))
"""

FORGET_DEVICE_ALLOWANCES = """
    DELETE FROM allowances
     WHERE allowance_id = ANY(ARRAY(
           SELECT allowance_id
             FROM allowances
            WHERE owner LIKE 'device %%'
              AND claimed_at < %(unused_before)s
              AND (claimed_at < %(before)s OR first_used_at IS NULL)
              AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.allowance_id = allowances.allowance_id)
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED))
"""


async def claim_allowance(
    cursor: Cursor, owner: str, network: str, plan: str, now: datetime, valid_until: datetime | None = None
) -> int:
    """
    Hold the allowance of an owner until the transaction ends; make it if there is none.

    @param plan: the one that holds from now on.
    @return: its number.
    @raise StoreRefused: if there is no such plan or network.
    """
    values = {"owner": owner, "network": network, "plan": plan, "now": now, "valid_until": valid_until}
    await cursor.execute(CLAIM, values)
    [(allowance_id,)] = cursor.fetchall()
    return int(allowance_id)


async def lock_allowances(cursor: Cursor, allowance_ids: Iterable[int]) -> dict[int, Allowance]:
    """
    Fetch allowances and hold their rows until the transaction ends, in the order of their keys.

    Who holds sessions too must have locked those before.
    """
    await cursor.execute(LOCK_ALLOWANCES, {"allowance_ids": sorted(allowance_ids)})
    return {row[0]: allowance_of(row) for row in cursor.fetchall()}


async def begin_use(cursor: Cursor, allowance_ids: Sequence[int], now: datetime) -> None:
    """Start the clock of allowances that are used for the first time."""
    await cursor.execute(BEGIN_USE, {"allowance_ids": list(allowance_ids), "now": now})


async def add_use(cursor: Cursor, endings: Iterable[Ended]) -> None:
    """Add what ended sessions have used to the allowances that they drew on."""
    used: dict[int, tuple[timedelta, Octets]] = {}
    for session in (ended.session for ended in endings):
        if session.allowance_id is not None:
            time, octets = used.get(session.allowance_id, (timedelta(), Octets()))
            used[session.allowance_id] = (time + time_of(session), add_octets(octets, session.used))
    if not used:
        return
    await cursor.execute(HOLD, {"allowance_ids": sorted(used)})
    await cursor.execute(
        ADD_USE,
        {
            "allowance_ids": list(used),
            "times": [time for time, _ in used.values()],
            "incoming": [octets.incoming for _, octets in used.values()],
            "outgoing": [octets.outgoing for _, octets in used.values()],
        },
    )


async def add_to_slots(cursor: Cursor, drawn: Mapping[int, Amount], starts_at: datetime) -> None:
    """Note when allowances were used; all must have been locked in this transaction."""
    await cursor.execute(
        ADD_TO_SLOTS,
        {
            "allowance_ids": list(drawn),
            "starts": [starts_at] * len(drawn),
            "times": [amount.time for amount in drawn.values()],
            "octets": [amount.octets for amount in drawn.values()],
        },
    )


async def fetch_slots(cursor: Cursor, allowance_id: int, now: datetime, span: timedelta) -> list[Slot]:
    """
    Fetch the use of the sliding window that ends now, oldest first.

    An hour of a window longer than L{BY_MINUTE} is said to begin with the
    last minute that was used of it: who is told when they may come back is
    never told too early, and at most an hour too late.
    """
    unit = "minute" if span <= BY_MINUTE else "hour"
    values = {"allowance_id": allowance_id, "after": now - span, "unit": unit, "most": MOST_SLOTS}
    await cursor.execute(FETCH_SLOTS, values)
    return [Slot(starts_at, Amount(time, octets)) for starts_at, time, octets in cursor.fetchall()]


async def forget_slots(cursor: Cursor, before: datetime, limit: int) -> int:
    """
    Delete slots that began before an instant.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_SLOTS, {"before": before, "limit": limit})
    return cursor.rowcount


async def forget_device_allowances(cursor: Cursor, before: datetime, unused_before: datetime, limit: int) -> int:
    """
    Delete the allowances of devices whose guests last signed in before an instant and are not online.

    @param unused_before: a later one; for those that no gateway has ever let in.
    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_DEVICE_ALLOWANCES, {"before": before, "unused_before": unused_before, "limit": limit})
    return cursor.rowcount


def allowance_of(row: tuple[Any, ...]) -> Allowance:
    """Read the row of an allowance, its plan and its network."""
    allowance_id, owner, network, time_zone, first_used_at, valid_until, used_time, incoming, outgoing, revoked = row[
        :10
    ]
    return Allowance(
        allowance_id,
        owner,
        network,
        time_zone,
        plan_of(row[10:]),
        first_used_at,
        valid_until,
        used_time,
        Octets(incoming, outgoing),
        revoked,
    )
