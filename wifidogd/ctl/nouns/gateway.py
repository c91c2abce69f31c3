"""wifidogctl gateway: routers, adopted and waiting."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import replace

from wifidogd.ctl.cli.arguments import JSON, add_nouns, check_interval, gateway_id, guest_address, port
from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import complain, count, print_json, seconds
from wifidogd.ctl.cli.server_address import find_server, server_options
from wifidogd.ctl.nouns.gateway_list import list_all
from wifidogd.domain.addresses import is_private
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.server_address import ServerAddress
from wifidogd.domain.tokens import hash_secret, mint_token
from wifidogd.gateways.registry import DEFAULT_NETWORK
from wifidogd.gateways.router_config import auth_server_block, gateway_conf
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.gateways import adopt, lock_gateway, remove, set_keys
from wifidogd.store.gateways.networks import fetch_networks
from wifidogd.store.gateways.waiting_gateways import list_waiting

PLACEHOLDER = "YOUR-KEY"
"""Stands where a key belongs that only the router still knows."""

SAFETY = (
    "Set HTTPDUserName and HTTPDPassword in wifidog.conf: without them the router shows all tokens to any guest.",
    "Leave FirewallRuleSet auth-is-down out of it: it opens the internet to strangers whenever this server is slow.",
)
"""Said with every configuration (protocol.md 0.21 and 0.7)."""


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Add the noun and its verbs."""
    verbs = add_nouns(nouns("gateway", help="routers, adopted or waiting for it"))
    listing = verbs("list", parents=[JSON], help="list adopted gateways, and below them those that wait")
    listing.set_defaults(command=list_all)
    _add_adopt(verbs)
    config = verbs(
        "config",
        parents=[server_options(), JSON],
        help="print the lines for the router's wifidog.conf",
        description="Print the lines for the wifidog.conf of an adopted router.",
    )
    config.add_argument("gw_id", type=gateway_id, metavar="GW_ID", help="GatewayID of the router")
    config.add_argument("--new-key", action="store_true", help="make another key for it; the last one stays valid")
    config.set_defaults(command=show_config)
    removal = verbs("remove", help="forget a gateway and end its sessions")
    removal.add_argument("gw_id", type=gateway_id, metavar="GW_ID", help="GatewayID of the router")
    removal.set_defaults(command=forget)


def _add_adopt(verbs: Callable[..., ArgumentParser]) -> None:
    parser = verbs(
        "adopt",
        parents=[server_options()],
        help="adopt a router, so that its guests can sign in",
        description="Adopt a router, so that its guests can sign in, or change the settings of an adopted one.",
    )
    parser.add_argument("gw_id", type=gateway_id, metavar="GW_ID", help="GatewayID of the router")
    parser.add_argument(
        "--address",
        type=guest_address,
        metavar="A",
        help="the router's own address in its guest network (default: the one it named while it waited)",
    )
    parser.add_argument("--port", type=port, metavar="P", help="its GatewayPort (default: 2060)")
    parser.add_argument("--network", metavar="NAME", help=f"the network it belongs to (default: {DEFAULT_NETWORK})")
    parser.add_argument("--interval", type=check_interval, metavar="S", help="its CheckInterval, seconds (default: 60)")
    parser.add_argument("--with-key", action="store_true", help="make a secret key for this router")
    parser.set_defaults(command=adopt_one)


async def adopt_one(command: Command) -> None:
    """Adopt a gateway, or change one; with a key, print its configuration the only time it can be printed."""
    key = mint_token() if command.arguments.with_key else None

    async def work(cursor: Cursor) -> tuple[Gateway, bool]:
        known = await lock_gateway(cursor, command.arguments.gw_id)
        gateway = await _describe(cursor, command, known)
        is_new = await adopt(cursor, gateway, command.now)
        if key is not None:
            await _add_key(cursor, gateway, key)
        return gateway, is_new

    gateway, is_new = await command.transaction(work)
    host = f"[{gateway.address}]" if ":" in gateway.address else gateway.address
    done = "Adopted" if is_new else "Changed"
    print(f"{done} {gateway.gw_id} of network {gateway.network}: guests go to http://{host}:{gateway.port}/")
    if is_new and key is None:
        complain(
            "It has no key: whoever reaches the server can speak for it.  "
            f"If its software can have one: `wifidogctl gateway config {gateway.gw_id} --new-key`."
        )
    if key is not None:
        complain("The key is shown this once only; put these lines into the router's wifidog.conf.")
        _advise()
        print()
        print(_conf(await find_server(command), gateway, key), end="")


async def show_config(command: Command) -> None:
    """Print the lines for a gateway's wifidog.conf; hints go to standard error."""
    gw_id = command.arguments.gw_id
    key = mint_token() if command.arguments.new_key else None

    async def work(cursor: Cursor) -> Gateway:
        gateway = await lock_gateway(cursor, gw_id)
        if gateway is None:
            raise _unknown(gw_id)
        if key is not None:
            await _add_key(cursor, gateway, key)
        return gateway

    gateway = await command.transaction(work)
    shown = PLACEHOLDER if gateway.key_hashes and key is None else key
    server = await find_server(command)
    if command.arguments.json:
        print_json(_document(server, gateway, key))
        return
    print(_conf(server, gateway, shown), end="")
    if shown is PLACEHOLDER:
        complain(
            "Only the router knows its key.  For a new one, with the last still valid: "
            f"`wifidogctl gateway config {gw_id} --new-key`."
        )
    elif key is not None:
        complain("The key is shown this once only; the one before stays valid until the next is made.")
    _advise()


async def forget(command: Command) -> None:
    """Remove a gateway; its guests stay online until it next asks about them."""
    gw_id = command.arguments.gw_id
    ended = await command.transaction(lambda cursor: remove(cursor, gw_id, command.now))
    if ended is None:
        raise _unknown(gw_id)
    print(f"Removed {gw_id} and ended {count(ended, 'session')}.")


async def _describe(cursor: Cursor, command: Command, known: Gateway | None) -> Gateway:
    """Return the gateway as typed, completed by what was known before and by what it said while it waited."""
    typed = command.arguments
    gateway = known or await _as_it_waits(cursor, typed.gw_id)
    changes = {
        name: value
        for name, value in (
            ("address", typed.address), ("port", typed.port), ("network", typed.network), ("interval", typed.interval)
        )
        if value is not None
    }  # fmt: skip
    gateway = replace(gateway, **changes)
    if not gateway.address:
        raise CommandFailed(
            f"{gateway.gw_id} has not said where its guests find it: "
            "add --address with the router's own address in its guest network, like 192.168.1.1."
        )
    networks = [network.name for network in await fetch_networks(cursor)]
    if gateway.network not in networks:
        raise CommandFailed(
            f"There is no network {gateway.network} (there is {', '.join(networks)}): "
            "make it with `wifidogctl network set NAME`."
        )
    return gateway


async def _as_it_waits(cursor: Cursor, gw_id: str) -> Gateway:
    """
    Return a gateway with the address and port that it named while it waited.

    @return: with an empty address if it has told none, or not a private one.
    """
    gateway = Gateway(gw_id, DEFAULT_NETWORK, "")
    for waiting in await list_waiting(cursor):
        if waiting.gw_id == gw_id and waiting.address is not None and is_private(waiting.address):
            return replace(gateway, address=waiting.address, port=waiting.port or gateway.port)
    return gateway


async def _add_key(cursor: Cursor, gateway: Gateway, key: str) -> None:
    """Add a key to a gateway; of those before, only the newest stays valid."""
    await set_keys(cursor, gateway.gw_id, (hash_secret(key), *gateway.key_hashes[:1]))


def _conf(server: ServerAddress, gateway: Gateway, key: str | None) -> str:
    """Return the lines for a gateway's wifidog.conf; C{key} is None for a gateway without."""
    block = auth_server_block(server.host, server.port, server.tls, server.path, key)
    return gateway_conf(gateway, block)


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


def _advise() -> None:
    for advice in SAFETY:
        complain(advice)


def _unknown(gw_id: str) -> CommandFailed:
    return CommandFailed(f"No gateway {gw_id} is adopted: `wifidogctl gateway list` shows which are and which wait.")
