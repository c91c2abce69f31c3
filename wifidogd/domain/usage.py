"""An allowance with what its sessions use of it and the devices that are online on it, as reports come in; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from wifidogd.domain.plans import Allowance, WhenFull
from wifidogd.domain.quotas import NOTHING, Amount, Limit, Use, Verdict, judge
from wifidogd.domain.sessions import MAX_OCTETS, Octets, Session

UNUSED = Use()

Place = tuple[datetime, bytes]
"""Since when a device is online, and the token hash of its session: who came later has the greater one."""


@dataclass(frozen=True, slots=True)
class AllowanceUsage:
    """
    What is known of an allowance at one moment.

    @ivar online: the devices that use it now, by MAC, or by token hash while nobody knows the MAC.
    """

    allowance: Allowance
    use: Use = UNUSED
    online: Mapping[str, Place] = field(default_factory=dict)

    def enter(self, before: Session, after: Session, now: datetime) -> AllowanceUsage:
        """Add what a report says: a first use, time and octets, a device."""
        drawn = drawn_between(before, after)
        incoming, outgoing = after.used.incoming - before.used.incoming, after.used.outgoing - before.used.outgoing
        use = Use(
            self.use.time + drawn.time,
            add_octets(self.use.octets, Octets(incoming, outgoing)),
            Amount(self.use.day.time + drawn.time, self.use.day.octets + drawn.octets),
            Amount(self.use.span.time + drawn.time, self.use.span.octets + drawn.octets),
        )
        allowance = self.allowance
        if allowance.first_used_at is None:
            allowance = replace(allowance, first_used_at=now)
        online = {**self.online, device_of(after): place_of(after)}
        if after.mac is not None and before.mac is None:
            online.pop(device_of(before), None)
        return AllowanceUsage(allowance, use, online)

    def leave(self, session: Session) -> AllowanceUsage:
        """Forget the device of a session that ended, unless it is online by another one."""
        device = device_of(session)
        if device not in self.online or self.online[device][1] != session.token_hash:
            return self
        return replace(self, online={other: place for other, place in self.online.items() if other != device})

    def judge(self, now: datetime) -> Verdict | None:
        """Say which limit of use is reached, as L{wifidogd.domain.quotas.judge}."""
        return judge(self.allowance, self.use, now)

    def refuses(self, device: str | None) -> bool:
        """Tell whether there is no room for one device more."""
        plan = self.allowance.plan
        if plan.devices is None or plan.when_full is WhenFull.REPLACE:
            return False
        return len(self.online.keys() - {device}) >= plan.devices

    def displaces(self, session: Session) -> bool:
        """Tell whether as many devices as there is room for came after an online session."""
        plan = self.allowance.plan
        if plan.devices is None or plan.when_full is WhenFull.REFUSE:
            return False
        here = place_of(session)
        later = {device for device, place in self.online.items() if place > here}
        return len(later - {device_of(session)}) >= plan.devices


def judge_entry(tally: AllowanceUsage, session: Session, is_new: bool, now: datetime) -> Verdict | None:
    """
    Judge a report that has been entered.

    @param is_new: True for the report that brings the session online.
    """
    if is_new and tally.refuses(device_of(session)):
        return Verdict(Limit.DEVICES)
    return tally.judge(now)


def drawn_between(before: Session, after: Session) -> Amount:
    """Say what a session has used between two reports."""
    return Amount(time_of(after) - time_of(before), after.used.total - before.used.total)


def time_of(session: Session) -> timedelta:
    """Say how long a session has been online, as far as its gateway has reported."""
    if session.activated_at is None or session.reported_at is None:
        return NOTHING
    return max(NOTHING, session.reported_at - session.activated_at)


def add_octets(one: Octets, other: Octets) -> Octets:
    """Add, up to L{MAX_OCTETS}."""
    return Octets(min(one.incoming + other.incoming, MAX_OCTETS), min(one.outgoing + other.outgoing, MAX_OCTETS))


def device_of(session: Session) -> str:
    """Name the device of a session."""
    return session.mac or session.token_hash.hex()


def place_of(session: Session) -> Place:
    """Say when a session came online, so that no two are the same."""
    return session.activated_at or session.opened_at, session.token_hash
