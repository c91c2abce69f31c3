"""Which gateway an operator means who adopts one, and what is known of it."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, NamedTuple

from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import complain
from wifidogd.domain.gateways import Gateway, WaitingGateway, near_misses
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import Counters
from wifidogd.gateways.adoption import has_address, on_device
from wifidogd.gateways.registry import DEFAULT_NETWORK
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.gateways import fetch_gateways
from wifidogd.store.gateways.networks import fetch_networks
from wifidogd.store.gateways.waiting_gateways import list_waiting


class Candidate(NamedTuple):
    """
    What is known before a gateway is adopted.

    @ivar gw_id: what was typed, or a gateway on the device that was typed.
    @ivar gateway: None unless it has been adopted before.
    """

    gw_id: str
    gateway: Gateway | None
    adopted: list[Gateway]
    waiting: list[WaitingGateway]
    networks: list[Network]


async def look_up(cursor: Cursor, gw_id: str) -> Candidate:
    """
    Fetch what is known of a gateway, and of all others.

    @param gw_id: or the name of a device, if no gateway has this name.
    """
    adopted = await fetch_gateways(cursor)
    waiting = await list_waiting(cursor)
    if gw_id not in {*(one.gw_id for one in adopted), *(one.gw_id for one in waiting)}:
        gw_id = on_device(gw_id, waiting) or gw_id
    gateway = next((one for one in adopted if one.gw_id == gw_id), None)
    return Candidate(gw_id, gateway, adopted, waiting, await fetch_networks(cursor))


def expect_no_mistake(command: Command, known: Candidate) -> None:
    """
    Ask whether a gateway is meant that nobody has heard of.

    @raise CommandFailed: if it is not, or if there is nobody to ask; or if a key is declined that it has.
    """
    gw_id, waiting = known.gw_id, [one.gw_id for one in known.waiting]
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


def describe(command: Command, known: Candidate) -> Gateway:
    """Return the gateway as typed, completed by what was known before and by what it said while it waited."""
    typed = command.arguments
    gateway = known.gateway or _as_it_waits(known, known.gw_id)
    changes: dict[str, Any] = {
        name: value
        for name, value in (
            ("address", typed.address), ("port", typed.port), ("network", typed.network), ("interval", typed.interval),
            ("trust_macs", typed.trust_macs), ("counters", typed.counters and Counters(typed.counters)),
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


def _as_it_waits(known: Candidate, gw_id: str) -> Gateway:
    """
    Return a gateway with the address and port that it named while it waited.

    @return: with an empty address if it has told none, or not a private one.
    """
    gateway = Gateway(gw_id, DEFAULT_NETWORK, "")
    for waiting in known.waiting:
        if waiting.gw_id == gw_id and has_address(waiting):
            return replace(gateway, address=waiting.address or "", port=waiting.port or gateway.port)
    return gateway
