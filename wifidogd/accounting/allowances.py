"""What a batch of reports reads and writes of allowances; nothing where no session has one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from wifidogd.accounting.batch import ReportBatch
from wifidogd.domain.guests import EndNotice
from wifidogd.domain.quotas import Limit, judge, slot_of
from wifidogd.domain.sessions import Ended, Reason, Session
from wifidogd.domain.usage import AllowanceUsage
from wifidogd.store.access.end_notices import save_end_notices
from wifidogd.store.accounting.allowances import begin_use
from wifidogd.store.accounting.recent_use import add_to_slots, fetch_slots
from wifidogd.store.accounting.usage import lock_usage
from wifidogd.store.driver.database import Cursor

_TOLD = {limit.value for limit in Limit} | {Reason.NOT_VALIDATED}
"""Reasons that the next page tells the guest of."""


async def lock_allowances_of(cursor: Cursor, sessions: Iterable[Session], now: datetime) -> dict[int, AllowanceUsage]:
    """
    Lock the allowances of locked sessions, and return what is used of them.

    @return: by allowance_id.
    """
    allowance_ids = {session.allowance_id for session in sessions if session.allowance_id is not None}
    if not allowance_ids:
        return {}
    return await lock_usage(cursor, allowance_ids, now)


async def write_usage(cursor: Cursor, reports: ReportBatch, now: datetime) -> None:
    """Send what a batch has changed besides sessions: first uses, recent use, and end notices."""
    if reports.begun:
        begin_use(cursor, reports.begun, now)
    if reports.drawn:
        add_to_slots(cursor, reports.drawn, slot_of(now))
    notices = {}
    for ended in reports.ended:
        mac, reason = ended.session.mac, ended.reason
        if mac is not None and (reason in _TOLD or ended.session.token_hash in reports.displaced):
            back_at = await _back_at(cursor, reports, ended, now)
            notices[ended.session.gw_id, mac] = EndNotice(ended.session.gw_id, mac, reason, ended.at, back_at)
    if notices:
        await save_end_notices(cursor, list(notices.values()))


async def _back_at(cursor: Cursor, reports: ReportBatch, ended: Ended, now: datetime) -> datetime | None:
    """Return when a guest may come back: at once if only the session's own limit was reached."""
    verdict = reports.verdicts.get(ended.session.token_hash)
    if verdict is None:
        return ended.at
    usage = reports.usage_of(ended.session)
    if usage is None or usage.allowance.plan.span is None or verdict.limit not in (Limit.SPAN, Limit.DAY):
        return verdict.back_at
    slots = await fetch_slots(cursor, usage.allowance.allowance_id, now, usage.allowance.plan.span)
    lifts = judge(usage.allowance, usage.use, now, slots)
    return verdict.back_at if lifts is None else lifts.back_at
