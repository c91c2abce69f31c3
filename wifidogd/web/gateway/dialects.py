"""
Which dialect a C{/auth} request with one report is in, and the report in it; pure.

The names of the counters tell it, since versions of one program differ
(docs/protocol.md 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping

from wifidogd.domain.addresses import read_mac
from wifidogd.domain.errors import MalformedRequest
from wifidogd.domain.sessions import Counters, Dialect, Report, Stage
from wifidogd.web.gateway import apfree_v1, classic
from wifidogd.web.server.query import read_guest_ip, read_gw_id

_STAGES = {stage.value: stage for stage in Stage}

Query = Mapping[str, str]


def read_dialect(user_agent: str) -> Dialect:
    """Return the dialect that a C{User-Agent} is known for; L{Dialect.OTHER} for any other."""
    if user_agent.startswith("WiFiDog "):
        return Dialect.WIFIDOG
    if user_agent.startswith("ApFree-WiFiDog"):
        return Dialect.APFREE
    if user_agent.startswith("LuaSocket"):
        return Dialect.WIFIDOG_NG_2
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
    is_v1 = apfree_v1.is_spoken(query)
    return Report(
        stage=read_stage(query),
        dialect=dialect,
        token=query.get("token", ""),
        gw_id=read_gw_id(query.get("gw_id")),
        mac=read_mac(query.get("mac")),
        ip=read_guest_ip(query.get("ip")),
        octets=apfree_v1.read_octets(query) if is_v1 else classic.read_octets(query),
        key=key or query.get("k"),
        packets=apfree_v1.read_packets(query) if is_v1 else None,
        read_as=Counters.SWAPPED if is_v1 else Counters.STRAIGHT,
    )
