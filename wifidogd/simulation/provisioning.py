"""The gateways of a simulation in the database: adopted before it, removed after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.gateway_states import GatewayState, list_gateways
from wifidogd.store.gateways.gateways import adopt, remove
from wifidogd.store.gateways.networks import save_network

NETWORK = Network("simulation", "Simulation", retention=timedelta(days=1))
"""Where simulated guests are: one button, no limits, and a history that is soon forgotten."""

MOST_GATEWAYS = 2_000

SHORTEST_INTERVAL, LONGEST_INTERVAL = timedelta(seconds=1), timedelta(days=1)
"""What the directory takes for a CheckInterval."""

SHOWS_WITHIN = timedelta(seconds=15)
"""How long it may take at least until a ping is in the database; the server writes them every five seconds."""

_NAME = re.compile(r"sim-[0-9]{4}")


@dataclass(frozen=True, slots=True)
class FoundGateways:
    """
    The gateways in the database before a simulation begins.

    @ivar leftovers: gateways of simulations before.
    @ivar strangers: gateways that are in the way: of our names or in our network, but not of our making.
    @ivar alive_for: how long after its last sign of life another simulation counts as over; None if none does any more.
    @ivar guests: who are online at other gateways.
    """

    leftovers: list[str]
    strangers: list[str]
    alive_for: timedelta | None
    guests: int


def sites(count: int, interval: timedelta) -> list[Gateway]:
    """
    Describe gateways, whose MACs are believed so that guests may go from one to another (docs/protocol.md 8).

    @param count: L{MOST_GATEWAYS} at most.
    @param interval: how often they really report; what the directory cannot hold is rounded.
    """
    told = min(max(interval, SHORTEST_INTERVAL), LONGEST_INTERVAL)
    return [
        Gateway(
            f"sim-{number:04}",
            NETWORK.name,
            f"10.{128 + number // 250}.{number % 250}.1",
            interval=told,
            trust_macs=True,
        )
        for number in range(1, count + 1)
    ]


async def find_gateways(cursor: Cursor, now: datetime) -> FoundGateways:
    """
    Find the gateways of earlier simulations, and those in the way.

    A gateway that pinged, or was adopted, within its last three intervals belongs to a simulation that still runs.
    """
    states = await list_gateways(cursor, 100_000)
    ours = [state for state in states if _is_ours(state)]
    strangers = [
        state.gateway.gw_id
        for state in states
        if not _is_ours(state) and (state.gateway.network == NETWORK.name or _NAME.fullmatch(state.gateway.gw_id))
    ]
    left = max((_alive_until(state) - now for state in ours), default=timedelta())
    guests = sum(state.online for state in states if not _is_ours(state))
    return FoundGateways(
        [state.gateway.gw_id for state in ours], strangers, left if left > timedelta() else None, guests
    )


async def open_network(cursor: Cursor) -> None:
    """Make the network, or put it right."""
    await save_network(cursor, NETWORK)


async def adopt_all(cursor: Cursor, gateways: Sequence[Gateway], now: datetime) -> None:
    """Adopt gateways."""
    for gateway in gateways:
        await adopt(cursor, gateway, now)


async def remove_all(cursor: Cursor, gw_ids: Sequence[str], now: datetime) -> None:
    """End the sessions of gateways and forget them."""
    for gw_id in gw_ids:
        await remove(cursor, gw_id, now)


def _is_ours(state: GatewayState) -> bool:
    return state.gateway.network == NETWORK.name and _NAME.fullmatch(state.gateway.gw_id) is not None


def _alive_until(state: GatewayState) -> datetime:
    """Return until when a gateway counts as in use after its last sign of life."""
    seen_at = state.adopted_at if state.heartbeat is None else max(state.adopted_at, state.heartbeat.seen_at)
    return seen_at + max(3 * state.gateway.interval, SHOWS_WITHIN)
