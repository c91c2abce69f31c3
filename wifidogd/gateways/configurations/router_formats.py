"""The configuration of a router in the format that its software reads (docs/protocol.md 9); pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.server_address import ServerAddress
from wifidogd.gateways.configurations.config_files import apfree_conf, wifidog_conf
from wifidogd.gateways.configurations.shell_commands import apfree_uci, openwrt_commands, wifidog_ng_uci


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
        return apfree_conf(gateway, server, key, others)
    return _WRITERS[router_format](gateway, server, key)


_WRITERS = {
    RouterFormat.WIFIDOG: wifidog_conf,
    RouterFormat.OPENWRT: openwrt_commands,
    RouterFormat.APFREE_UCI: apfree_uci,
    RouterFormat.WIFIDOG_NG: wifidog_ng_uci,
}
