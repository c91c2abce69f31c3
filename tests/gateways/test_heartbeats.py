"""Pings are remembered whatever the store does, and written together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pytest_twisted import async_fixture, async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.support.builders import LOBBY, MINUTE, NOON, SECOND, Recording, adopt_all, rows, run
from tests.support.deadline import within
from tests.support.postgres import ThrowawayPostgres
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.domain.gateways import Heartbeat, WaitingGateway
from wifidogd.gateways.heartbeats import MOST_WAITING, Heartbeats
from wifidogd.gateways.registry import Registry
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.waiting_gateways import list_waiting
from wifidogd.store.migrations import migrate

STRANGER = WaitingGateway("new", NOON, NOON, "192.0.2.1", "192.168.2.1", 2060, "WiFiDog 1.3.0")

SEEN = "SELECT gw_id, seen_at, version FROM heartbeats ORDER BY gw_id"


@async_fixture
async def registry(database: Database) -> Registry:
    """Who is adopted: the lobby and the bar."""
    await adopt_all(database, LOBBY, replace(LOBBY, gw_id="bar"))
    registry = Registry(database, utc_now=lambda: NOON)
    await within(10, registry.refresh())
    return registry


@pytest.fixture
def heartbeats(database: Database, registry: Registry) -> Heartbeats:
    """The pings under test."""
    return Heartbeats(database, registry)


def beat(gw_id: str, at: datetime = NOON, version: str | None = "v") -> Heartbeat:
    """Ping."""
    return Heartbeat(gw_id, at, "192.0.2.1", version, wifidog_uptime=at - NOON + timedelta(days=1))


@ensureDeferred
async def test_nothing_is_written_before_the_flush(database: Database, heartbeats: Heartbeats) -> None:
    """Then the last ping of each is written, and only once."""
    for at in (NOON, NOON + SECOND):
        heartbeats.beat(beat("lobby", at))
        heartbeats.beat(beat("bar", at))
        heartbeats.beat(beat("stranger", at))
    assert await rows(database, SEEN) == []
    await within(10, heartbeats.flush())
    assert await rows(database, SEEN) == [("bar", NOON + SECOND, "v"), ("lobby", NOON + SECOND, "v")]
    waiting = await run(database, list_waiting)
    assert waiting == [WaitingGateway("stranger", NOON, NOON + SECOND, "192.0.2.1", version="v")]


@ensureDeferred
async def test_a_heartbeat_by_websocket_completes_the_ping_before_it(
    database: Database, heartbeats: Heartbeats
) -> None:
    """It names no version, and a restart that only the ping told of is noticed all the same."""
    heartbeats.beat(beat("lobby"))
    await within(10, heartbeats.flush())
    heartbeats.beat(replace(beat("lobby", NOON + MINUTE), wifidog_uptime=10 * SECOND, load=0.5))
    heartbeats.beat(Heartbeat("lobby", NOON + MINUTE + 2 * SECOND, "192.0.2.1", by_websocket=True))
    await within(10, heartbeats.flush())
    told = "SELECT seen_at, version, load, wifidog_uptime, restarted_at FROM heartbeats"
    expected = (NOON + MINUTE + 2 * SECOND, "v", 0.5, 12 * SECOND, NOON + 50 * SECOND)
    assert await rows(database, told) == [expected]


@ensureDeferred
async def test_a_flush_is_one_statement_for_each_table(database: Database, registry: Registry) -> None:
    """However many gateways there are; without news it is none."""
    recording = Recording(database)
    heartbeats = Heartbeats(recording, registry)
    await within(10, heartbeats.flush())
    assert recording.statements == []
    for number in range(50):
        heartbeats.beat(beat("lobby", NOON + number * SECOND))
        heartbeats.beat(beat("bar"))
        heartbeats.beat(beat(f"stranger{number}"))
    await within(10, heartbeats.flush())
    await within(10, heartbeats.flush())
    assert len(recording.statements) == 2


@ensureDeferred
async def test_the_list_of_strangers_is_bounded(database: Database, heartbeats: Heartbeats) -> None:
    """In memory and in the table, over many flushes; who was heard last stays."""
    for turn in range(3):
        for number in range(2 * MOST_WAITING):
            heartbeats.beat(beat(f"{turn}-{number}", NOON + turn * SECOND))
        assert len(heartbeats._waiting) == MOST_WAITING
        await within(10, heartbeats.flush())
    heartbeats.beat(beat("0-0", NOON + MINUTE))
    await within(10, heartbeats.flush())
    waiting = await run(database, list_waiting)
    assert len(waiting) == MOST_WAITING
    assert waiting[0].gw_id == "0-0"
    assert waiting[0].last_seen == NOON + MINUTE
    assert all(one.gw_id.startswith("2-") for one in waiting[1:])


@ensureDeferred
async def test_a_stranger_who_invents_gateways_keeps_no_other_off_the_list(
    database: Database, heartbeats: Heartbeats
) -> None:
    """Neither who was there before, nor who comes in the middle of it, in memory and in the table."""
    heartbeats.beat(replace(beat("early"), source="192.0.2.8"))
    for turn in range(3):
        for number in range(2 * MOST_WAITING):
            heartbeats.beat(replace(beat(f"{turn}-{number}", NOON + MINUTE), source="198.51.100.7"))
        heartbeats.beat(replace(beat(f"late{turn}"), source="192.0.2.9"))
        for number in range(MOST_WAITING):
            heartbeats.beat(replace(beat(f"{turn}-x{number}", NOON + MINUTE), source="198.51.100.7"))
        await within(10, heartbeats.flush())
    waiting = {one.gw_id for one in await run(database, list_waiting)}
    assert len(waiting) == MOST_WAITING
    assert waiting >= {"early", "late0", "late1", "late2"}


@pytest.mark.parametrize("block", ["2001:db8:0:{:x}::1", "198.51.100.{}"])
@ensureDeferred
async def test_a_delegation_cannot_fill_the_list(database: Database, heartbeats: Heartbeats, block: str) -> None:
    """Not even from as many networks, or addresses, as there is room."""
    heartbeats.beat(replace(beat("early"), source="192.0.2.8"))
    for turn in range(2):
        for number in range(MOST_WAITING + 49):
            source = block.format(number)
            heartbeats.beat(replace(beat(f"{turn}-{number}", NOON + MINUTE), source=source))
            heartbeats.beat(replace(beat(f"{turn}-again{number}", NOON + MINUTE), source=source))
        heartbeats.beat(replace(beat(f"late{turn}"), source=f"192.0.{turn}.9"))
        await within(10, heartbeats.flush())
    waiting = {one.gw_id for one in await run(database, list_waiting)}
    assert len(waiting) == MOST_WAITING
    assert waiting >= {"early", "late0", "late1"}


@ensureDeferred
async def test_a_stranger_is_known_by_all_it_said(database: Database, heartbeats: Heartbeats) -> None:
    """Its guests tell the address, its pings the version; within a flush and over several."""
    for _ in range(2):
        heartbeats.wait(replace(STRANGER, version=None))
        heartbeats.wait(replace(STRANGER, address=None, port=None, last_seen=NOON + SECOND))
        await within(10, heartbeats.flush())
        assert await run(database, list_waiting) == [replace(STRANGER, last_seen=NOON + SECOND)]


@pytest.mark.parametrize(
    "poison", [beat("bar", version="\x00"), beat("poison", version="\x00"), replace(beat("bar"), source="fe80::1%eth0")]
)
@ensureDeferred
async def test_one_ping_that_the_store_refuses_costs_no_other(
    database: Database, heartbeats: Heartbeats, poison: Heartbeat
) -> None:
    """Anybody can send one: the others are written, and it is not tried for ever."""
    heartbeats.beat(beat("lobby"))
    heartbeats.beat(poison)
    for number in range(5):
        heartbeats.beat(beat(f"stranger{number}"))
    await within(10, heartbeats.flush())
    assert await rows(database, SEEN) == [("lobby", NOON, "v")]
    assert len(await run(database, list_waiting)) == 5
    assert not heartbeats._beats
    assert not heartbeats._waiting


@pytest.fixture
def fragile() -> Iterator[ThrowawayPostgres]:
    """A PostgreSQL that may be stopped."""
    server = ThrowawayPostgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@async_yield_fixture
async def frail_database(fragile: ThrowawayPostgres) -> AsyncIterator[Database]:
    """A database on it that knows the lobby."""
    database = Database(clock=reactor)
    database.start(fragile.dsn)
    await within(20, migrate(database))
    await adopt_all(database, LOBBY)
    yield database
    await within(10, database.stop())


@ensureDeferred
async def test_nothing_is_lost_while_the_store_is_away(fragile: ThrowawayPostgres, frail_database: Database) -> None:
    """What could not be written waits, still bounded; what came since wins where it knows more."""
    registry = Registry(frail_database, utc_now=lambda: NOON)
    await within(10, registry.refresh())
    heartbeats = Heartbeats(frail_database, registry)
    heartbeats.beat(beat("lobby", NOON, "old"))
    heartbeats.wait(STRANGER)
    fragile.stop()
    for turn in range(3):
        with pytest.raises(StoreUnavailable):
            await flush_with_news(heartbeats, turn)
        assert len(heartbeats._waiting) == MOST_WAITING
    fragile.start()
    await within(20, patiently(heartbeats))
    assert await rows(frail_database, SEEN) == [("lobby", NOON + SECOND, "new")]
    waiting = {one.gw_id: one for one in await run(frail_database, list_waiting)}
    assert waiting["new"] == replace(STRANGER, last_seen=NOON + SECOND, version="2.0")
    assert len(waiting) == MOST_WAITING


async def flush_with_news(heartbeats: Heartbeats, turn: int) -> None:
    """
    Begin to flush, receive pings of all gateways and of more strangers than are kept, and wait for the flush.

    A connection that is already dead fails it before the reactor's next turn, so the news must come in this one.
    """
    flushed = Deferred.fromCoroutine(heartbeats.flush())
    heartbeats.beat(beat("lobby", NOON + SECOND, "new"))
    heartbeats.wait(WaitingGateway("new", NOON + SECOND, NOON + SECOND, "192.0.2.1", version="2.0"))
    for number in range(MOST_WAITING):
        heartbeats.beat(replace(beat(f"{turn}-{number}"), source="198.51.100.7"))
    await within(10, flushed)


async def patiently(heartbeats: Heartbeats) -> None:
    """Flush until the store is back."""
    while True:
        try:
            return await heartbeats.flush()
        except StoreUnavailable:
            await deferLater(reactor, 0.05)


@ensureDeferred
async def test_two_servers_do_not_undo_each_others_pings(database: Database, registry: Registry) -> None:
    """A gateway's pings come to either: whichever writes first, the newest stays and a restart is seen once."""
    for first, second in ((0, 1), (1, 0)):
        servers = [Heartbeats(database, registry), Heartbeats(database, registry)]
        start = NOON + timedelta(hours=first)
        servers[0].beat(replace(beat("lobby", start, "old"), wifidog_uptime=timedelta(hours=5)))
        servers[1].beat(replace(beat("lobby", start + MINUTE, "new"), wifidog_uptime=SECOND))
        for number in (first, second):
            await within(10, servers[number].flush())
        query = "SELECT seen_at, version, restarted_at FROM heartbeats"
        assert await rows(database, query) == [(start + MINUTE, "new", start + MINUTE - SECOND)]


def test_a_full_waiting_list_makes_no_ping_dearer(heartbeats: Heartbeats, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is taken up, the others on it need not be looked at: invented names come by the thousand."""
    asked: list[str] = []

    def blocks_of(source: str) -> tuple[str, ...]:
        asked.append(source)
        return (source,)

    monkeypatch.setattr("wifidogd.gateways.heartbeats.blocks_of", blocks_of)
    pings = 3 * MOST_WAITING
    for number in range(pings):
        heartbeats.wait(replace(STRANGER, gw_id=f"invented-{number}", source=f"192.0.2.{number % 250}"))
    assert len(asked) <= 3 * pings


@ensureDeferred
async def test_two_gateways_of_one_name_are_recorded(database: Database, heartbeats: Heartbeats) -> None:
    """Adopted or waiting, by pings or by guests; what was noticed before a flush is not lost with the next ping."""
    for number in range(4):
        for gw_id in ("lobby", "default"):
            ping = Heartbeat(gw_id, NOON + number * SECOND, f"192.0.2.{number % 2}")
            heartbeats.beat(ping)
        guest = WaitingGateway("ap", NOON, NOON + number * SECOND, "192.0.2.1", f"192.168.{number % 2}.1", 2060)
        heartbeats.wait(guest)
        heartbeats.wait(replace(guest, gw_id="lobby"))
        heartbeats.wait(replace(guest, gw_id="quiet", address="192.168.0.1"))
    heartbeats.beat(Heartbeat("lobby", NOON + 120 * MINUTE, "192.0.2.9"))
    await within(10, heartbeats.flush())
    noticed = NOON + 3 * SECOND
    assert await rows(database, "SELECT gw_id, shared_at FROM heartbeats") == [("lobby", noticed)]
    waiting = {one.gw_id: one.shared_at for one in await run(database, list_waiting)}
    assert waiting == {"default": noticed, "ap": noticed, "quiet": None}
    heartbeats.beat(Heartbeat("bar", NOON + MINUTE, "192.0.2.9"))
    heartbeats.beat(Heartbeat("lobby", NOON + 121 * MINUTE, "192.0.2.9"))
    await within(10, heartbeats.flush())
    stored = await rows(database, "SELECT gw_id, shared_at FROM heartbeats ORDER BY 1")
    assert stored == [("bar", None), ("lobby", noticed)]
