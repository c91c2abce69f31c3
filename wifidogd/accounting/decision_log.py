"""What the log says of decisions about guests."""

from __future__ import annotations

from wifidogd.domain.decisions import Decision
from wifidogd.domain.sessions import Report
from wifidogd.runtime.rate_limited_log import RateLimitedLog


def log_decision(log: RateLimitedLog, report: Report, decision: Decision) -> None:
    """Log why a guest is kept out; an allowed one is not logged."""
    token, gw_id = report.token[:6], report.gw_id
    if decision.refusal is not None:
        why = decision.refusal.value
        log.warn("token {token} refused at {gw_id}: {why}", token=token, gw_id=gw_id, why=why)
    elif decision.reason is not None:
        why = decision.reason.value
        log.info("session {token} at {gw_id} ended: {why}", token=token, gw_id=gw_id, why=why)
