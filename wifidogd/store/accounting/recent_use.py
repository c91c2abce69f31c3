"""When allowances were used, for limits of a day or a sliding window: minute by minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from wifidogd.domain.opening_hours import midnight
from wifidogd.domain.plans import Allowance
from wifidogd.domain.quotas import Amount, Slot
from wifidogd.store.driver.database import Cursor

BY_MINUTE = timedelta(days=2)
"""The longest window whose use is read by the minute; that of longer ones is read by the hour."""

MOST_SLOTS = 3_000
"""More than a window has: 2,880 minutes, or 745 hours of 31 days."""

ADD_TO_SLOTS = """
    INSERT INTO allowance_slots AS known (allowance_id, starts_at, used_time, octets)
    SELECT *
      FROM unnest(%(allowance_ids)s::bigint[], %(starts)s::timestamptz[], %(times)s::interval[], %(octets)s::bigint[])
        ON CONFLICT (allowance_id, starts_at) DO UPDATE
       SET used_time = known.used_time + excluded.used_time,
           octets = least(known.octets::numeric + excluded.octets, 9223372036854775807)
"""

SUM_RECENT = """
    SELECT said.allowance_id, day_time, day_octets, span_time, span_octets
      FROM unnest(%(allowance_ids)s::bigint[], %(days)s::timestamptz[], %(spans)s::timestamptz[])
        AS said (allowance_id, day, span)
     CROSS JOIN LATERAL (
           SELECT coalesce(sum(used_time) FILTER (WHERE starts_at >= said.day), '0') AS day_time,
                  least(coalesce(sum(octets) FILTER (WHERE starts_at >= said.day), 0),
                        9223372036854775807)::bigint AS day_octets,
                  coalesce(sum(used_time) FILTER (WHERE starts_at > said.span), '0') AS span_time,
                  least(coalesce(sum(octets) FILTER (WHERE starts_at > said.span), 0),
                        9223372036854775807)::bigint AS span_octets
             FROM allowance_slots
            WHERE allowance_slots.allowance_id = said.allowance_id
              AND starts_at >= least(said.day, said.span)
     ) AS recent
"""

FETCH_SLOTS = """
    SELECT max(starts_at) AS starts_at, sum(used_time) AS used_time,
           least(sum(octets), 9223372036854775807)::bigint AS octets
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


def add_to_slots(cursor: Cursor, drawn: Mapping[int, Amount], starts_at: datetime) -> None:
    """Record when allowances were used; all must have been locked in this transaction."""
    cursor.send(
        ADD_TO_SLOTS,
        {
            "allowance_ids": list(drawn),
            "starts": [starts_at] * len(drawn),
            "times": [amount.time for amount in drawn.values()],
            "octets": [amount.octets for amount in drawn.values()],
        },
    )


async def sum_recent(
    cursor: Cursor, allowances: Sequence[Allowance], now: datetime
) -> dict[int, tuple[Amount, Amount]]:
    """
    Return what was used of allowances today, in their time zones, and in their sliding windows, by allowance_id.

    Use that open sessions have reported is part of it.
    """
    values = {
        "allowance_ids": [allowance.allowance_id for allowance in allowances],
        "days": [midnight(now, allowance.time_zone) for allowance in allowances],
        "spans": [now - (allowance.plan.span or timedelta()) for allowance in allowances],
    }
    await cursor.execute(SUM_RECENT, values)
    return {
        allowance_id: (Amount(day_time, day_octets), Amount(span_time, span_octets))
        for allowance_id, day_time, day_octets, span_time, span_octets in cursor.fetchall()
    }


async def fetch_slots(cursor: Cursor, allowance_id: int, now: datetime, span: timedelta) -> list[Slot]:
    """
    Fetch the use of the sliding window that ends now, oldest first.

    An hour of a window longer than L{BY_MINUTE} begins with the last minute
    in which something was used: a guest who asks when to come back is never
    told too early, and at most an hour too late.
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
