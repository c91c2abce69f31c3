"""What reports show of gateways is kept with them."""

from __future__ import annotations

from dataclasses import replace

from pytest_twisted import async_fixture, ensureDeferred
from twisted.internet.task import Clock
from twisted.logger import formatEvent

from tests.support.builders import LOBBY, NOON, adopt_all, rows
from tests.support.deadline import within
from tests.support.observing import log_lines
from wifidogd.domain.sessions import Counters, Dialect, Octets, Report, Stage
from wifidogd.gateways.observations import CHANGE_AGAIN, MOST_GUESTS, Observations
from wifidogd.gateways.registry import Registry
from wifidogd.store.driver.database import Database

SEEN = "SELECT dialect, counters_seen FROM gateways"
LOGIN = Report(Stage.LOGIN, Dialect.OTHER, "t", "lobby")
UPSIDE_DOWN = Report(
    Stage.COUNTERS,
    Dialect.APFREE,
    "t",
    "lobby",
    octets=Octets(60_000, 2_000_000),
    packets=Octets(1000, 1500),
    read_as=Counters.SWAPPED,
)


class Scene:
    """A gateway, and what was observed of it."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, Clock()
        self.registry = Registry(database, utc_now=lambda: NOON)
        self.observations = Observations(database, self.registry, clock=self.clock)  # type: ignore[arg-type]

    async def adopt(self, counters: Counters) -> None:
        """Adopt the gateway, or change its setting."""
        await adopt_all(self.database, replace(LOBBY, counters=counters))
        await within(5, self.registry.refresh())

    async def hear(self, *reports: Report) -> tuple[str | None, str | None]:
        """Hear reports that were accepted; return what is stored afterwards."""
        for report in reports:
            self.observations.hear(report, "lobby")
        await within(5, self.observations.flush())
        await within(5, self.registry.refresh())
        [found] = await rows(self.database, SEEN)
        return found[0], found[1]


@async_fixture
async def scene(database: Database) -> Scene:
    scene = Scene(database)
    await scene.adopt(Counters.AUTO)
    return scene


@ensureDeferred
async def test_the_dialect_of_the_last_report_is_stored(scene: Scene) -> None:
    """One that does not say what it is does not make it unknown, unless it has counters."""
    assert await scene.hear(replace(LOGIN, dialect=Dialect.WIFIDOG_NG_2)) == ("wifidog-ng 2", None)
    scene.clock.advance(CHANGE_AGAIN)
    assert await scene.hear(LOGIN) == ("wifidog-ng 2", None)
    assert await scene.hear(replace(LOGIN, stage=Stage.COUNTERS)) == ("other", None)


@ensureDeferred
async def test_a_dialect_that_has_no_counters_does_not_send_them(scene: Scene) -> None:
    """Somebody else uses its library."""
    reported = replace(LOGIN, dialect=Dialect.WIFIDOG_NG_2, stage=Stage.COUNTERS)
    assert await scene.hear(reported) == ("other", None)


@ensureDeferred
async def test_a_dialect_does_not_change_with_every_report(scene: Scene) -> None:
    """Each change makes all processes read all gateways."""
    assert await scene.hear(replace(LOGIN, dialect=Dialect.WIFIDOG)) == ("wifidog", None)
    assert await scene.hear(replace(LOGIN, dialect=Dialect.APFREE)) == ("wifidog", None)
    scene.clock.advance(CHANGE_AGAIN)
    assert await scene.hear(replace(LOGIN, dialect=Dialect.APFREE)) == ("apfree", None)


@ensureDeferred
async def test_three_guests_show_which_direction_is_which(scene: Scene) -> None:
    """From then on reports are read so."""
    one, two, three = (replace(UPSIDE_DOWN, token=token) for token in "abc")
    assert await scene.hear(one, two, two, two) == ("apfree", None)
    assert not scene.observations.direct(one).is_exchanged
    assert await scene.hear(three) == ("apfree", "straight")
    assert scene.observations.direct(one).is_exchanged
    assert not scene.observations.direct(replace(one, packets=None)).is_exchanged
    assert not scene.observations.direct(replace(one, gw_id="nobody")).is_exchanged


@ensureDeferred
async def test_the_log_says_when_a_setting_looks_wrong(scene: Scene) -> None:
    """With what to do; the setting stays as it is."""
    await scene.adopt(Counters.SWAPPED)
    with log_lines("wifidogd.gateways.observations") as lines:
        await scene.hear(*(replace(UPSIDE_DOWN, token=token) for token in "abc"))
    assert [formatEvent(line) for line in lines] == [
        "what guests of lobby send and receive looks exchanged: if so, `wifidogctl gateway adopt lobby "
        "--counters straight`"
    ]
    assert not scene.observations.direct(UPSIDE_DOWN).is_exchanged


@ensureDeferred
async def test_only_the_latest_guests_count(scene: Scene) -> None:
    """What is remembered is bounded."""
    downloads = replace(UPSIDE_DOWN, octets=Octets(2_000_000, 60_000), packets=Octets(1500, 1000))
    assert await scene.hear(*(replace(UPSIDE_DOWN, token=str(number)) for number in range(9))) == ("apfree", "straight")
    others = (replace(downloads, token=f"x{number}") for number in range(MOST_GUESTS))
    assert await scene.hear(*others) == ("apfree", "swapped")
