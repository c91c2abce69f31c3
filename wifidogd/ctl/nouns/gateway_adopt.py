"""wifidogctl gateway adopt: let the guests of a router sign in."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, BooleanOptionalAction
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from wifidogd.ctl.cli.arguments import check_interval, gateway_id, guest_address, port
from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import complain
from wifidogd.ctl.cli.server_address import find_server, server_options
from wifidogd.ctl.nouns.gateway_list import doubts_about_macs, shared_names
from wifidogd.domain.addresses import is_private
from wifidogd.domain.gateways import Gateway, WaitingGateway, is_absent, near_misses
from wifidogd.domain.plans import Network
from wifidogd.domain.tokens import hash_secret, mint_token
from wifidogd.gateways.registry import DEFAULT_NETWORK
from wifidogd.gateways.router_formats import RouterFormat, configuration, format_of, notes_on, obstacle
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.gateways import adopt, fetch_gateways, lock_gateway, set_keys
from wifidogd.store.gateways.networks import fetch_networks
from wifidogd.store.gateways.waiting_gateways import list_waiting


class _Known(NamedTuple):
    """What is known before a gateway is adopted; C{gateway} is None unless it has been adopted before."""

    gateway: Gateway | None
    adopted: list[Gateway]
    waiting: list[WaitingGateway]
    networks: list[Network]


def add_adopt(verbs: Callable[..., ArgumentParser]) -> None:
    """Add the verb."""
    parser = verbs(
        "adopt",
        parents=[server_options()],
        help="adopt a router, so that its guests can sign in",
        description="Adopt a router, so that its guests can sign in, and print its configuration with a key that only "
        "the router and the server know; or change the settings of an adopted one.",
    )
    parser.add_argument("gw_id", type=_new_gateway_id, metavar="GW_ID", help="GatewayID of the router")
    parser.add_argument(
        "--address",
        type=guest_address,
        metavar="A",
        help="the router's own address in its guest network (default: the one it named while it waited)",
    )
    parser.add_argument("--port", type=port, metavar="P", help="its GatewayPort (default: 2060)")
    parser.add_argument("--network", metavar="NAME", help=f"the network it belongs to (default: {DEFAULT_NETWORK})")
    parser.add_argument("--interval", type=check_interval, metavar="S", help="its CheckInterval, seconds (default: 60)")
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument("--with-key", action="store_true", help=SUPPRESS)
    keys.add_argument(
        "--no-key",
        action="store_true",
        help="make no key, for software that cannot have one: whoever reaches the server can then speak for the router",
    )
    parser.add_argument(
        "--trust-macs",
        action=BooleanOptionalAction,
        help="without a key, believe which device is reported all the same: anybody can then come back as a device "
        "that is remembered by its MAC address, and use up what a plan gives to a device",
    )
    add_format(parser, "what its software reads, by default as far as its calls tell")
    parser.add_argument("--expect", action="store_true", help="adopt it although no router of that name has called yet")
    parser.set_defaults(command=adopt_one)


def add_format(parser: ArgumentParser, help_text: str) -> None:
    """Add the option that says what a router's configuration is printed for."""
    formats = [each.value for each in RouterFormat]
    named = f"{help_text}: {', '.join(formats)}"
    parser.add_argument("--for", dest="router_format", choices=formats, metavar="FORMAT", help=named)


async def adopt_one(command: Command) -> None:
    """Adopt a gateway, or change one; with a key, print its configuration the only time it can be printed."""
    typed = command.arguments
    known = await command.transaction(lambda cursor: _look_up(cursor, typed.gw_id))
    _expect_no_mistake(command, known)
    gateway = _describe(command, known)
    heard = [one for one in known.waiting if one.gw_id == gateway.gw_id]
    _complain_of(shared_names(heard, command.now))
    key = mint_token() if typed.with_key or (known.gateway is None and not typed.no_key) else None
    server = None if key is None else await find_server(command)
    router_format = RouterFormat(typed.router_format or format_of(heard[0].version if heard else None))
    if server is not None and (problem := obstacle(router_format, server, has_key=True)) is not None:
        raise CommandFailed(problem)

    async def work(cursor: Cursor) -> bool:
        locked = await lock_gateway(cursor, gateway.gw_id)
        is_new = await adopt(cursor, gateway, command.now)
        if key is not None:
            await add_key(cursor, locked or gateway, key)
        return is_new

    is_new = await command.transaction(work)
    host = f"[{gateway.address}]" if ":" in gateway.address else gateway.address
    done = "Adopted" if is_new else "Changed"
    print(f"{done} {gateway.gw_id} of network {gateway.network}: guests go to http://{host}:{gateway.port}/")
    if key is not None and server is not None:
        tell_of_key(gateway)
        _complain_of(notes_on(router_format, gateway, server, has_key=True))
        print()
        print(configuration(router_format, gateway, server, key), end="")
        return
    if is_new:
        complain(
            "It has no key: whoever reaches the server can speak for it.  "
            f"If its software can have one: `wifidogctl gateway config {gateway.gw_id} --new-key`."
        )
    _complain_of(doubts_about_macs([gateway], known.networks))


def _new_gateway_id(text: str) -> str:
    """Check a GatewayID that is not only a way to say that there is none."""
    gw_id = gateway_id(text)
    if is_absent(gw_id):
        raise ArgumentTypeError(f"a router that calls itself {gw_id!r} has no name: set its GatewayID first")
    return gw_id


async def add_key(cursor: Cursor, gateway: Gateway, key: str) -> None:
    """Add a key to a gateway; of those before, only the newest stays valid."""
    await set_keys(cursor, gateway.gw_id, (hash_secret(key), *gateway.key_hashes[:1]))


def tell_of_key(gateway: Gateway) -> None:
    """
    Print what to do with a new key.

    @param gateway: as it was before.
    """
    complain(
        "The key is shown this once only; the one before stays valid until the next is made."
        if gateway.key_hashes
        else "The key is shown this once only: put these lines into the router's configuration and restart its gateway "
        "software.  Until then the server refuses its reports."
    )


def _complain_of(doubts: Iterable[str]) -> None:
    """Print each sentence to standard error."""
    for doubt in doubts:
        complain(doubt)


async def _look_up(cursor: Cursor, gw_id: str) -> _Known:
    adopted = await fetch_gateways(cursor)
    gateway = next((one for one in adopted if one.gw_id == gw_id), None)
    return _Known(gateway, adopted, await list_waiting(cursor), await fetch_networks(cursor))


def _expect_no_mistake(command: Command, known: _Known) -> None:
    """
    Ask whether a gateway is meant that nobody has heard of.

    @raise CommandFailed: if it is not, or if there is nobody to ask; or if a key is declined that it has.
    """
    gw_id, waiting = command.arguments.gw_id, [one.gw_id for one in known.waiting]
    if known.gateway is not None and known.gateway.key_hashes and command.arguments.no_key:
        raise CommandFailed(
            f"{gw_id} has a key, without which anybody could speak for it.  If its software cannot have one, "
            f"`wifidogctl gateway remove {gw_id}` first, which ends its sessions, and adopt it again."
        )
    if known.gateway is not None or gw_id in waiting or command.arguments.expect:
        return
    near = near_misses(gw_id, [*waiting, *(one.gw_id for one in known.adopted)])
    unheard = f"No router called {gw_id} has called this server yet."
    if near:
        unheard += f"  Did you mean {' or '.join(near)}?"
    if not sys.stdin.isatty():
        raise CommandFailed(
            f"{unheard}  `wifidogctl gateway list` shows those that wait; if it is to call later, add --expect."
        )
    complain(unheard)
    if input(f"Adopt {gw_id} all the same (y or n): ").strip().lower() not in ("y", "yes"):
        raise CommandFailed("Nothing was adopted.")


def _describe(command: Command, known: _Known) -> Gateway:
    """Return the gateway as typed, completed by what was known before and by what it said while it waited."""
    typed = command.arguments
    gateway = known.gateway or _as_it_waits(known, typed.gw_id)
    changes = {
        name: value
        for name, value in (
            ("address", typed.address), ("port", typed.port), ("network", typed.network), ("interval", typed.interval),
            ("trust_macs", typed.trust_macs),
        )
        if value is not None
    }  # fmt: skip
    gateway = replace(gateway, **changes)
    if not gateway.address:
        raise CommandFailed(
            f"{gateway.gw_id} has not said where its guests find it: "
            "add --address with the router's own address in its guest network, like 192.168.1.1."
        )
    networks = [network.name for network in known.networks]
    if gateway.network not in networks:
        raise CommandFailed(
            f"There is no network {gateway.network} (there is {', '.join(networks)}): "
            "make it with `wifidogctl network set NAME`."
        )
    return gateway


def _as_it_waits(known: _Known, gw_id: str) -> Gateway:
    """
    Return a gateway with the address and port that it named while it waited.

    @return: with an empty address if it has told none, or not a private one.
    """
    gateway = Gateway(gw_id, DEFAULT_NETWORK, "")
    for waiting in known.waiting:
        if waiting.gw_id == gw_id and waiting.address is not None and is_private(waiting.address):
            return replace(gateway, address=waiting.address, port=waiting.port or gateway.port)
    return gateway
