"""Plans: limits that allowances are bound by."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta

from wifidogd.domain.plans import Plan, TimeCounts, WhenFull
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

FETCH_PLANS = """
    SELECT name, title, time_limit, time_counts, incoming_octets, outgoing_octets, total_octets, devices, when_full,
           valid_from, valid_until, hours, day_time, day_octets, span, span_time, span_octets
      FROM plans
     ORDER BY name
     LIMIT 10000
"""

SAVE_PLAN = """
    INSERT INTO plans AS known (name, title, time_limit, time_counts, incoming_octets, outgoing_octets, total_octets,
                                devices, when_full, valid_from, valid_until, hours, day_time, day_octets, span,
                                span_time, span_octets)
    VALUES (%(name)s, %(title)s, %(time_limit)s, %(time_counts)s, %(incoming_octets)s, %(outgoing_octets)s,
            %(total_octets)s, %(devices)s, %(when_full)s, %(valid_from)s, %(valid_until)s, %(hours)s, %(day_time)s,
            %(day_octets)s, %(span)s, %(span_time)s, %(span_octets)s)
        ON CONFLICT (name) DO UPDATE
       SET title = excluded.title,
           time_limit = excluded.time_limit,
           time_counts = excluded.time_counts,
           incoming_octets = excluded.incoming_octets,
           outgoing_octets = excluded.outgoing_octets,
           total_octets = excluded.total_octets,
           devices = excluded.devices,
           when_full = excluded.when_full,
           valid_from = excluded.valid_from,
           valid_until = excluded.valid_until,
           hours = excluded.hours,
           day_time = excluded.day_time,
           day_octets = excluded.day_octets,
           span = excluded.span,
           span_time = excluded.span_time,
           span_octets = excluded.span_octets
 RETURNING known.xmax = 0
"""

FIND_USERS = """
    SELECT (SELECT count(*) FROM networks WHERE plan = %(name)s),
           (SELECT count(*) FROM accounts WHERE plan = %(name)s),
           (SELECT count(*) FROM vouchers WHERE plan = %(name)s),
           (SELECT count(*) FROM allowances WHERE plan = %(name)s)
"""

COUNT_ONLINE = """
    SELECT count(*)
      FROM sessions
      JOIN allowances USING (allowance_id)
     WHERE allowances.plan = %(name)s
       AND sessions.activated_at IS NOT NULL
"""

REMOVE_PLAN = """
    DELETE FROM plans
     WHERE name = %(name)s
"""


async def fetch_plans(cursor: Cursor) -> list[Plan]:
    """Fetch all plans by name, 10,000 at most."""
    await cursor.execute(FETCH_PLANS)
    return PLANS.all(cursor)


async def save_plan(cursor: Cursor, plan: Plan) -> bool:
    """
    Make a plan, or replace all that is known about it; it holds at once.

    @return: True if it was new.
    @raise StoreRefused: if a value is outside the bounds of the schema.
    """
    values: dict[str, object] = {field.name: getattr(plan, field.name) for field in fields(plan)}
    values |= {"time_counts": plan.time_counts.value, "when_full": plan.when_full.value}
    await cursor.execute(SAVE_PLAN, values)
    [(is_new,)] = cursor.fetchall()
    return bool(is_new)


async def count_users(cursor: Cursor, name: str) -> tuple[int, int, int, int]:
    """Count the networks, accounts, vouchers and allowances that need a plan."""
    await cursor.execute(FIND_USERS, {"name": name})
    [(networks, accounts, vouchers, allowances)] = cursor.fetchall()
    return networks, accounts, vouchers, allowances


async def count_online(cursor: Cursor, name: str) -> int:
    """Count the guests online for whom a plan holds."""
    await cursor.execute(COUNT_ONLINE, {"name": name})
    [(number,)] = cursor.fetchall()
    return int(number)


async def remove_plan(cursor: Cursor, name: str) -> bool:
    """
    Remove a plan that nothing needs.

    @return: False if there is none of that name.
    @raise StoreRefused: if something needs it.
    """
    await cursor.execute(REMOVE_PLAN, {"name": name})
    return cursor.rowcount == 1


def plan_of(
    name: str,
    title: str,
    time_limit: timedelta | None,
    time_counts: str,
    incoming_octets: int | None,
    outgoing_octets: int | None,
    total_octets: int | None,
    devices: int | None,
    when_full: str,
    valid_from: datetime | None,
    valid_until: datetime | None,
    hours: str,
    day_time: timedelta | None,
    day_octets: int | None,
    span: timedelta | None,
    span_time: timedelta | None,
    span_octets: int | None,
) -> Plan:
    """Return the plan that a row of the table stands for."""
    return Plan(
        name,
        title,
        time_limit,
        TimeCounts(time_counts),
        incoming_octets,
        outgoing_octets,
        total_octets,
        devices,
        WhenFull(when_full),
        valid_from,
        valid_until,
        hours,
        day_time,
        day_octets,
        span,
        span_time,
        span_octets,
    )


PLANS = RowReader(plan_of)
