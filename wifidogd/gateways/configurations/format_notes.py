"""What an operator must know who pastes the configuration of a router, or why there is none; pure."""

from __future__ import annotations

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.server_address import PORTS, ServerAddress, origin
from wifidogd.gateways.configurations.config_files import SHORTEST_APFREE_INTERVAL
from wifidogd.gateways.configurations.router_formats import RouterFormat

SAFETY = (
    "Set HTTPDUserName and HTTPDPassword in wifidog.conf: without them the router shows all tokens to any guest.",
    "Leave FirewallRuleSet auth-is-down out of it: it opens the internet to strangers whenever this server is slow.",
)
"""Said with every wifidog.conf (docs/protocol.md 6.9 and 6.3)."""

NEEDS_TLS = "wifidog must be built with TLS to reach an https server: on OpenWrt that is the package wifidog-tls."


def obstacle(router_format: RouterFormat, server: ServerAddress, *, has_key: bool) -> str | None:
    """
    Return why a router that is configured in this format cannot talk to the server; None if it can.

    @param has_key: whether the server asks for a key.
    """
    if router_format is not RouterFormat.APFREE_UCI:
        return None
    if has_key:
        return (
            "/etc/config/wifidogx has no place for a key but Path, which every guest sees, and the server refuses "
            "reports without it: use --for apfree, which is a file of its own."
        )
    if server.tls and server.port != PORTS["https"]:
        return (
            f"/etc/config/wifidogx has no place for https on port {server.port}: have the server listen on 443, or use "
            "--for apfree, which is a file of its own."
        )
    return None


def notes_on(router_format: RouterFormat, gateway: Gateway, server: ServerAddress, *, has_key: bool) -> list[str]:
    """
    Return sentences that an operator must know who pastes a configuration.

    @param has_key: whether the configuration holds a key.
    """
    if router_format in (RouterFormat.APFREE, RouterFormat.APFREE_UCI):
        return _notes_on_apfree(router_format, gateway, server, has_key=has_key)
    if router_format is RouterFormat.WIFIDOG_NG:
        return [
            "wifidog-ng 2 sends no counters: its guests stay online until they log out, limits and `session kick` do "
            "not reach them, and their data is not counted.  wifidog-ng 1 sends counters every 30 seconds."
        ]
    return [*SAFETY, *([NEEDS_TLS] if server.tls else [])]


def _notes_on_apfree(
    router_format: RouterFormat, gateway: Gateway, server: ServerAddress, *, has_key: bool
) -> list[str]:
    notes = []
    if router_format is RouterFormat.APFREE:
        notes.append(
            "Save it as /etc/wifidogx.conf, correct the interfaces and the subnet, and start "
            "`wifidogx -c /etc/wifidogx.conf`: OpenWrt's start script writes a file of its own, which has no place "
            "for the key."
        )
    if has_key:
        notes.append(
            "apfree-wifidog sends the key with ping, auth and its WebSocket, but cannot with /roam: what is asked "
            "there proves nothing, so that a guest who roams stays only if the router then reports them with the key."
        )
    if not server.tls:
        is_80 = server.port == PORTS["http"]
        there = origin("https", server.host, PORTS["https"] if is_80 else server.port)
        notes.append(
            f"apfree-wifidog sends guests to {there}/ although the server is configured without TLS: "
            f"{'start the server with --https and ' if is_80 else ''}give it a certificate, or guests are warned of an "
            "unknown one."
        )
    if gateway.interval.total_seconds() < SHORTEST_APFREE_INTERVAL:
        notes.append(
            f"apfree-wifidog needs a CheckInterval of {SHORTEST_APFREE_INTERVAL} seconds or more: tell the server, "
            f"too, with `wifidogctl gateway adopt {gateway.gw_id} --interval {SHORTEST_APFREE_INTERVAL}`."
        )
    return notes
