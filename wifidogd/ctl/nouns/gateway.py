"""wifidogctl gateway: routers, adopted and waiting."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable

from wifidogd.ctl.cli.arguments import JSON, add_nouns, gateway_id
from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import complain, count, print_json, seconds
from wifidogd.ctl.cli.server_address import find_server, server_options
from wifidogd.ctl.nouns.gateway_adopt import add_adopt, add_format, add_key, tell_of_key
from wifidogd.ctl.nouns.gateway_list import list_all
from wifidogd.ctl.nouns.gateway_show import add_show, unknown
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.server_address import ServerAddress
from wifidogd.domain.tokens import mint_token
from wifidogd.gateways.router_formats import RouterFormat, configuration, notes_on, obstacle
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.gateways import lock_gateway, remove

PLACEHOLDER = "YOUR-KEY"
"""Stands where a key belongs that only the router still knows."""


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Add the noun and its verbs."""
    verbs = add_nouns(nouns("gateway", help="routers, adopted or waiting for it"))
    listing = verbs("list", parents=[JSON], help="list adopted gateways, and below them those that wait")
    listing.set_defaults(command=list_all)
    add_adopt(verbs)
    config = verbs(
        "config",
        parents=[server_options(), JSON],
        help="print the configuration of a router",
        description="Print what goes into the configuration of an adopted router, in the format of its software.",
    )
    config.add_argument("gw_id", type=gateway_id, metavar="GW_ID", help="GatewayID of the router")
    add_format(
        config,
        "what to print: lines for wifidog.conf (the default), commands for OpenWrt's package wifidog, a wifidogx.conf, "
        "uci commands for OpenWrt's package apfree-wifidog, or uci commands for wifidog-ng",
    )
    config.add_argument("--new-key", action="store_true", help="make another key for it; the last one stays valid")
    config.set_defaults(command=show_config)
    add_show(verbs)
    removal = verbs("remove", help="forget a gateway and end its sessions")
    removal.add_argument("gw_id", type=gateway_id, metavar="GW_ID", help="GatewayID of the router")
    removal.set_defaults(command=forget)


async def show_config(command: Command) -> None:
    """Print the configuration of a gateway; hints go to standard error."""
    gw_id = command.arguments.gw_id
    key = mint_token() if command.arguments.new_key else None

    async def work(cursor: Cursor) -> Gateway:
        gateway = await lock_gateway(cursor, gw_id)
        if gateway is None:
            raise unknown(gw_id)
        problem = obstacle(router_format, server, has_key=bool(gateway.key_hashes) or key is not None)
        if problem is not None and not command.arguments.json:
            raise CommandFailed(problem)
        if key is not None:
            await add_key(cursor, gateway, key)
        return gateway

    server = await find_server(command)
    router_format = RouterFormat(command.arguments.router_format or RouterFormat.WIFIDOG)
    gateway = await command.transaction(work)
    shown = PLACEHOLDER if gateway.key_hashes and key is None else key
    if command.arguments.json:
        print_json(_document(server, gateway, key))
        return
    print(configuration(router_format, gateway, server, shown), end="")
    for note in notes_on(router_format, gateway, server, has_key=shown is not None):
        complain(note)
    if shown is PLACEHOLDER:
        wanted = "" if router_format is RouterFormat.WIFIDOG else f" --for {router_format.value}"
        complain(
            "Only the router knows its key.  For a new one, with the last still valid: "
            f"`wifidogctl gateway config {gw_id}{wanted} --new-key`."
        )
    elif key is not None:
        tell_of_key(gateway)


async def forget(command: Command) -> None:
    """Remove a gateway; its guests stay online until it next asks about them."""
    gw_id = command.arguments.gw_id
    ended = await command.transaction(lambda cursor: remove(cursor, gw_id, command.now))
    if ended is None:
        raise unknown(gw_id)
    print(f"Removed {gw_id} and ended {count(ended, 'session')}.")


def _document(server: ServerAddress, gateway: Gateway, key: str | None) -> dict[str, object]:
    """Return the same for scripts; C{key} is None also where it is not known."""
    return {
        "gw_id": gateway.gw_id,
        "gateway_port": gateway.port,
        "check_interval_seconds": seconds(gateway.interval),
        "keyed": bool(gateway.key_hashes) or key is not None,
        "key": key,
        "auth_server": {"hostname": server.host, "port": server.port, "tls": server.tls, "path": server.path},
    }
