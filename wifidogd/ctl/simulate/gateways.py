"""The gateways of a simulation and their sessions, in the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from twisted.internet.task import deferLater

from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import complain, count
from wifidogd.domain.errors import StoreError, StoreUnavailable
from wifidogd.domain.gateways import Gateway
from wifidogd.simulation.provisioning import NETWORK, adopt_all, find_gateways, open_network, remove_all
from wifidogd.store.driver.database import Cursor
from wifidogd.store.operators.stored_sessions import BEGINNING, Kept, fetch_last_session, list_open, list_past

BATCH = 50
"""Gateways that one transaction adopts or removes."""

ROWS = 5_000
"""Sessions that one statement of the audit reads."""

PATIENCE = 20
"""Seconds that a database may be away when the simulation is over."""

T = TypeVar("T")


async def make_room(command: Command) -> None:
    """Remove what a killed simulation has left behind; refuse to disturb one that runs."""
    found = await command.transaction(lambda cursor: find_gateways(cursor, command.now))
    if found.strangers:
        raise CommandFailed(
            f"Gateway {found.strangers[0]} is in the way: simulated ones are called sim-0001 and so on, in network "
            f"{NETWORK.name}, and no other may be."
        )
    if found.alive_for is not None:
        left = int(found.alive_for.total_seconds()) + 1
        raise CommandFailed(
            f"Another simulation is running, or was until a moment ago: stop it, or try again in {left} seconds."
        )
    await remove(command, found.leftovers)
    if found.guests:
        complain(f"{count(found.guests, 'guest')} of other gateways are online and share the server with this.")


async def adopt(command: Command, gateways: Sequence[Gateway]) -> int:
    """
    Adopt the gateways of a simulation.

    @return: the number of the last session opened before it.
    """
    await command.transaction(open_network)
    for at in range(0, len(gateways), BATCH):
        await command.transaction(partial(adopt_all, gateways=gateways[at : at + BATCH], now=command.now))
    return await command.transaction(fetch_last_session)


async def kept(command: Command, mark: int) -> list[Kept]:
    """Read what is stored of sessions later than C{mark}: the open ones first, as they only ever become past ones."""
    found: dict[int, Kept] = {}
    after = mark
    while page := await _patiently(command, partial(list_open, network=NETWORK.name, after=after, limit=ROWS)):
        found.update((row.session_id, row) for row in page)
        after = page[-1].session_id
    place = (BEGINNING, 0)
    while True:
        page, place = await _patiently(command, partial(list_past, network=NETWORK.name, after=place, limit=ROWS))
        found.update((row.session_id, row) for row in page if row.session_id > mark)
        if len(page) < ROWS:
            return list(found.values())


async def remove(command: Command, gw_ids: list[str]) -> None:
    """Remove gateways; what cannot be removed now is removed by the next simulation."""
    try:
        for at in range(0, len(gw_ids), BATCH):
            work = partial(remove_all, gw_ids=gw_ids[at : at + BATCH], now=datetime.now(UTC))
            await _patiently(command, work)
    except StoreError as error:
        complain(f"The simulated gateways could not be removed ({error}): the next simulation will do it.")


async def _patiently(command: Command, work: Callable[[Cursor], Awaitable[T]]) -> T:
    """Run work that can be repeated, until a database that was restarted meanwhile answers."""
    for _ in range(PATIENCE):
        try:
            return await command.database.transaction(work, deadline=timedelta(seconds=60))
        except StoreUnavailable:
            await deferLater(command.reactor, 1)
    return await command.transaction(work)
