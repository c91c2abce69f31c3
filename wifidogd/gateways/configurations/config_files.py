"""
The configuration files of wifidog-gateway and apfree-wifidog; pure.

Names of settings are those of wifidog-gateway 1.3.0 and apfree-wifidog 9.07 (C{src/conf.c} of each).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.server_address import ServerAddress
from wifidogd.gateways.router_config import auth_server_block, gateway_conf

WEB_SOCKET_PATH = "/ws/wifidogx"
"""Where routers with apfree-wifidog open their WebSocket."""

SHORTEST_APFREE_INTERVAL = 10
"""Seconds; with a CheckInterval of 5 or less apfree-wifidog takes itself for offline (docs/protocol.md 9)."""


def wifidog_conf(gateway: Gateway, server: ServerAddress, key: str | None) -> str:
    """Return the lines of a wifidog.conf."""
    return gateway_conf(gateway, auth_server_block(server.host, server.port, server.tls, server.path, key))


def apfree_conf(gateway: Gateway, server: ServerAddress, key: str | None, others: Sequence[Gateway]) -> str:
    """
    Return a whole wifidogx.conf.

    Pings carry nothing but C{DeviceID}; a device that has not named itself yet is named like its gateway.
    """
    device_id = gateway.device_ids[0] if gateway.device_ids else gateway.gw_id
    return (
        "ExternalInterface wan\n"
        f"DeviceID {device_id}\n"
        f"GatewayPort {gateway.port}\n"
        f"CheckInterval {apfree_interval(gateway)}\n"
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


def apfree_interval(gateway: Gateway) -> int:
    """Return the seconds of a CheckInterval with which apfree-wifidog works."""
    return max(SHORTEST_APFREE_INTERVAL, int(gateway.interval.total_seconds()))


def _block(name: str, settings: Mapping[str, object]) -> str:
    return f"{name} {{\n" + "".join(f"    {setting} {value}\n" for setting, value in settings.items()) + "}\n"
