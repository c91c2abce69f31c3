"""Gateways and guests against a real server, and every octet in the tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.support.builders import LOBBY, mac, open_online, put, rows, run, token_hash
from tests.support.deadline import within
from tests.support.running_server import RunningServer
from wifidogd.domain.sessions import Octets
from wifidogd.simulation.actors.behaviour import Leaving
from wifidogd.simulation.families.names import FAMILIES
from wifidogd.simulation.families.wifidog import Wifidog
from wifidogd.simulation.oracle.comparison import Audit, audit
from wifidogd.simulation.provisioning import (
    NETWORK,
    FoundGateways,
    adopt_all,
    find_gateways,
    open_network,
    remove_all,
    sites,
)
from wifidogd.simulation.run import Simulation
from wifidogd.simulation.statistics import Kind
from wifidogd.simulation.transport.client import NoAnswer
from wifidogd.simulation.transport.wire import Server, get, read_status
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import adopt
from wifidogd.store.operators.stored_sessions import BEGINNING, Kept, fetch_last_session, list_open, list_past

INTERVAL = timedelta(seconds=60)
SPEED = 600.0
EARLIER = datetime(2026, 11, 20, tzinfo=UTC)


class TimelyServer(RunningServer):
    """A server whose clock goes."""

    @property
    def now(self) -> datetime:
        """Return the time of the clock."""
        return datetime.now(UTC)

    @now.setter
    def now(self, now: datetime) -> None:
        """Nobody sets it."""


class Scenery:
    """A server with six adopted gateways and twenty guests."""

    def __init__(self, server: TimelyServer, database: Database, families: Sequence[str], speed: float = SPEED) -> None:
        self.server = server
        self.database = database
        self.families = families
        self.sites = sites(6, INTERVAL / speed)
        self.simulation = Simulation(
            Server("127.0.0.1", server.port, "/wifidog/"),
            self.sites,
            20,
            interval=INTERVAL.total_seconds(),
            speed=speed,
            reactor=reactor,  # type: ignore[arg-type]
            random=Random(4),
            families=[FAMILIES[name] for name in families],
        )

    async def build(self) -> Scenery:
        """Adopt the gateways and wait until the server knows."""
        await run(self.database, open_network)
        await run(self.database, adopt_all, self.sites, datetime.now(UTC))
        context = self.simulation.context
        target = Wifidog().login_target(context.server, self.sites[-1], "10.0.0.9", "02:00:00:00:00:09", "")
        page = get(context.server, target)
        for _ in range(100):
            answer, _ = await within(5, context.client.ask(page))
            if not isinstance(answer, NoAnswer) and read_status(answer) == 200:
                return self
            await deferLater(reactor, 0.1)  # type: ignore[arg-type]
        raise AssertionError("the server does not know the gateways")

    async def live(self, seconds: float, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        """Let everybody live, and something else happen when half of the time is over."""
        living = Deferred.fromCoroutine(self.simulation.run(seconds))
        await deferLater(reactor, seconds / 2)  # type: ignore[arg-type]
        if meanwhile is not None:
            await meanwhile()
        await within(60, living)

    async def kept(self) -> list[Kept]:
        """Read all sessions of the network."""
        past, _ = await run(self.database, list_past, NETWORK.name, (BEGINNING, 0), 10_000)
        return [*await run(self.database, list_open, NETWORK.name, 0, 10_000), *past]

    async def audit(self) -> Audit:
        """Compare."""
        return audit(self.simulation.context.history, await self.kept())


@pytest_twisted.async_yield_fixture
async def scenery(request: pytest.FixtureRequest, dsn: str, database: Database) -> AsyncIterator[Scenery]:
    """A server that runs, and everybody ready to begin."""
    server = TimelyServer(dsn)
    await within(20, server.start())
    yield await Scenery(server, database, [getattr(request, "param", "wifidog")]).build()
    await server.stop()


@pytest_twisted.async_yield_fixture
async def slow_scenery(dsn: str, database: Database) -> AsyncIterator[Scenery]:
    """The families with a WebSocket, and a report in three seconds, so that kicks are sooner than most of them."""
    server = TimelyServer(dsn)
    await within(20, server.start())
    yield await Scenery(server, database, CONNECTED, speed=20.0).build()
    await server.stop()


NEVER_ASKED = {
    "wifidog": {Kind.LIST, Kind.ROAM, Kind.WEBSOCKET},
    "apfree": {Kind.COUNTERS},
    "apfree-v1": {Kind.LIST},
    "wifidog-ng-1": {Kind.COUNTERS, Kind.WEBSOCKET},
}
"""What no gateway of a family asks for: of these the reference gateway lets its guests roam by the login page."""

CONNECTED = [name for name, family in FAMILIES.items() if family.keeps_websocket]

COUNTING = [name for name, family in FAMILIES.items() if family.reports_use]


@pytest.mark.parametrize("scenery", COUNTING, indirect=True)
@ensureDeferred
async def test_every_octet_is_accounted_for_until_somebody_changes_one(scenery: Scenery) -> None:
    """Through sign-ins, log-outs, roaming, idle time-outs and restarts."""
    await scenery.live(2.5)
    statistics, found = scenery.simulation.context.statistics, await scenery.audit()
    assert (statistics.faults, statistics.unanswered) == ([], 0)
    assert (found.differences, found.unchecked) == ([], 0)
    assert found.stored == found.expected
    assert found.stored.incoming > 0
    assert found.sessions >= 20
    # Lists come so often here that they are mostly sooner than kicks.
    never_asked = {kind for kind, asked in statistics.asked.items() if not asked.latencies.count} - {Kind.KICK}
    assert never_asked == NEVER_ASKED[scenery.families[0]], "a family counts each guest, or all of them at once"
    assert statistics.roams > 0
    await put(scenery.database, "UPDATE sessions SET incoming = incoming + 1 WHERE mac IS NOT NULL")
    await put(scenery.database, "UPDATE past_sessions SET outgoing = outgoing + 1 WHERE mac IS NOT NULL")
    changed = await scenery.audit()
    assert changed.stored.total == found.stored.total + found.sessions
    assert changed.difference_count > 0


@ensureDeferred
async def test_guests_who_log_out_halfway_are_kicked_and_every_octet_is_accounted_for(
    slow_scenery: Scenery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their routers' WebSockets; they stay for a moment only."""
    behaviour = slow_scenery.simulation.context.behaviour
    for name, pick in (("leave", lambda: Leaving.LOG_OUT_HALFWAY), ("time_online", lambda: 60.0)):
        monkeypatch.setattr(behaviour, name, pick)
    await slow_scenery.live(12)
    statistics, found = slow_scenery.simulation.context.statistics, await slow_scenery.audit()
    assert (statistics.faults, statistics.unanswered) == ([], 0)
    assert (found.differences, found.unchecked) == ([], 0)
    assert found.stored == found.expected
    assert statistics.asked[Kind.KICK].latencies.count > 0


@ensureDeferred
async def test_guests_who_are_kicked_without_reason_are_found_at_once(slow_scenery: Scenery) -> None:
    """By somebody who ends all sessions, of which the simulation knows nothing."""

    async def end_all() -> None:
        await put(slow_scenery.database, "UPDATE sessions SET ending = 'ended by the operator' WHERE mac IS NOT NULL")

    await slow_scenery.live(8, end_all)
    statistics = slow_scenery.simulation.context.statistics
    assert statistics.asked[Kind.KICK].wrong > 0
    assert [fault for fault in statistics.faults if fault.endswith(", and could stay")]


@pytest.mark.parametrize("scenery", ["wifidog-ng"], indirect=True)
@ensureDeferred
async def test_sessions_of_gateways_that_do_not_count_are_all_there_and_empty(scenery: Scenery) -> None:
    await scenery.live(2.5)
    statistics, found = scenery.simulation.context.statistics, await scenery.audit()
    assert (statistics.faults, statistics.unanswered) == ([], 0)
    assert (found.differences, found.unchecked) == ([], 0)
    assert found.sessions > 0
    assert found.stored == Octets()
    assert statistics.asked[Kind.COUNTERS].latencies.count == statistics.asked[Kind.LIST].latencies.count == 0


@pytest.mark.parametrize("scenery", COUNTING, indirect=True)
@ensureDeferred
async def test_sessions_that_somebody_takes_away_are_found_at_once(scenery: Scenery) -> None:
    """The gateways are told to let guests go that are online for certain."""

    async def lose_all() -> None:
        in_order = "SELECT token_hash FROM sessions WHERE activated_at IS NOT NULL ORDER BY token_hash FOR UPDATE"
        await put(
            scenery.database,
            f"WITH lost AS ({in_order}) DELETE FROM sessions USING lost WHERE sessions.token_hash = lost.token_hash",
        )

    await scenery.live(2.0, lose_all)
    statistics = scenery.simulation.context.statistics
    assert statistics.asked[Kind.COUNTERS].wrong + statistics.asked[Kind.LIST].wrong > 0
    assert [fault for fault in statistics.faults if fault.endswith("was answered 0, which is wrong")]
    assert (await scenery.audit()).difference_count > 0


@ensureDeferred
async def test_a_failure_of_the_simulation_itself_ends_it() -> None:
    """It is raised, and nobody waits for the end."""
    somewhere = Server("127.0.0.1", 9, "/wifidog/")
    simulation = Simulation(
        somewhere, sites(2, INTERVAL), 5, interval=60, speed=1, reactor=reactor, random=Random(4), families=[Wifidog()]
    )  # type: ignore[arg-type]

    async def stumble() -> None:
        raise ZeroDivisionError

    simulation.guests[3].live = stumble  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        await within(20, simulation.run(3600))
    assert simulation.context.clock.is_closed


@ensureDeferred
async def test_gateways_are_looked_up_adopted_and_removed(database: Database) -> None:
    """Others are left alone, and told apart."""
    now = EARLIER + timedelta(days=1)
    assert await run(database, find_gateways, now) == FoundGateways([], [], None, 0)
    await run(database, open_network)
    ours = sites(2, timedelta(milliseconds=20))
    assert [(site.gw_id, site.address, site.interval) for site in ours] == [
        ("sim-0001", "10.128.1.1", timedelta(seconds=1)),
        ("sim-0002", "10.128.2.1", timedelta(seconds=1)),
    ]
    await run(database, adopt_all, ours, EARLIER)
    assert await run(database, find_gateways, now) == FoundGateways(["sim-0001", "sim-0002"], [], None, 0)
    assert (await run(database, find_gateways, EARLIER)).alive_for == timedelta(seconds=15)
    for name, network in (("lobby", NETWORK.name), ("sim-0003", "default"), ("roof", "default")):
        await run(database, adopt, replace(ours[0], gw_id=name, network=network), EARLIER)
    assert (await run(database, find_gateways, now)).strangers == ["lobby", "sim-0003"]
    await run(database, remove_all, ["sim-0001", "sim-0002"], now)
    assert (await run(database, find_gateways, now)).leftovers == []
    assert len(await rows(database, "SELECT FROM gateways")) == 3


@ensureDeferred
async def test_sessions_are_read_page_by_page(database: Database) -> None:
    """Those of other networks, and those from before, are not."""
    await run(database, open_network)
    assert await run(database, fetch_last_session) == 0
    await run(database, adopt_all, [*sites(1, INTERVAL), LOBBY], EARLIER)
    for number in range(1, 8):
        await open_online(database, number, gw_id="lobby" if number == 7 else "sim-0001", octets=Octets(number, 1))
    await run(database, remove_all, ["sim-0001"], EARLIER)
    await run(database, adopt_all, sites(1, INTERVAL), EARLIER)
    for number in range(8, 12):
        await open_online(database, number, gw_id="sim-0001", octets=Octets(number, 1))
    assert await run(database, fetch_last_session) == 11
    first, after = await run(database, list_past, NETWORK.name, (BEGINNING, 0), 4)
    second, after = await run(database, list_past, NETWORK.name, after, 4)
    assert [kept.used.incoming for kept in (*first, *second)] == [1, 2, 3, 4, 5, 6]
    assert await run(database, list_past, NETWORK.name, after, 4) == ([], after)
    assert await run(database, list_open, NETWORK.name, 9, 10) == [
        Kept(number, token_hash(number), "sim-0001", mac(number), Octets(number, 1)) for number in (10, 11)
    ]
    assert len(await run(database, list_open, NETWORK.name, 0, 3)) == 3
