"""What gateways do is written soon, once in ten minutes, and for those adopted only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.task import Clock

from tests.support.builders import put
from tests.support.deadline import within
from wifidogd.domain.errors import StoreError
from wifidogd.domain.reports.activity import ActivityKind, clock_seen
from wifidogd.gateways.activity import Activity
from wifidogd.gateways.registry import Registry
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.activity import fetch_activity

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ADOPT = (
    "INSERT INTO gateways (gw_id, network, address, port, adopted_at) VALUES ('lobby', 'default', '10.0.0.1', 1, now())"
)


class Watched:
    """An activity whose clocks the test moves."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.database = database
        self.registry = Registry(database, utc_now=self.now)
        self.activity = Activity(database, self.registry, clock=self.clock, utc_now=self.now)

    def now(self) -> datetime:
        """Return noon, and what has passed since."""
        return NOON + timedelta(seconds=self.clock.seconds())

    async def stored(self, gw_id: str = "lobby") -> dict[ActivityKind, datetime]:
        """Write, and read what is there then."""
        await within(5, self.activity.flush())
        return await within(5, self.database.transaction(lambda cursor: fetch_activity(cursor, gw_id)))


@ensureDeferred
async def test_the_same_is_written_once_in_ten_minutes(database: Database) -> None:
    """A gateway with a thousand guests costs a row for each kind."""
    await put(database, ADOPT)
    watched = Watched(database)
    await within(5, watched.registry.refresh())
    watched.activity.note("lobby", ActivityKind.GUEST)
    watched.activity.note("elsewhere", ActivityKind.GUEST)
    assert await watched.stored() == {ActivityKind.GUEST: NOON}
    assert await watched.stored("elsewhere") == {}
    for seconds, seen_at in ((599, 0), (1, 600)):
        watched.clock.advance(seconds)
        watched.activity.note("lobby", ActivityKind.GUEST)
        assert await watched.stored() == {ActivityKind.GUEST: NOON + timedelta(seconds=seen_at)}


@ensureDeferred
async def test_a_gateway_that_is_adopted_again_begins_anew(database: Database) -> None:
    """What the one before did is forgotten with it, in memory too."""
    await put(database, ADOPT)
    watched = Watched(database)
    await within(5, watched.registry.refresh())
    watched.activity.note("lobby", ActivityKind.PORTAL)
    assert len(await watched.stored()) == 1
    await put(database, "DELETE FROM gateways")
    await within(5, watched.registry.refresh())
    assert await watched.stored() == {}
    await put(database, ADOPT)
    await within(5, watched.registry.refresh())
    assert await watched.stored() == {}
    watched.activity.note("lobby", ActivityKind.PORTAL)
    assert await watched.stored() == {ActivityKind.PORTAL: NOON}


@ensureDeferred
async def test_what_cannot_be_written_is_kept(database: Database) -> None:
    """The newest instant wins, whoever writes first."""
    await put(database, ADOPT)
    watched = Watched(database)
    await within(5, watched.registry.refresh())
    away = Activity(Database(clock=Clock()), watched.registry, clock=watched.clock, utc_now=watched.now)
    away.note("lobby", ActivityKind.KEY)
    with pytest.raises(StoreError):
        await within(5, away.flush())
    away._database = database
    watched.clock.advance(1)
    watched.activity.note("lobby", ActivityKind.KEY)
    assert await watched.stored() == {ActivityKind.KEY: NOON + timedelta(seconds=1)}
    await within(5, away.flush())
    assert await watched.stored() == {ActivityKind.KEY: NOON + timedelta(seconds=1)}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (None, None),
        ("", None),
        ("N/A", None),
        ("-5", None),
        ("9" * 12, None),
        ("٣٣", None),
        ("0", ActivityKind.CLOCK_WRONG),
        (str(int(NOON.timestamp())), ActivityKind.CLOCK_RIGHT),
        (str(int(NOON.timestamp()) - 600), ActivityKind.CLOCK_RIGHT),
        (str(int(NOON.timestamp()) + 601), ActivityKind.CLOCK_WRONG),
    ],
)
def test_a_login_shows_the_clock_of_some_routers(text: str | None, kind: ActivityKind | None) -> None:
    """The rest says nothing, rather than something wrong."""
    assert clock_seen(text, NOON) is kind
