"""
The configuration of a router in the format that its software reads; pure.

Names of settings are those of wifidog-gateway 1.3.0 and apfree-wifidog 9.07
(C{src/conf.c} of each), of the start script of OpenWrt's package
C{apfree-wifidog}, and of wifidog-ng's C{config.lua} (docs/protocol.md 9).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from shlex import quote

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.server_address import PORTS, ServerAddress, origin
from wifidogd.gateways.router_config import auth_server_block, gateway_conf

SAFETY = (
    "Set HTTPDUserName and HTTPDPassword in wifidog.conf: without them the router shows all tokens to any guest.",
    "Leave FirewallRuleSet auth-is-down out of it: it opens the internet to strangers whenever this server is slow.",
)
"""Said with every wifidog.conf (docs/protocol.md 6.9 and 6.3)."""

NEEDS_TLS = "wifidog must be built with TLS to reach an https server: on OpenWrt that is the package wifidog-tls."

WEB_SOCKET_PATH = "/ws/wifidogx"
"""Where routers with apfree-wifidog open their WebSocket."""

SHORTEST_APFREE_INTERVAL = 10
"""Seconds; with a CheckInterval of 5 or less apfree-wifidog takes itself for offline (docs/protocol.md 9)."""


class RouterFormat(Enum):
    """What C{wifidogctl gateway config --for} takes."""

    WIFIDOG = "wifidog"
    OPENWRT = "openwrt"
    APFREE = "apfree"
    APFREE_UCI = "apfree-uci"
    WIFIDOG_NG = "wifidog-ng"


def format_of(user_agent: str | None) -> RouterFormat:
    """Return the format that a router reads which calls with this C{User-Agent}; wifidog's own if nobody knows."""
    for beginning, router_format in (("ApFree", RouterFormat.APFREE), ("LuaSocket", RouterFormat.WIFIDOG_NG)):
        if (user_agent or "").startswith(beginning):
            return router_format
    return RouterFormat.WIFIDOG


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


def configuration(
    router_format: RouterFormat,
    gateway: Gateway,
    server: ServerAddress,
    key: str | None,
    *,
    others: Sequence[Gateway] = (),
) -> str:
    """
    Return what an operator pastes into a router.

    @param key: the gateway's secret; None for a gateway without.
    @param others: gateways on the same device, which only apfree-wifidog can have.
    @return: lines, each ended.
    """
    if router_format is RouterFormat.APFREE:
        return _apfree_conf(gateway, server, key, others)
    return _WRITERS[router_format](gateway, server, key)


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


def _wifidog_conf(gateway: Gateway, server: ServerAddress, key: str | None) -> str:
    return gateway_conf(gateway, auth_server_block(server.host, server.port, server.tls, server.path, key))


def _openwrt_commands(gateway: Gateway, server: ServerAddress, key: str | None) -> str:
    """Return commands for the package C{wifidog}, which reads /etc/wifidog.conf and has nothing in /etc/config."""
    return (
        "cat > /etc/wifidog.conf <<END\n"
        "GatewayInterface $(uci -q get network.lan.device || uci -q get network.lan.ifname || echo br-lan)\n"
        f"{_wifidog_conf(gateway, server, key)}"
        "END\n"
        "chmod 600 /etc/wifidog.conf\n"
        "/etc/init.d/wifidog enable\n"
        "/etc/init.d/wifidog restart\n"
    )


def _apfree_conf(gateway: Gateway, server: ServerAddress, key: str | None, others: Sequence[Gateway]) -> str:
    """
    Return a whole wifidogx.conf.

    Pings carry nothing but C{DeviceID}; a device that has not named itself yet is named like its gateway.
    """
    device_id = gateway.device_ids[0] if gateway.device_ids else gateway.gw_id
    return (
        "ExternalInterface wan\n"
        f"DeviceID {device_id}\n"
        f"GatewayPort {gateway.port}\n"
        f"CheckInterval {_apfree_interval(gateway)}\n"
        "ClientTimeout 5\n"
        "WiredPassed 0\n"
        "BypassAppleCNA 0\n"
        "\n"
        f"{auth_server_block(server.host, server.port, server.tls, server.path, key)}"
        "\n"
        + _block(
            "WebSocket",
            {
                "WSServer": server.host,
                "WSServerPort": server.port,
                "WSServerPath": WEB_SOCKET_PATH if key is None else f"{WEB_SOCKET_PATH}/{key}",
                "WSServerSSL": int(server.tls),
            },
        )
        + "".join(f"\n{_gateway_setting(one, place)}" for place, one in enumerate((gateway, *others)))
    )


def _gateway_setting(gateway: Gateway, place: int) -> str:
    """Return the block of one guest network; without an IPv4 subnet apfree-wifidog leaves it out."""
    return _block(
        "GatewaySetting",
        {
            "GatewayInterface": f"br-lan{place}" if place else "br-lan",
            "GatewayChannel": "wifi",
            "GatewayID": gateway.gw_id,
            "GatewaySubnetV4": "192.168.1.1/24" if ":" in gateway.address else f"{gateway.address}/24",
        },
    )


def _apfree_uci(gateway: Gateway, server: ServerAddress, key: str | None) -> str:
    """
    Return commands for OpenWrt's package C{apfree-wifidog}, whose start script turns /etc/config/wifidogx into a file.

    That writes C{Hostname}, C{HTTPPort} and C{Path} only: port 443 means TLS there, any other port none.
    """
    common = {
        "enabled": 1,
        "auth_server_mode": "cloud",
        "device_id": gateway.gw_id,
        "auth_server_hostname": server.host,
        "auth_server_port": server.port,
        "auth_server_path": server.path,
        "check_interval": _apfree_interval(gateway),
        "wired_passed": 0,
        "apple_cna": 0,
        "long_conn_mode": "wss" if server.tls else "ws",
        "ws_server_hostname": server.host,
        "ws_server_port": server.port,
        "ws_server_path": WEB_SOCKET_PATH,
    }
    network = {"gateway_name": "br-lan", "gateway_channel": "wifi", "gateway_id": gateway.gw_id}
    return _uci("wifidogx", [("common", "wifidogx", common), ("wifidogd", "gateway", network)], "wifidogx")


def _wifidog_ng_uci(gateway: Gateway, server: ServerAddress, key: str | None) -> str:
    """Return commands for wifidog-ng, whose paths of ping and auth carry the key; guests never see those."""
    suffix = "" if key is None else f"/{key}"
    own = {
        "enabled": 1,
        "id": gateway.gw_id,
        "address": gateway.address,
        "port": gateway.port,
        "checkinterval": int(gateway.interval.total_seconds()),
    }
    other = {
        "host": server.host,
        "port": server.port,
        "ssl": int(server.tls),
        "path": server.path,
        "login_path": "login",
        "portal_path": "portal",
        "msg_path": "gw_message.php",
        "ping_path": f"ping{suffix}",
        "auth_path": f"auth{suffix}",
    }
    return _uci("wifidog-ng", [("@gateway[0]", None, own), ("@server[0]", None, other)], "wifidog-ng")


def _apfree_interval(gateway: Gateway) -> int:
    return max(SHORTEST_APFREE_INTERVAL, int(gateway.interval.total_seconds()))


def _block(name: str, settings: Mapping[str, object]) -> str:
    return f"{name} {{\n" + "".join(f"    {setting} {value}\n" for setting, value in settings.items()) + "}\n"


def _uci(package: str, sections: Iterable[tuple[str, str | None, Mapping[str, object]]], service: str) -> str:
    """
    Return commands that set options, and restart what reads them.

    @param sections: name, type if it is to be made, and options of each.
    """
    lines = []
    for name, kind, options in sections:
        if kind is not None:
            lines.append(f"uci set {package}.{name}={kind}")
        lines += [f"uci set {quote(f'{package}.{name}.{option}={value}')}" for option, value in options.items()]
    restart = [f"uci commit {package}", f"/etc/init.d/{service} enable", f"/etc/init.d/{service} restart"]
    return "".join(f"{line}\n" for line in [*lines, *restart])


_WRITERS = {
    RouterFormat.WIFIDOG: _wifidog_conf,
    RouterFormat.OPENWRT: _openwrt_commands,
    RouterFormat.APFREE_UCI: _apfree_uci,
    RouterFormat.WIFIDOG_NG: _wifidog_ng_uci,
}
