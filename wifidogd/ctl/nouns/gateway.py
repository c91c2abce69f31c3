"""wifidogctl gateway: routers, adopted and waiting."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Sequence

from wifidogd.ctl.cli.arguments import JSON, add_nouns, gateway_id
from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import complain, count, print_json, print_table, seconds
from wifidogd.ctl.cli.server_address import find_server, server_options
from wifidogd.ctl.nouns.gateway_adopt import add_adopt, add_format, add_key, tell_of_key
from wifidogd.ctl.nouns.gateway_list import list_all
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.server_address import ServerAddress
from wifidogd.domain.tokens import mint_token
from wifidogd.gateways.adoption import with_same_key
from wifidogd.gateways.checklist import Check, Evidence, checklist
from wifidogd.gateways.configurations.format_notes import notes_on, obstacle
from wifidogd.gateways.configurations.router_formats import RouterFormat, configuration
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.activity import fetch_activity
from wifidogd.store.gateways.gateways import fetch_gateways, lock_gateway, remove
from wifidogd.store.gateways.heartbeats import fetch_heartbeat
from wifidogd.store.gateways.router_connections import fetch_connected_at

STATES = {True: "yes", False: "no", None: "-"}
"""How a check of the check-list is shown."""

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
    config.add_argument(
        "--new-key",
        action="store_true",
        help="make another key for it, and for those with the same key; the last one stays valid",
    )
    config.set_defaults(command=show_config)
    _add_show(verbs)
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
            raise _unknown(gw_id)
        problem = obstacle(router_format, server, has_key=bool(gateway.key_hashes) or key is not None)
        if problem is not None and not command.arguments.json:
            raise CommandFailed(problem)
        if key is not None:
            for one in with_same_key(gateway, await fetch_gateways(cursor)) or [gateway]:
                await add_key(cursor, one, key)
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
        raise _unknown(gw_id)
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


def _add_show(verbs: Callable[..., ArgumentParser]) -> None:
    """Add the verb."""
    parser = verbs(
        "show",
        parents=[server_options(), JSON],
        help="show how far the installation of a router has come",
        description="Show what an adopted router has done so far, and for what it has not, what to do next.",
    )
    parser.add_argument("gw_id", type=gateway_id, metavar="GW_ID", help="GatewayID of the router")
    parser.set_defaults(command=show_one)


async def show_one(command: Command) -> None:
    """Print the check-list of an adopted gateway, and the next step of each thing that is missing."""
    gw_id = command.arguments.gw_id
    server = await find_server(command)

    async def work(cursor: Cursor) -> Evidence:
        gateway = await lock_gateway(cursor, gw_id)
        if gateway is None:
            raise _unknown(gw_id)
        heartbeat, activity = await fetch_heartbeat(cursor, gw_id), await fetch_activity(cursor, gw_id)
        connected_at = await fetch_connected_at(cursor, gw_id)
        return Evidence(gateway, heartbeat, activity, command.now, connected_at)

    evidence = await command.transaction(work)
    checks = checklist(evidence, server)
    if command.arguments.json:
        print_json(
            {"gw_id": gw_id, "network": evidence.gateway.network, "checks": [_check_document(one) for one in checks]}
        )
        return
    gateway = evidence.gateway
    host = f"[{gateway.address}]" if ":" in gateway.address else gateway.address
    print(f"{gw_id} of network {gateway.network}: guests go to http://{host}:{gateway.port}/")
    print_table(("CHECK", "DONE", "WHAT IS KNOWN"), [(one.name, STATES[one.passed], one.detail) for one in checks])
    _print_next_steps(checks)


def _unknown(gw_id: str) -> CommandFailed:
    """Return what is said of a gateway that is not adopted."""
    return CommandFailed(f"No gateway {gw_id} is adopted: `wifidogctl gateway list` shows which are and which wait.")


def _print_next_steps(checks: Sequence[Check]) -> None:
    steps = [one for one in checks if one.next_step is not None]
    if steps:
        print("\nNext:")
    for one in steps:
        print(f"- {one.name}: {one.next_step}")


def _check_document(check: Check) -> dict[str, object]:
    return {"check": check.name, "passed": check.passed, "detail": check.detail, "next_step": check.next_step}
