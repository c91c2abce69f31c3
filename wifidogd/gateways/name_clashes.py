"""
Two gateways that use one name, as C{default} often is, noticed by what they say in turns.

Each gateway's pings agree about when it was started.  When one name's pings go back and forth between two such
instants, or between two addresses where they name none, there are two gateways.  A gateway that restarts or gets
another address never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from twisted.logger import Logger

from wifidogd.domain.gateways import Heartbeat

log = Logger()

_MOST_ORIGINS = 16
"""Different gateways of one name that are remembered."""

_ENOUGH_RETURNS = 2
"""How often a name must go back to an origin it had left: once may be a line that failed and came back."""

_WITHIN = timedelta(hours=1)
"""How long a return counts, and how often a clash is logged."""

_TOLERANCE = timedelta(seconds=15)
"""How far apart two instants of one start may be: uptimes are whole seconds, and pings take some time."""


class Origin(NamedTuple):
    """
    Where something comes from that names a gateway.

    @ivar address: of the connection, or which a guest's redirect names.
    @ivar booted_at: when the router was started, by its uptime; None if it does not say, as is C{started_at}.
    @ivar started_at: when its wifidog was started.
    """

    address: str
    booted_at: datetime | None = None
    started_at: datetime | None = None

    def is_same(self, other: Origin) -> bool:
        """Return whether two origins may be one gateway."""
        pairs = ((self.booted_at, other.booted_at), (self.started_at, other.started_at))
        apart = [abs(one - another) for one, another in pairs if one is not None and another is not None]
        return all(gap <= _TOLERANCE for gap in apart) if apart else self.address == other.address


@dataclass(slots=True)
class _Speakers:
    """What speaks under one name: its origins, the latest last, and when it last went back to one."""

    origins: list[Origin] = field(default_factory=list)
    returns: list[datetime] = field(default_factory=list)
    told_at: datetime | None = None


class NameClashes:
    """
    Notices names that several gateways use.

    @param most: names that are remembered; those not heard of for the longest time make room.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._speakers: dict[tuple[str, str], _Speakers] = {}

    def hear_ping(self, heartbeat: Heartbeat) -> bool:
        """Return whether two gateways seem to use the name in a ping."""
        seen, up, running = heartbeat.seen_at, heartbeat.sys_uptime, heartbeat.wifidog_uptime
        # Routers that cannot tell say zero.
        origin = Origin(heartbeat.source, seen - up if up else None, seen - running if running else None)
        return self._hear("ping", heartbeat.gw_id, origin, seen)

    def hear_guest(self, gw_id: str, address: str, seen_at: datetime) -> bool:
        """
        Return whether two gateways seem to send guests under a name.

        @param address: where the redirect of a guest says that the gateway is.
        """
        return self._hear("guest", gw_id, Origin(address), seen_at)

    def hear_elsewhere(self, gw_id: str, address: str, registered: str, seen_at: datetime) -> None:
        """Log, once an hour, that guests of an adopted gateway come from another address than the registered one."""
        speakers = self._speakers_of("elsewhere", gw_id)
        if speakers.told_at is None or seen_at - speakers.told_at >= _WITHIN:
            speakers.told_at = seen_at
            log.warn(
                "guests of {gw_id} are sent from {address} instead of {registered}: has it moved, or does another "
                "router use its GatewayID?",
                gw_id=gw_id,
                address=address,
                registered=registered,
            )

    def _speakers_of(self, kind: str, gw_id: str) -> _Speakers:
        """Return what is known of a name, as the one heard of last."""
        speakers = self._speakers.pop((kind, gw_id), _Speakers())
        self._speakers[kind, gw_id] = speakers
        if len(self._speakers) > self._most:
            del self._speakers[next(iter(self._speakers))]
        return speakers

    def _hear(self, kind: str, gw_id: str, origin: Origin, now: datetime) -> bool:
        speakers = self._speakers_of(kind, gw_id)
        origins = speakers.origins
        place = next((place for place, known in enumerate(origins) if known.is_same(origin)), None)
        if place is not None:
            if place != len(origins) - 1:
                speakers.returns = [*speakers.returns, now][-_ENOUGH_RETURNS:]
            del origins[place]
        origins.append(origin)
        del origins[:-_MOST_ORIGINS]
        is_shared = len(speakers.returns) == _ENOUGH_RETURNS and now - speakers.returns[0] <= _WITHIN
        if is_shared and len(origins) > 1:
            self._tell(gw_id, origins[-1].address, origins[-2].address, speakers, now)
        return is_shared

    def _tell(self, gw_id: str, one: str, other: str, speakers: _Speakers, now: datetime) -> None:
        """Log a clash, once an hour."""
        if speakers.told_at is not None and now - speakers.told_at < _WITHIN:
            return
        speakers.told_at = now
        log.warn(
            "two routers seem to call themselves {gw_id} ({one}, {other}): give each a GatewayID of its own",
            gw_id=gw_id,
            one=one,
            other=other,
        )
