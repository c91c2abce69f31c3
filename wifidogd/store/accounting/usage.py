"""What is used of allowances at this moment: by ended sessions, by open ones, and recently."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import datetime

from wifidogd.domain.plans import AllowanceOwner
from wifidogd.domain.quotas import Use, is_slotted
from wifidogd.domain.sessions import Session
from wifidogd.domain.usage import AllowanceUsage, arrival_of, device_of, time_of
from wifidogd.store.accounting.allowances import ALLOWANCES, hold_allowances, make_nobodys, send_claim
from wifidogd.store.accounting.plans import plan_of
from wifidogd.store.accounting.recent_use import sum_recent
from wifidogd.store.accounting.sessions import session_of
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

PLANS = RowReader(plan_of, prefix="plan_")
SESSIONS = RowReader(session_of, prefix="session_")

READ_USAGE = """
    SELECT allowances.*, time_zone,
           plans.name AS plan_name, plans.title AS plan_title, plans.time_limit AS plan_time_limit,
           plans.time_counts AS plan_time_counts, plans.incoming_octets AS plan_incoming_octets,
           plans.outgoing_octets AS plan_outgoing_octets, plans.total_octets AS plan_total_octets,
           plans.devices AS plan_devices, plans.when_full AS plan_when_full, plans.valid_from AS plan_valid_from,
           plans.valid_until AS plan_valid_until, plans.hours AS plan_hours, plans.day_time AS plan_day_time,
           plans.day_octets AS plan_day_octets, plans.span AS plan_span, plans.span_time AS plan_span_time,
           plans.span_octets AS plan_span_octets,
           token_hash AS session_token_hash, gw_id AS session_gw_id, sessions.mac AS session_mac,
           opened_at AS session_opened_at, activated_at AS session_activated_at, reported_at AS session_reported_at,
           sessions.incoming AS session_incoming, sessions.outgoing AS session_outgoing,
           ending IS NULL AND reported_at >= %(now)s - 3 * (SELECT check_interval
                                                              FROM gateways
                                                             WHERE gateways.gw_id = sessions.gw_id) AS is_live
      FROM allowances
      JOIN plans ON plans.name = allowances.plan
      JOIN networks ON networks.name = allowances.network
      LEFT JOIN sessions ON sessions.allowance_id = allowances.allowance_id AND activated_at IS NOT NULL
     WHERE allowances.allowance_id = ANY(%(allowance_ids)s::bigint[])
"""

READ_USAGE_OF_OWNER = READ_USAGE.replace(
    "allowances.allowance_id = ANY(%(allowance_ids)s::bigint[])",
    """allowances.voucher_id = %(voucher_id)s
        OR allowances.account_id = %(account_id)s AND allowances.network = %(network)s
        OR allowances.mac = %(mac)s AND allowances.network = %(network)s
        OR allowances.address_hash = %(address_hash)s AND allowances.network = %(network)s""",
)
"""Of the four one is given and the others are NULL, which leaves the planner the index of that one."""


async def claim_allowance(
    cursor: Cursor,
    owner: AllowanceOwner,
    network: str,
    plan: str,
    now: datetime,
    valid_until: datetime | None = None,
) -> AllowanceUsage:
    """
    Return what is used of the allowance of an owner, and hold it until the transaction ends; make it if there is none.

    @param plan: the one that holds from now on.
    @raise StoreRefused: if there is no such plan, network, voucher or account.
    """
    send_claim(cursor, owner, network, plan, now, valid_until)
    values = {each.name: getattr(owner, each.name) for each in fields(owner)}
    await cursor.execute(READ_USAGE_OF_OWNER, values | {"network": network, "now": now})
    [usage] = (await _usage(cursor, now)).values()
    return usage


async def claim_nobodys(cursor: Cursor, network: str, plan: str, now: datetime) -> AllowanceUsage:
    """
    Make an allowance for one session of a guest of whom nothing is known for certain, not even the device.

    @raise StoreRefused: if there is no such plan or network.
    """
    return await fetch_usage(cursor, await make_nobodys(cursor, network, plan, now), now)


async def lock_usage(cursor: Cursor, allowance_ids: Iterable[int], now: datetime) -> dict[int, AllowanceUsage]:
    """
    Return what is used of allowances, by allowance_id, and hold them until the transaction ends.

    A transaction that needs sessions too must have locked those before.
    """
    # The lock and the sums are two statements on one way: a statement that did both would see the sessions as they
    # were before it waited for the lock, and miss what the holder of the lock has added.
    ordered = sorted(allowance_ids)
    hold_allowances(cursor, ordered)
    await cursor.execute(READ_USAGE, {"allowance_ids": ordered, "now": now})
    return await _usage(cursor, now)


async def fetch_usage(cursor: Cursor, allowance_id: int, now: datetime) -> AllowanceUsage:
    """Return what is used of an allowance that a session draws on."""
    await cursor.execute(READ_USAGE, {"allowance_ids": [allowance_id], "now": now})
    return (await _usage(cursor, now))[allowance_id]


async def _usage(cursor: Cursor, now: datetime) -> dict[int, AllowanceUsage]:
    """Add up the rows of L{READ_USAGE}: one for each open session of an allowance, and one at least."""
    columns = cursor.columns
    allowance_in, plan_in, session_in = ALLOWANCES.over(columns), PLANS.over(columns), SESSIONS.over(columns)
    key, session, is_live = map(columns.index, ("allowance_id", "session_token_hash", "is_live"))
    found: dict[int, AllowanceUsage] = {}
    for row in cursor.fetchall():
        if row[key] not in found:
            allowance = allowance_in(row, plan=plan_in(row))
            found[row[key]] = AllowanceUsage(allowance, Use(allowance.used_time, allowance.used))
        if row[session] is not None:
            found[row[key]] = _with_session(found[row[key]], session_in(row), row[is_live])
    slotted = [usage.allowance for usage in found.values() if is_slotted(usage.allowance.plan)]
    if slotted:
        for allowance_id, (day, span) in (await sum_recent(cursor, slotted, now)).items():
            usage = found[allowance_id]
            found[allowance_id] = replace(usage, use=replace(usage.use, day=day, span=span))
    return found


def _with_session(usage: AllowanceUsage, session: Session, is_live: bool) -> AllowanceUsage:
    use = replace(
        usage.use,
        time=usage.use.time + time_of(session),
        octets=usage.use.octets + session.used,
    )
    online = dict(usage.online)
    if is_live:
        online[device_of(session)] = max(arrival_of(session), online.get(device_of(session), arrival_of(session)))
    return AllowanceUsage(usage.allowance, use, online)
