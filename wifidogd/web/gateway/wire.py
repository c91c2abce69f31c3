"""
The octets that gateways exchange: queries into reports, verdicts into the bytes they expect; pure.

Names of parameters differ by gateway: wifidog-gateway and apfree-wifidog up to
8.02 say C{incoming} and C{outgoing}, apfree-wifidog 9 says C{incoming_bytes}
and so on, with the two directions exchanged (docs/protocol.md 3.3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from wifidogd.domain.addresses import read_mac
from wifidogd.domain.errors import MalformedRequest
from wifidogd.domain.gateways import Heartbeat
from wifidogd.domain.sessions import MAX_OCTETS, AuthCode, Dialect, Octets, Report, Stage
from wifidogd.web.server.query import read_guest_ip, read_gw_id

PONG = b"Pong"
"""The whole answer to a ping; wifidog-ng 1.x compares every byte."""

LONGEST_UPTIME = timedelta(days=3650)
"""A router whose clock stepped back reports an uptime near 2^32 or 2^64 (docs/protocol.md 6.3): no data."""

HIGHEST_LOAD = 100_000.0

_MOST_BELOW_ZERO = 2**31

_STAGES = {stage.value: stage for stage in Stage}
_COUNT = re.compile("[0-9]{1,19}")
_LOAD = re.compile(r"[0-9]{1,10}(\.[0-9]{1,10})?")

Query = Mapping[str, str]


def read_dialect(user_agent: str) -> Dialect:
    """Return the dialect that a C{User-Agent} is known for; L{Dialect.OTHER} for any other."""
    if user_agent.startswith("WiFiDog "):
        return Dialect.WIFIDOG
    if user_agent.startswith("ApFree-WiFiDog"):
        return Dialect.APFREE
    return Dialect.OTHER


def read_stage(query: Query) -> Stage:
    """
    Return the stage of a report.

    @raise MalformedRequest: if it is missing or unknown.
    """
    stage = _STAGES.get(query.get("stage", ""))
    if stage is None:
        raise MalformedRequest("stage", "must be login, counters or logout")
    return stage


def read_report(query: Query, dialect: Dialect, key: str | None) -> Report:
    """
    Return the report in a C{/auth} request about one guest.

    Whatever cannot be read counts as missing, so that a gateway's slip never
    hurts the guest; the token alone decides which session is meant.

    @param key: from the path; without it C{k} of the query is used.
    @raise MalformedRequest: if the stage is unknown or no gateway can have this C{gw_id}.
    """
    return Report(
        stage=read_stage(query),
        dialect=dialect,
        token=query.get("token", ""),
        gw_id=read_gw_id(query.get("gw_id")),
        mac=read_mac(query.get("mac")),
        ip=read_guest_ip(query.get("ip")),
        octets=_octets(query),
        key=key or query.get("k"),
    )


def read_heartbeat(query: Query, user_agent: str, source: str, now: datetime) -> Heartbeat:
    """
    Return the heartbeat in a C{/ping} request; apfree-wifidog names its device instead of the gateway.

    @param source: address the request came from.
    @raise MalformedRequest: if it names neither a gateway nor a device, or one that cannot be adopted.
    """
    gw_id = read_gw_id(query.get("gw_id")) or read_gw_id(query.get("device_id"))
    if gw_id is None:
        raise MalformedRequest("gw_id", "is missing")
    return Heartbeat(
        gw_id=gw_id,
        seen_at=now,
        source=source,
        version=read_version(user_agent),
        sys_uptime=_uptime(query.get("sys_uptime")),
        memory_free=_kilobytes(query.get("sys_memfree")),
        load=_load(query.get("sys_load")),
        wifidog_uptime=_uptime(query.get("wifidog_uptime")),
    )


def auth_line(code: AuthCode) -> bytes:
    """
    Return a verdict in the form that all gateways read.

    wifidog-ng 1.x wants it at the very start, wifidog-gateway the space
    (docs/protocol.md 6.4).
    """
    return b"Auth: %d\n" % code


def unsettled_line(stage: Stage) -> bytes:
    """
    Return the answer for a fault on our side, which leaves the guest as they are.

    A logout is acknowledged, else apfree-wifidog keeps the guest online and
    asks again (docs/protocol.md 6.4).
    """
    return auth_line(AuthCode.DENIED if stage is Stage.LOGOUT else AuthCode.ERROR)


def _octets(query: Query) -> Octets | None:
    if "incoming_bytes" in query:
        to_guest = _sum(query.get("outgoing_bytes"), query.get("outgoing_bytes_v6", "0"))
        from_guest = _sum(query.get("incoming_bytes"), query.get("incoming_bytes_v6", "0"))
    else:
        to_guest, from_guest = _signed_count(query.get("incoming")), _signed_count(query.get("outgoing"))
    return None if to_guest is None or from_guest is None else Octets(to_guest, from_guest)


def _sum(*texts: str | None) -> int | None:
    counts = [_count(text) for text in texts]
    total = sum(count for count in counts if count is not None)
    return None if None in counts or total > MAX_OCTETS else total


def _count(text: str | None) -> int | None:
    """Return a whole number from 0 to L{MAX_OCTETS}; None for anything else."""
    if text is None or not _COUNT.fullmatch(text):
        return None
    count = int(text)
    return count if count <= MAX_OCTETS else None


def _signed_count(text: str | None) -> int | None:
    """
    Return a count, or a negative number that stands for one of 32 bits (docs/protocol.md 3.6).

    @return: None for anything else, also for -1, which is how programs say that they do not know.
    """
    if text is None or not text.startswith("-"):
        return _count(text)
    count = _count(text[1:])
    return -count if count is not None and 1 < count <= _MOST_BELOW_ZERO else None


def read_version(user_agent: str) -> str | None:
    """Return what can be stored and shown: a stranger's C{User-Agent} ends up on the operator's terminal."""
    return "".join(filter(str.isprintable, user_agent))[:100] or None


def _uptime(text: str | None) -> timedelta | None:
    seconds = _count(text)
    if seconds is None or seconds > LONGEST_UPTIME.total_seconds():
        return None
    return timedelta(seconds=seconds)


def _kilobytes(text: str | None) -> int | None:
    count = _count(text)
    return None if count is None or count > MAX_OCTETS // 1024 else count * 1024


def _load(text: str | None) -> float | None:
    if text is None or not _LOAD.fullmatch(text):
        return None
    return float(text) if float(text) <= HIGHEST_LOAD else None
