"""How far the installation of a router has come, and what to do next; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from wifidogd.domain.gateways import Gateway, Heartbeat
from wifidogd.domain.reports.activity import ActivityKind
from wifidogd.domain.server_address import ServerAddress
from wifidogd.domain.sessions import Counters, Dialect


@dataclass(frozen=True, slots=True)
class Check:
    """
    One thing that a router does once it works.

    @ivar passed: None if its software does not do it, or nobody can tell.
    @ivar detail: what is known of it.
    @ivar next_step: what to do; None if there is nothing to do.
    """

    name: str
    passed: bool | None
    detail: str
    next_step: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    What is known of a gateway.

    @ivar heartbeat: its last ping; None if it has not called since it was adopted.
    @ivar activity: when it last did what.
    @ivar connected_at: since when its router has a WebSocket open; None if it has none.
    """

    gateway: Gateway
    heartbeat: Heartbeat | None
    activity: Mapping[ActivityKind, datetime]
    now: datetime
    connected_at: datetime | None = None

    @property
    def is_apfree(self) -> bool:
        """Whether it runs apfree-wifidog."""
        is_connected = self.connected_at is not None
        return is_connected or self.gateway.dialect is Dialect.APFREE or self._calls_itself("ApFree")

    @property
    def has_no_counters(self) -> bool:
        """Whether it runs wifidog-ng 2, which reports no guests."""
        return self.gateway.dialect is Dialect.WIFIDOG_NG_2 or self._calls_itself("LuaSocket")

    def _calls_itself(self, beginning: str) -> bool:
        return self.heartbeat is not None and (self.heartbeat.version or "").startswith(beginning)


def checklist(evidence: Evidence, server: ServerAddress) -> list[Check]:
    """Return what a router must do, in the order in which it does it for the first time."""
    found = [
        _ping(evidence, server),
        _guest(evidence),
        _login(evidence),
        _counters(evidence),
        _key(evidence),
        _portal(evidence),
    ]
    if evidence.is_apfree:
        found.append(_web_socket(evidence, server))
    return [*found, _clock(evidence), _directions(evidence)]


def _ping(evidence: Evidence, server: ServerAddress) -> Check:
    gateway, heartbeat = evidence.gateway, evidence.heartbeat
    if heartbeat is None:
        return Check(
            "ping heard",
            False,
            "never",
            f"Put `wifidogctl gateway config {gateway.gw_id}` into the router and restart its gateway software; the "
            f"router must reach {server.pages}.  A router that has a key but does not send it is in the server's log.",
        )
    if evidence.now - heartbeat.seen_at > 3 * gateway.interval:
        return Check(
            "ping heard",
            False,
            f"not since {_instant(heartbeat.seen_at)}",
            f"See whether the router is on, and whether it reaches {server.pages}.",
        )
    return Check("ping heard", True, f"{heartbeat.version or 'software without a name'} from {heartbeat.source}")


def _guest(evidence: Evidence) -> Check:
    return _seen(
        evidence,
        "guest sent",
        ActivityKind.GUEST,
        "Connect a phone to its Wi-Fi and open http://neverssl.com/: the router must send it to the login page, which "
        f"must know its address as {evidence.gateway.address} (`wifidogctl gateway adopt {evidence.gateway.gw_id} "
        "--address A` changes it).",
    )


def _login(evidence: Evidence) -> Check:
    gateway = evidence.gateway
    return _seen(
        evidence,
        "login confirmed",
        ActivityKind.LOGIN,
        f"Sign in on that phone: it must reach the router at {gateway.address} port {gateway.port}, and the router "
        "must then ask the server, with its key if it has one.",
    )


def _counters(evidence: Evidence) -> Check:
    if evidence.has_no_counters:
        return Check("counters heard", None, "none: wifidog-ng 2 sends none, so that no limit can reach a guest")
    lists = evidence.activity.get(ActivityKind.COUNTERS_LIST)
    single = evidence.activity.get(ActivityKind.COUNTERS)
    if lists is not None and (single is None or lists >= single):
        return Check("counters heard", True, f"of all clients at once, {_instant(lists)}")
    seconds = int(evidence.gateway.interval.total_seconds())
    return _seen(
        evidence,
        "counters heard",
        ActivityKind.COUNTERS,
        f"Stay online for a CheckInterval ({seconds} s): the router must report the guest.",
        detail="of each client, ",
    )


def _key(evidence: Evidence) -> Check:
    gateway = evidence.gateway
    if not gateway.key_hashes:
        return Check("key used", None, "it has no key: whoever reaches the server can speak for it")
    return _seen(
        evidence,
        "key used",
        ActivityKind.KEY,
        f"Make another with `wifidogctl gateway config {gateway.gw_id} --new-key`, as a key is shown once only, and "
        "put that configuration into the router.",
    )


def _portal(evidence: Evidence) -> Check:
    return _seen(
        evidence,
        "portal seen",
        ActivityKind.PORTAL,
        "After signing in the phone must arrive at the portal.  If it does not, it can reach the server only by "
        "another name or port than the router has.",
    )


def _web_socket(evidence: Evidence, server: ServerAddress) -> Check:
    next_step = (
        f"Add the WebSocket block of `wifidogctl gateway config {evidence.gateway.gw_id} --for apfree`, so that ending "
        f"a session takes effect at once; a proxy in front of {server.host} must let WebSockets through."
    )
    at = evidence.connected_at
    if at is None:
        return Check("WebSocket connected", False, "not now", next_step)
    return Check("WebSocket connected", True, f"since {_instant(at)}")


def _clock(evidence: Evidence) -> Check:
    right, wrong = (evidence.activity.get(kind) for kind in (ActivityKind.CLOCK_RIGHT, ActivityKind.CLOCK_WRONG))
    if wrong is not None and (right is None or wrong > right):
        return Check(
            "clock right",
            False,
            f"wrong, {_instant(wrong)}",
            "Set the router's clock, or let it ask a time server: with a wrong one it refuses certificates.",
        )
    if right is not None:
        return Check("clock right", True, _instant(right))
    return Check(
        "clock right", None, "its software has not told" if evidence.is_apfree else "its software does not tell"
    )


def _directions(evidence: Evidence) -> Check:
    gateway, name = evidence.gateway, "directions plausible"
    if gateway.counters_seen is None:
        why = "its guests have not shown it yet" if evidence.is_apfree else "its software does not count packets"
        return Check(name, None, f"{why}; counters are taken as {gateway.counters.value}")
    if gateway.counters in (Counters.AUTO, gateway.counters_seen):
        return Check(name, True, f"packets of its guests show {gateway.counters_seen.value} counters")
    return Check(
        name,
        False,
        f"taken as {gateway.counters.value}, and packets of its guests show {gateway.counters_seen.value}",
        f"What guests send and receive looks exchanged: `wifidogctl gateway adopt {gateway.gw_id} --counters "
        f"{gateway.counters_seen.value}`.",
    )


def _seen(evidence: Evidence, name: str, kind: ActivityKind, next_step: str, *, detail: str = "") -> Check:
    at = evidence.activity.get(kind)
    if at is None:
        return Check(name, False, "never", next_step)
    return Check(name, True, f"{detail}{_instant(at)}")


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
