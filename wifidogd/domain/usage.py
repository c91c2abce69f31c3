"""An allowance with what its sessions use of it and the devices that are online on it, as reports come in; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from wifidogd.domain.plans import Allowance, WhenFull
from wifidogd.domain.quotas import NOTHING, Amount, Limit, Use, Verdict, judge
from wifidogd.domain.sessions import Octets, Session

UNUSED = Use()

Arrival = tuple[datetime, bytes]
"""Since when a device has been online, and the token hash of its session: the later one is greater."""


@dataclass(frozen=True, slots=True)
class AllowanceUsage:
    """
    What is known of an allowance at one moment.

    @ivar online: the devices that use it now, by MAC, or by token hash while nobody knows the MAC.
    """

    allowance: Allowance
    use: Use = UNUSED
    online: Mapping[str, Arrival] = field(default_factory=dict)

    def enter(self, before: Session, after: Session, now: datetime) -> AllowanceUsage:
        """Return the usage after a report: with its time, octets and device, and with the first use if this is it."""
        drawn = drawn_between(before, after)
        incoming, outgoing = after.used.incoming - before.used.incoming, after.used.outgoing - before.used.outgoing
        use = Use(
            self.use.time + drawn.time,
            self.use.octets + Octets(incoming, outgoing),
            self.use.day + drawn,
            self.use.span + drawn,
        )
        allowance = self.allowance
        if allowance.first_used_at is None:
            allowance = replace(allowance, first_used_at=now)
        online = {**self.online, device_of(after): arrival_of(after)}
        if after.mac is not None and before.mac is None:
            online.pop(device_of(before), None)
        return AllowanceUsage(allowance, use, online)

    def leave(self, session: Session) -> AllowanceUsage:
        """Return the usage without the device of a session that ended, unless the device is online in another one."""
        device = device_of(session)
        if device not in self.online or self.online[device][1] != session.token_hash:
            return self
        return replace(self, online={other: arrival for other, arrival in self.online.items() if other != device})

    def judge(self, now: datetime) -> Verdict | None:
        """Return which limit is reached, as L{wifidogd.domain.quotas.judge}."""
        return judge(self.allowance, self.use, now)

    def refuses(self, device: str | None) -> bool:
        """Return whether a device is refused because as many as the plan allows are online."""
        plan = self.allowance.plan
        if plan.devices is None or plan.when_full is WhenFull.REPLACE:
            return False
        return len(self.online.keys() - {device}) >= plan.devices

    def displaces(self, session: Session) -> bool:
        """Return whether as many devices as the plan allows came online after this session."""
        plan = self.allowance.plan
        if plan.devices is None or plan.when_full is WhenFull.REFUSE:
            return False
        here = arrival_of(session)
        later = {device for device, arrival in self.online.items() if arrival > here}
        return len(later - {device_of(session)}) >= plan.devices


def judge_entry(usage: AllowanceUsage, session: Session, is_new: bool, now: datetime) -> Verdict | None:
    """
    Return which limit a report reaches whose use has been added; None for none.

    @param is_new: True for the report that brings the session online.
    """
    if is_new and usage.refuses(device_of(session)):
        return Verdict(Limit.DEVICES)
    return usage.judge(now)


def drawn_between(before: Session, after: Session) -> Amount:
    """Return what a session used between two reports."""
    return Amount(time_of(after) - time_of(before), after.used.total - before.used.total)


def time_of(session: Session) -> timedelta:
    """Return how long a session has been online, as far as its gateway has reported."""
    if session.activated_at is None or session.reported_at is None:
        return NOTHING
    return max(NOTHING, session.reported_at - session.activated_at)


def device_of(session: Session) -> str:
    """Return what a session's device is known by."""
    return session.mac or session.token_hash.hex()


def arrival_of(session: Session) -> Arrival:
    """Say when a session came online, so that no two are the same."""
    return session.activated_at or session.opened_at, session.token_hash
