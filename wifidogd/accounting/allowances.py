"""What a batch of reports reads and writes of allowances; nothing at all where no session has one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from wifidogd.accounting.batch import ReportBatch
from wifidogd.domain.quotas import Limit, judge, slot_of
from wifidogd.domain.sessions import Ended, Reason, Session
from wifidogd.domain.usage import AllowanceUsage
from wifidogd.store.access.end_notices import EndNotice, save_farewells
from wifidogd.store.accounting.allowances import begin_use
from wifidogd.store.accounting.recent_use import add_to_slots, fetch_slots
from wifidogd.store.accounting.usage import lock_usage
from wifidogd.store.driver.database import Cursor

_TOLD = {limit.value for limit in Limit} | {Reason.NOT_VALIDATED}
"""Ends that guests are told of at the next page they see."""


async def open_books(cursor: Cursor, sessions: Iterable[Session], now: datetime) -> dict[int, AllowanceUsage]:
    """
    Lock the allowances of locked sessions, and say what has been used of them.

    @return: by allowance_id.
    """
    allowance_ids = {session.allowance_id for session in sessions if session.allowance_id is not None}
    if not allowance_ids:
        return {}
    return await lock_usage(cursor, allowance_ids, now)


async def close_books(cursor: Cursor, settlement: ReportBatch, now: datetime) -> None:
    """Write what a batch has changed, besides sessions: first uses, recent use, and farewells."""
    if settlement.begun:
        begin_use(cursor, settlement.begun, now)
    if settlement.drawn:
        add_to_slots(cursor, settlement.drawn, slot_of(now))
    farewells = {}
    for ended in settlement.ended:
        mac, reason = ended.session.mac, ended.reason
        if mac is not None and (reason in _TOLD or ended.session.token_hash in settlement.displaced):
            back_at = await _back_at(cursor, settlement, ended, now)
            farewells[ended.session.gw_id, mac] = EndNotice(ended.session.gw_id, mac, reason, ended.at, back_at)
    if farewells:
        await save_farewells(cursor, list(farewells.values()))


async def _back_at(cursor: Cursor, settlement: ReportBatch, ended: Ended, now: datetime) -> datetime | None:
    """Say when a guest may come back: at once, if only the stay was too long or too big."""
    verdict = settlement.verdicts.get(ended.session.token_hash)
    if verdict is None:
        return ended.at
    tally = settlement.tally_of(ended.session)
    if tally is None or tally.allowance.plan.span is None or verdict.limit not in (Limit.SPAN, Limit.DAY):
        return verdict.back_at
    slots = await fetch_slots(cursor, tally.allowance.allowance_id, now, tally.allowance.plan.span)
    lifts = judge(tally.allowance, tally.use, now, slots)
    return verdict.back_at if lifts is None else lifts.back_at
