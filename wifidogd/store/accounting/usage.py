"""What allowances are used for at this moment: their open sessions, and what was used recently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from wifidogd.domain.opening_hours import midnight
from wifidogd.domain.plans import Allowance
from wifidogd.domain.quotas import Amount, Use, is_slotted
from wifidogd.domain.sessions import Octets, Session
from wifidogd.domain.usage import AllowanceUsage, add_octets, device_of, place_of, time_of
from wifidogd.store.accounting.allowances import allowance_of
from wifidogd.store.driver.database import Cursor

_OF_ALLOWANCE = 27
"""Columns of L{FETCH_USAGE} before those of a session."""

LIST_DRAWING = """
    SELECT allowance_id, token_hash, gw_id, mac, opened_at, activated_at, reported_at, incoming, outgoing,
           ending IS NULL AND reported_at >= %(now)s - 3 * (SELECT check_interval
                                                              FROM gateways
                                                             WHERE gateways.gw_id = sessions.gw_id)
      FROM sessions
     WHERE allowance_id = ANY(%(allowance_ids)s::bigint[])
       AND activated_at IS NOT NULL
"""

FETCH_USAGE = """
    SELECT allowances.allowance_id, owner, allowances.network, time_zone, first_used_at, allowances.valid_until,
           used_time, allowances.incoming, allowances.outgoing, revoked,
           plans.name, plans.title, plans.time_limit, time_counts, incoming_octets, outgoing_octets, total_octets,
           devices, when_full, valid_from, plans.valid_until, hours, day_time, day_octets, span, span_time, span_octets,
           token_hash, gw_id, mac, opened_at, activated_at, reported_at, sessions.incoming, sessions.outgoing,
           ending IS NULL AND reported_at >= %(now)s - 3 * (SELECT check_interval
                                                              FROM gateways
                                                             WHERE gateways.gw_id = sessions.gw_id)
      FROM allowances
      JOIN plans ON plans.name = allowances.plan
      JOIN networks ON networks.name = allowances.network
      LEFT JOIN sessions ON sessions.allowance_id = allowances.allowance_id AND activated_at IS NOT NULL
     WHERE allowances.allowance_id = %(allowance_id)s
"""

SUM_RECENT = """
    SELECT said.allowance_id, day_time, day_octets, span_time, span_octets
      FROM unnest(%(allowance_ids)s::bigint[], %(days)s::timestamptz[], %(spans)s::timestamptz[])
        AS said (allowance_id, day, span)
     CROSS JOIN LATERAL (
           SELECT coalesce(sum(used_time) FILTER (WHERE starts_at >= said.day), '0') AS day_time,
                  coalesce(sum(octets) FILTER (WHERE starts_at >= said.day), 0) AS day_octets,
                  coalesce(sum(used_time) FILTER (WHERE starts_at > said.span), '0') AS span_time,
                  coalesce(sum(octets) FILTER (WHERE starts_at > said.span), 0) AS span_octets
             FROM allowance_slots
            WHERE allowance_slots.allowance_id = said.allowance_id
              AND starts_at >= least(said.day, said.span)
     ) AS recent
"""


async def tally_up(cursor: Cursor, allowances: Mapping[int, Allowance], now: datetime) -> dict[int, AllowanceUsage]:
    """
    Say what has been used of allowances, all sessions together.

    Only what was locked before stays as it is said here: the rows are read
    by a statement of their own, after the lock.
    """
    tallies = {
        allowance_id: AllowanceUsage(allowance, Use(allowance.used_time, allowance.used))
        for allowance_id, allowance in allowances.items()
    }
    await cursor.execute(LIST_DRAWING, {"allowance_ids": list(allowances), "now": now})
    for allowance_id, *row, is_live in cursor.fetchall():
        tallies[allowance_id] = _with_session(tallies[allowance_id], _session(row), is_live)
    return await _with_recent_use(cursor, tallies, now)


async def fetch_usage(cursor: Cursor, allowance_id: int, now: datetime) -> AllowanceUsage:
    """
    Fetch one allowance with what has been used of it, in one statement; in two if its plan limits days or windows.

    Nothing of it changes until the transaction ends if L{claim_allowance<wifidogd.store.accounting.allowances>} came
    before.
    """
    await cursor.execute(FETCH_USAGE, {"allowance_id": allowance_id, "now": now})
    rows = cursor.fetchall()
    allowance = allowance_of(rows[0][:_OF_ALLOWANCE])
    usage = AllowanceUsage(allowance, Use(allowance.used_time, allowance.used))
    for *row, is_live in (row[_OF_ALLOWANCE:] for row in rows):
        if row[0] is not None:
            usage = _with_session(usage, _session(row), is_live)
    return (await _with_recent_use(cursor, {allowance_id: usage}, now))[allowance_id]


async def _with_recent_use(
    cursor: Cursor, tallies: dict[int, AllowanceUsage], now: datetime
) -> dict[int, AllowanceUsage]:
    """Add what was used today and in the sliding window, where plans limit that."""
    slotted = [tally.allowance for tally in tallies.values() if is_slotted(tally.allowance.plan)]
    if slotted:
        await cursor.execute(SUM_RECENT, _windows(slotted, now))
        for allowance_id, day_time, day_octets, span_time, span_octets in cursor.fetchall():
            tally = tallies[allowance_id]
            day, span = Amount(day_time, int(day_octets)), Amount(span_time, int(span_octets))
            tallies[allowance_id] = replace(tally, use=replace(tally.use, day=day, span=span))
    return tallies


def _windows(allowances: list[Allowance], now: datetime) -> dict[str, object]:
    return {
        "allowance_ids": [allowance.allowance_id for allowance in allowances],
        "days": [midnight(now, allowance.time_zone) for allowance in allowances],
        "spans": [now - (allowance.plan.span or timedelta()) for allowance in allowances],
    }


def _with_session(tally: AllowanceUsage, session: Session, is_live: bool) -> AllowanceUsage:
    use = replace(
        tally.use,
        time=tally.use.time + time_of(session),
        octets=add_octets(tally.use.octets, session.used),
    )
    online = dict(tally.online)
    if is_live:
        online[device_of(session)] = max(place_of(session), online.get(device_of(session), place_of(session)))
    return AllowanceUsage(tally.allowance, use, online)


def _session(row: list[Any]) -> Session:
    token_hash, gw_id, mac, opened_at, activated_at, reported_at, incoming, outgoing = row
    return Session(
        bytes(token_hash),
        gw_id,
        opened_at,
        mac=mac,
        activated_at=activated_at,
        reported_at=reported_at,
        used=Octets(incoming, outgoing),
    )
