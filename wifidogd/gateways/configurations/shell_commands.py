"""
Commands for the shell of an OpenWrt router that configure its software and restart it; pure.

Names of settings are those of the start script of OpenWrt's package
C{apfree-wifidog}, and of wifidog-ng's C{config.lua} (docs/protocol.md 9).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from shlex import quote

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.server_address import ServerAddress
from wifidogd.gateways.configurations.config_files import WEB_SOCKET_PATH, apfree_interval, wifidog_conf


def openwrt_commands(gateway: Gateway, server: ServerAddress, key: str | None) -> str:
    """Return commands for the package C{wifidog}, which reads /etc/wifidog.conf and has nothing in /etc/config."""
    return (
        "cat > /etc/wifidog.conf <<END\n"
        "GatewayInterface $(uci -q get network.lan.device || uci -q get network.lan.ifname || echo br-lan)\n"
        f"{wifidog_conf(gateway, server, key)}"
        "END\n"
        "chmod 600 /etc/wifidog.conf\n"
        "/etc/init.d/wifidog enable\n"
        "/etc/init.d/wifidog restart\n"
    )


def apfree_uci(gateway: Gateway, server: ServerAddress, key: str | None) -> str:
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
        "check_interval": apfree_interval(gateway),
        "wired_passed": 0,
        "apple_cna": 0,
        "long_conn_mode": "wss" if server.tls else "ws",
        "ws_server_hostname": server.host,
        "ws_server_port": server.port,
        "ws_server_path": WEB_SOCKET_PATH,
    }
    network = {"gateway_name": "br-lan", "gateway_channel": "wifi", "gateway_id": gateway.gw_id}
    return _uci("wifidogx", [("common", "wifidogx", common), ("wifidogd", "gateway", network)], "wifidogx")


def wifidog_ng_uci(gateway: Gateway, server: ServerAddress, key: str | None) -> str:
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
