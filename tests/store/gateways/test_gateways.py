"""Gateways, adopted and waiting, as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from tests.support.deadline import within
from wifidogd.domain.errors import StoreRefused
from wifidogd.domain.gateways import Gateway, WaitingGateway
from wifidogd.domain.sessions import Reason
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.gateways import (
    adopt,
    count_gateways,
    fetch_gateways,
    fetch_revision,
    lock_gateway,
    remove,
    set_keys,
)
from wifidogd.store.gateways.waiting_gateways import forget_waiting, list_waiting, remember_waiting

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

LOBBY = Gateway("lobby", "default", "192.168.1.1", 2061, timedelta(seconds=30), (b"k" * 32,))
STRANGER = WaitingGateway("001217DA42D2", NOON, NOON, "203.0.113.7", "192.168.2.1", 2060, "WiFiDog 1.3.0")

OPEN_SESSION = """
    INSERT INTO sessions (token_hash, gw_id, mac, opened_at, activated_at, incoming)
    VALUES (%(token_hash)s, %(gw_id)s, %(mac)s, %(at)s, %(activated)s, 5)
"""

FETCH_HISTORY = """
    SELECT network, gw_id, mac, ended_at, reason, incoming
      FROM past_sessions
     ORDER BY mac
"""


async def adopt_at_noon(database: Database, gateway: Gateway) -> bool:
    """Adopt it."""
    return await within(5, database.transaction(lambda cursor: adopt(cursor, gateway, NOON)))


async def remember(database: Database, waiting: Sequence[WaitingGateway], most: int = 100) -> list[WaitingGateway]:
    """Remember them, and return all gateways that wait."""

    async def work(cursor: Cursor) -> list[WaitingGateway]:
        await remember_waiting(cursor, waiting, most)
        return await list_waiting(cursor)

    return await within(5, database.transaction(work))


@ensureDeferred
async def test_an_adopted_gateway_comes_back_as_it_was(database: Database) -> None:
    """Also one with an IPv6 address and no key; by gw_id."""
    plain = Gateway("attic", "default", "fd00::1")
    assert await adopt_at_noon(database, LOBBY)
    assert await adopt_at_noon(database, plain)
    assert await within(5, database.transaction(fetch_gateways)) == [plain, LOBBY]
    assert await within(5, database.transaction(count_gateways)) == 2


@ensureDeferred
async def test_adopting_again_changes_all_but_the_keys(database: Database) -> None:
    """Keys that a router has in its configuration survive a new address."""
    moved = replace(LOBBY, address="192.168.9.1", port=80, interval=MINUTE, key_hashes=())
    await adopt_at_noon(database, LOBBY)
    assert not await adopt_at_noon(database, moved)
    fetched = await within(5, database.transaction(fetch_gateways))
    assert fetched == [replace(moved, key_hashes=LOBBY.key_hashes)]
    assert fetched[0].key_hashes == LOBBY.key_hashes


@ensureDeferred
async def test_an_adopted_gateway_waits_no_longer(database: Database) -> None:
    """And is not noted as waiting when it calls again before the server has noticed."""
    await remember(database, [STRANGER])
    await adopt_at_noon(database, Gateway(STRANGER.gw_id, "default", "192.168.2.1"))
    assert await remember(database, [STRANGER]) == []


@ensureDeferred
async def test_a_gateway_needs_a_network_that_exists(database: Database) -> None:
    """PostgreSQL refuses any other."""
    with pytest.raises(StoreRefused):
        await adopt_at_noon(database, replace(LOBBY, network="nowhere"))


@ensureDeferred
async def test_every_change_is_a_new_revision(database: Database) -> None:
    """Adopting, keys and removal all tell servers to read again."""
    revisions = [await within(5, database.transaction(fetch_revision))]
    await adopt_at_noon(database, LOBBY)
    revisions.append(await within(5, database.transaction(fetch_revision)))
    await within(5, database.transaction(lambda cursor: set_keys(cursor, "lobby", ())))
    revisions.append(await within(5, database.transaction(fetch_revision)))
    await within(5, database.transaction(lambda cursor: remove(cursor, "lobby", NOON)))
    revisions.append(await within(5, database.transaction(fetch_revision)))
    assert sorted(set(revisions)) == revisions


@ensureDeferred
async def test_keys_are_replaced_as_a_whole(database: Database) -> None:
    """Newest first, two at most; for an unknown gateway nothing happens."""
    keys = (b"b" * 32, b"a" * 32)
    await adopt_at_noon(database, LOBBY)
    assert await within(5, database.transaction(lambda cursor: set_keys(cursor, "lobby", keys)))
    gateway = await within(5, database.transaction(lambda cursor: lock_gateway(cursor, "lobby")))
    assert gateway is not None
    assert gateway.key_hashes == keys
    assert not await within(5, database.transaction(lambda cursor: set_keys(cursor, "attic", keys)))
    with pytest.raises(StoreRefused):
        await within(5, database.transaction(lambda cursor: set_keys(cursor, "lobby", (*keys, b"c" * 32))))


@ensureDeferred
async def test_a_removed_gateways_sessions_go_down_in_history(database: Database) -> None:
    """Online or pending, with the octets they had; those of other gateways are kept."""
    attic = Gateway("attic", "default", "192.168.3.1")

    async def arrange(cursor: Cursor) -> None:
        for gateway in (LOBBY, attic):
            await adopt(cursor, gateway, NOON)
        for number, (gw_id, mac) in enumerate((("lobby", "00:00:00:00:00:01"), ("lobby", None), ("attic", None))):
            values = {"token_hash": bytes([number]) * 32, "gw_id": gw_id, "mac": mac, "at": NOON}
            await cursor.execute(OPEN_SESSION, {**values, "activated": NOON if mac else None})

    async def history(cursor: Cursor) -> list[tuple[Any, ...]]:
        await cursor.execute(FETCH_HISTORY)
        return cursor.fetchall()

    await within(5, database.transaction(arrange))
    assert await within(5, database.transaction(lambda cursor: remove(cursor, "lobby", NOON + MINUTE))) == 2
    end = (NOON + MINUTE, Reason.GATEWAY_REMOVED.value, 5)
    assert await within(5, database.transaction(history)) == [
        ("default", "lobby", "00:00:00:00:00:01", *end),
        ("default", "lobby", None, *end),
    ]
    assert await within(5, database.transaction(fetch_gateways)) == [attic]


@ensureDeferred
async def test_removing_an_unknown_gateway_is_told_apart(database: Database) -> None:
    """None is not the same as no session."""
    await adopt_at_noon(database, LOBBY)
    assert await within(5, database.transaction(lambda cursor: remove(cursor, "lobby", NOON))) == 0
    assert await within(5, database.transaction(lambda cursor: remove(cursor, "lobby", NOON))) is None


@ensureDeferred
async def test_a_waiting_gateway_is_remembered_with_all_it_said(database: Database) -> None:
    """A ping, which has no address, does not erase what a guest's redirect told; first_seen stays."""
    ping = replace(STRANGER, first_seen=NOON + MINUTE, last_seen=NOON + MINUTE, source="203.0.113.8")
    ping = replace(ping, address=None, port=None, version=None)
    assert await remember(database, [STRANGER]) == [STRANGER]
    assert await remember(database, [ping]) == [replace(STRANGER, last_seen=NOON + MINUTE, source="203.0.113.8")]


@ensureDeferred
async def test_an_older_sighting_does_not_set_back_last_seen(database: Database) -> None:
    """Two servers may flush what they heard in any order."""
    await remember(database, [STRANGER])
    earlier = replace(STRANGER, last_seen=NOON - MINUTE)
    assert (await remember(database, [earlier]))[0].last_seen == NOON


@ensureDeferred
async def test_strangers_get_no_more_room_than_there_is(database: Database) -> None:
    """Those heard from last are kept, with everything known about them."""
    crowd = [replace(STRANGER, gw_id=f"gw{number}", last_seen=NOON + number * MINUTE) for number in range(5)]
    assert [one.gw_id for one in await remember(database, crowd, most=3)] == ["gw4", "gw3", "gw2"]
    again = replace(crowd[3], first_seen=NOON + 8 * MINUTE, last_seen=NOON + 8 * MINUTE, version=None)
    new = replace(STRANGER, gw_id="gw9", last_seen=NOON + 9 * MINUTE)
    expected = [new, replace(crowd[3], last_seen=NOON + 8 * MINUTE), crowd[4]]
    assert await remember(database, [again, new], most=3) == expected


@pytest.mark.parametrize(
    ("others", "neighbours"),
    [("198.51.100.7", ["198.51.100.7"]), ("2001:db8::1", ["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:0:9::"])],
)
@ensureDeferred
async def test_who_invents_many_takes_no_place_from_another(
    database: Database, others: str, neighbours: list[str]
) -> None:
    """However late its inventions are; an IPv6 network has more addresses than a list has rows."""
    far = [replace(STRANGER, gw_id=f"far{number}", source=f"192.0.2.{number}") for number in range(3)]
    invented = [
        replace(STRANGER, gw_id=f"inv{number}", source=neighbours[number % len(neighbours)], last_seen=NOON + MINUTE)
        for number in range(20)
    ]
    crowd = [*far, replace(STRANGER, gw_id="first", source=others), *invented]
    waiting = {one.gw_id for one in await remember(database, crowd, most=6)}
    assert {one.gw_id for one in far} < waiting
    assert len(waiting) == 6
    late = replace(STRANGER, gw_id="late", source="2001:db8:0:1::1")
    assert "late" in {one.gw_id for one in await remember(database, [late, *invented], most=6)}


@ensureDeferred
async def test_no_news_is_no_error(database: Database) -> None:
    """A flush of nothing writes nothing."""
    assert await remember(database, []) == []


@ensureDeferred
async def test_strangers_that_went_silent_are_forgotten(database: Database) -> None:
    """Those last seen before the given moment, not at it."""
    await remember(database, [STRANGER, replace(STRANGER, gw_id="gone", last_seen=NOON - MINUTE)])
    assert await within(5, database.transaction(lambda cursor: forget_waiting(cursor, NOON))) == 1
    assert await within(5, database.transaction(list_waiting)) == [STRANGER]
