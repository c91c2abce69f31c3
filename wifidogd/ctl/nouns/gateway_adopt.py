"""wifidogctl gateway adopt: let the guests of a router sign in."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, BooleanOptionalAction
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from wifidogd.ctl.cli.arguments import check_interval, gateway_id, guest_address, port
from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import complain
from wifidogd.ctl.cli.server_address import find_server, server_options
from wifidogd.ctl.nouns.gateway_candidate import describe, expect_no_mistake, look_up
from wifidogd.ctl.nouns.gateway_list import doubts, shared_names
from wifidogd.domain.gateways import Gateway, WaitingGateway, is_absent
from wifidogd.domain.sessions import Counters
from wifidogd.domain.tokens import hash_secret, mint_token
from wifidogd.gateways.adoption import Companions, find_companions
from wifidogd.gateways.configurations.format_notes import notes_on, obstacle
from wifidogd.gateways.configurations.router_formats import RouterFormat, configuration, format_of
from wifidogd.gateways.registry import DEFAULT_NETWORK
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.gateways import adopt, lock_gateway, set_keys


def add_adopt(verbs: Callable[..., ArgumentParser]) -> None:
    """Add the verb."""
    parser = verbs(
        "adopt",
        parents=[server_options()],
        help="adopt a router, so that its guests can sign in",
        description="Adopt a router, so that its guests can sign in, and print its configuration with a key that only "
        "the router and the server know; or change the settings of an adopted one.",
    )
    parser.add_argument(
        "gw_id",
        type=_new_gateway_id,
        metavar="GW_ID",
        help="GatewayID of the router; or device_id of an apfree-wifidog, for all gateways on it",
    )
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
    parser.add_argument(
        "--counters",
        choices=[each.value for each in Counters],
        help="what its software calls incoming: straight for what guests receive, swapped for what they send, auto for "
        "what is known of the software and seen of its packets (default: auto); "
        "`wifidogctl gateway show` says when they look exchanged",
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
    known = await command.transaction(lambda cursor: look_up(cursor, typed.gw_id))
    expect_no_mistake(command, known)
    gateway = describe(command, known)
    heard = [one for one in known.waiting if one.gw_id == gateway.gw_id]
    _complain_of(shared_names(heard, command.now))
    companions = find_companions(gateway.gw_id, known.waiting, known.adopted)
    shares_key = bool(companions.key_hashes) and known.gateway is None and not typed.no_key
    if shares_key:
        gateway = replace(gateway, key_hashes=companions.key_hashes)
    wants_key = typed.with_key or (known.gateway is None and not typed.no_key)
    key = mint_token() if wants_key and not shares_key else None
    gateways = [gateway, *(_like(gateway, one) for one in _to_adopt_too(command, gateway, companions))]
    server = None if key is None else await find_server(command)
    router_format = RouterFormat(typed.router_format or format_of(heard[0].version if heard else None))
    if server is not None and (problem := obstacle(router_format, server, has_key=True)) is not None:
        raise CommandFailed(problem)

    async def work(cursor: Cursor) -> list[bool]:
        return [await _adopt(cursor, one, key, command.now) for one in gateways]

    for one, is_new in zip(gateways, await command.transaction(work), strict=True):
        host = f"[{one.address}]" if ":" in one.address else one.address
        done = "Adopted" if is_new else "Changed"
        print(f"{done} {one.gw_id} of network {one.network}: guests go to http://{host}:{one.port}/")
    if key is not None and server is not None:
        tell_of_key(gateway)
        _complain_of(notes_on(router_format, gateway, server, has_key=True))
        print()
        named = replace(gateway, device_ids=(companions.device_id,)) if companions.device_id else gateway
        print(configuration(router_format, named, server, key, others=gateways[1:]), end="")
        return
    if shares_key:
        complain(f"It has the key of the other gateways on {companions.device_id}, which that router knows already.")
    elif known.gateway is None:
        complain(
            "It has no key: whoever reaches the server can speak for it.  "
            f"If its software can have one: `wifidogctl gateway config {gateway.gw_id} --new-key`."
        )
    _complain_of(doubts(gateways, known.networks))


async def _adopt(cursor: Cursor, gateway: Gateway, key: str | None, now: datetime) -> bool:
    """Adopt a gateway, perhaps with one key more, and return whether it was new."""
    locked = await lock_gateway(cursor, gateway.gw_id)
    is_new = await adopt(cursor, gateway, now)
    if key is not None:
        await add_key(cursor, locked or gateway, key)
    return is_new


def _to_adopt_too(command: Command, gateway: Gateway, companions: Companions) -> Sequence[WaitingGateway]:
    """Return the gateways on the same device that are adopted with one; of others, say how to adopt them."""
    typed = command.arguments.gw_id
    for one in companions.addressless:
        complain(
            f"{one.gw_id} on {companions.device_id} has not said where its guests find it: adopt it when its first "
            "guest has come, or add --address."
        )
    if not companions.ready or typed == companions.device_id:
        return companions.ready
    names = ", ".join(f"{one.gw_id} ({one.address})" for one in companions.ready)
    if not sys.stdin.isatty():
        complain(
            f"On the same router wait {names}, which need the same key: "
            f"`wifidogctl gateway adopt {companions.device_id}` adopts all."
        )
        return ()
    question = f"On the same router wait {names}.  Adopt them with {gateway.gw_id} (y or n): "
    return companions.ready if input(question).strip().lower() in ("y", "yes") else ()


def _like(gateway: Gateway, waiting: WaitingGateway) -> Gateway:
    """Return a waiting gateway with the settings of another on the same device."""
    return replace(gateway, gw_id=waiting.gw_id, address=waiting.address or "", port=waiting.port or gateway.port)


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
