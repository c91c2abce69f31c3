"""What gateways say of themselves in C{/ping}, and the one answer to it; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from wifidogd.domain.errors import MalformedRequest
from wifidogd.domain.gateways import Heartbeat
from wifidogd.domain.sessions import MAX_OCTETS, Dialect
from wifidogd.web.gateway.counts import read_count
from wifidogd.web.gateway.dialects import read_dialect
from wifidogd.web.server.query import read_gw_id

PONG = b"Pong"
"""The whole answer to a ping; wifidog-ng 1.x compares every byte."""

LONGEST_UPTIME = timedelta(days=3650)
"""A router whose clock stepped back reports an uptime near 2^32 or 2^64 (docs/protocol.md 6.3): no data."""

HIGHEST_LOAD = 100_000.0

_LOAD_OF_NG = 65_536
"""What wifidog-ng multiplies the load with."""

_LOAD = re.compile(r"[0-9]{1,10}(\.[0-9]{1,10})?")


def read_heartbeat(query: Mapping[str, str], user_agent: str, source: str, now: datetime) -> Heartbeat:
    """
    Return the heartbeat in a C{/ping} request; apfree-wifidog names its device instead of the gateway.

    @param source: address the request came from.
    @raise MalformedRequest: if it names neither a gateway nor a device, or one that cannot be adopted.
    """
    gw_id = read_gw_id(query.get("gw_id")) or read_gw_id(query.get("device_id"))
    if gw_id is None:
        raise MalformedRequest("gw_id", "is missing")
    is_ng, memory = _is_of_wifidog_ng(query, user_agent), read_count(query.get("sys_memfree"))
    load = _load(query.get("sys_load"), _LOAD_OF_NG if is_ng else 1)
    return Heartbeat(
        gw_id=gw_id,
        seen_at=now,
        source=source,
        version=read_version(user_agent),
        sys_uptime=_uptime(query.get("sys_uptime")),
        memory_free=memory if is_ng else _octets(memory),
        load=load,
        wifidog_uptime=_uptime(query.get("wifidog_uptime")),
    )


def read_version(user_agent: str) -> str | None:
    """Return what can be stored and shown: a stranger's C{User-Agent} ends up on the operator's terminal."""
    return "".join(filter(str.isprintable, user_agent))[:100] or None


def _uptime(text: str | None) -> timedelta | None:
    seconds = read_count(text)
    if seconds is None or seconds > LONGEST_UPTIME.total_seconds():
        return None
    return timedelta(seconds=seconds)


def _is_of_wifidog_ng(query: Mapping[str, str], user_agent: str) -> bool:
    """
    Return whether a ping has octets and a whole number as its load (docs/protocol.md 6.3).

    wifidog-ng 1.x has no C{User-Agent}; the other families write the load with decimals.
    """
    is_named = not user_agent or read_dialect(user_agent) is Dialect.WIFIDOG_NG_2
    return is_named and "." not in query.get("sys_load", ".")


def _octets(kilobytes: int | None) -> int | None:
    return None if kilobytes is None or kilobytes > MAX_OCTETS // 1024 else kilobytes * 1024


def _load(text: str | None, unit: int) -> float | None:
    if text is None or not _LOAD.fullmatch(text):
        return None
    load = float(text) / unit
    return load if load <= HIGHEST_LOAD else None
