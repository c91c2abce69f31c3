"""A whole day of a guest at a hotspot, minute by minute, on a clock that the test advances."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from urllib.parse import quote

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import Clock

from tests.support.deadline import within
from tests.support.running_server import NOON, Answer, RunningServer
from wifidogd.accounting.expiry import Expiry
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network, Plan
from wifidogd.gateways.registry import Registry
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import adopt
from wifidogd.store.gateways.networks import save_network

PHONE = "02:ab:cd:ef:01:01"
GATEWAY = Gateway("cafe", "default", "10.11.0.1", trust_macs=True)
OFFER = Network("default", "Café", time_limit=timedelta(hours=4), quota_octets=2_000_000_000)

LOGIN = f"/wifidog/login/?gw_address=10.11.0.1&gw_port=2060&gw_id=cafe&ip=10.11.0.9&mac={PHONE}&url=http://a.example/"

PAST = "SELECT reason, incoming, outgoing, ended_at FROM past_sessions ORDER BY session_id"


def words(page: Answer) -> str:
    """Return the text of a page without its markup."""
    return re.sub(r"[ \n]+", " ", unescape(re.sub(r"<[^>]+>", " ", page.text)))


class Day:
    """The server, its timers, the gateway and the guest."""

    def __init__(self, server: RunningServer, database: Database) -> None:
        self.server = server
        self.database = database
        registry = Registry(database, utc_now=lambda: server.now)
        clock = Clock()
        clock.rightNow = reactor.seconds()
        self._clock = clock
        self.expiry = Expiry(
            database,
            registry,
            clock=clock,
            utc_now=lambda: server.now,
            unsettled_at=lambda: None,
            uninterrupted_since=lambda: 0.0,
        )
        self._swept_at = server.now
        self.token = ""
        self.incoming = self.outgoing = 0
        self.uptime = 0

    async def sign_in(self) -> None:
        """Sign in by splash, and report the login as the gateway would."""
        sent = await self.press_the_button()
        self.token = re.search(r"token=([0-9a-z]{32})", sent.headers["location"])[1]
        self.incoming = self.outgoing = 0
        assert await self.auth("login") == "Auth: 1\n"

    async def press_the_button(self) -> Answer:
        """Request the login page as redirected by the gateway, and send its form."""
        page = await self.server.get(LOGIN)
        state = unescape(re.search(r'name="state" value="([^"]+)"', page.text)[1])
        return await self.server.post("/wifidog/login", f"state={quote(state)}")

    async def auth(self, stage: str) -> str:
        said = f"ip=10.11.0.9&mac={PHONE}&token={self.token}&incoming={self.incoming}&outgoing={self.outgoing}"
        return (await self.server.get(f"/wifidog/auth/?stage={stage}&{said}&gw_id=cafe")).text

    async def use(self, minutes: int, incoming: int, outgoing: int) -> str:
        """Advance the clock with traffic; return the first verdict that is not 1, else the last."""
        verdict = ""
        for _ in range(minutes):
            self.server.now += timedelta(minutes=1)
            self.uptime += 60
            self.incoming += incoming
            self.outgoing += outgoing
            ping = await self.server.get(f"/wifidog/ping/?gw_id=cafe&wifidog_uptime={self.uptime}")
            assert ping.body == b"Pong"
            verdict = await self.auth("counters")
            if verdict != "Auth: 1\n":
                break
        return verdict

    async def sweep(self) -> None:
        """Run the timers' work once, as if all day had been real time."""
        self._clock.advance((self.server.now - self._swept_at).total_seconds())
        self._swept_at = self.server.now
        for job in (self.expiry.end_stale, self.expiry.end_overdue, self.expiry.end_unused):
            await within(10, job())

    async def rows(self, statement: str) -> list[tuple]:
        async def fetch(cursor):
            await cursor.execute(statement)
            return cursor.fetchall()

        return await within(5, self.database.transaction(fetch))


@pytest_twisted.async_yield_fixture
async def day(database: Database, dsn: str, request: pytest.FixtureRequest) -> AsyncIterator[Day]:
    """A network, with the plan that the test asks for."""
    plan = getattr(request, "param", None)

    async def furnish(cursor) -> None:
        if plan is not None:
            await save_plan(cursor, plan)
        offer = OFFER if plan is None else Network("default", "Café", plan=plan.name, time_zone="Europe/Berlin")
        await save_network(cursor, offer)
        await adopt(cursor, GATEWAY, NOON)

    await within(5, database.transaction(furnish))
    server = RunningServer(dsn)
    await within(20, server.start())
    yield Day(server, database)
    await server.stop()


@pytest_twisted.ensureDeferred
async def test_a_day_at_the_cafe(day):
    """Morning, a gateway that restarts, the time limit, the quota, a phone that walks away: every octet is kept."""
    server = day.server
    await day.sign_in()
    assert await day.use(60, 1_000_000, 50_000) == "Auth: 1\n"

    day.incoming = day.outgoing = day.uptime = 0
    assert await day.use(30, 1_000_000, 50_000) == "Auth: 1\n"
    assert await day.rows("SELECT incoming, outgoing FROM sessions") == [(90_000_000, 4_500_000)]

    server.now = NOON + timedelta(hours=3, minutes=58)
    assert await day.use(10, 1_000_000, 50_000) == "Auth: 0\n"
    assert server.now == NOON + timedelta(hours=4)
    assert await day.rows(PAST) == [("time is up", 92_000_000, 4_600_000, NOON + timedelta(hours=4))]
    assert await day.auth("counters") == "Auth: 0\n"

    await day.sign_in()
    assert await day.use(30, 99_000_000, 1_000_000) == "Auth: 0\n"
    assert (await day.rows(PAST))[1][:3] == ("quota is spent", 1_980_000_000, 20_000_000)

    await day.sign_in()
    assert await day.use(5, 10, 10) == "Auth: 1\n"
    last_heard = server.now
    server.now += timedelta(minutes=9)
    await day.sweep()
    assert len(await day.rows(PAST)) == 2
    server.now += timedelta(minutes=1)
    await day.sweep()
    assert (await day.rows(PAST))[2] == ("no more reports", 50, 50, last_heard)

    await day.sign_in()
    assert await day.auth("logout") == "Auth: 0\n"
    assert (await day.rows(PAST))[3][:3] == ("logged out", 0, 0)
    assert await day.rows("SELECT count(*) FROM sessions") == [(0,)]


QUOTA = Plan("quota", "Quota", span=timedelta(hours=24), span_time=timedelta(hours=2), span_octets=500_000_000)


@pytest.mark.parametrize("day", [QUOTA], indirect=True)
@pytest_twisted.ensureDeferred
async def test_two_hours_or_500_mb_in_any_24_hours(day):
    """The guest is told which limit it was and when to come back, is kept out until then, and comes back then."""
    server = day.server
    await day.sign_in()
    assert await day.use(60, 100_000, 10_000) == "Auth: 1\n"
    assert await day.auth("logout") == "Auth: 0\n"
    server.now = NOON + timedelta(hours=3)
    await day.sign_in()
    assert await day.use(61, 100_000, 10_000) == "Auth: 0\n"
    assert await day.rows(PAST) == [
        ("logged out", 6_000_000, 600_000, NOON + timedelta(hours=1)),
        ("used up for a while", 6_000_000, 600_000, NOON + timedelta(hours=4)),
    ]
    told = "You have used all that you may use for now. You may come back from Mon, Nov 23 1:01\u202fPM."
    page = await server.get(LOGIN)
    assert f"Your last stay has ended. {told}" in words(page)
    server.now = NOON + timedelta(hours=24, seconds=59)
    assert told.replace("Mon, Nov 23 ", "") in words(await day.press_the_button())

    server.now = NOON + timedelta(hours=24, minutes=1)
    await day.sign_in()
    assert await day.use(1, 400_000_000, 0) == "Auth: 1\n"
    assert await day.use(1, 87_129_999, 0) == "Auth: 1\n"
    day.incoming += 1
    assert await day.auth("counters") == "Auth: 0\n"
    assert (await day.rows(PAST))[2][0] == "used up for a while"
    assert await day.rows("SELECT incoming, outgoing, used_time FROM allowances") == [
        (499_130_000, 1_200_000, timedelta(hours=2, minutes=2))
    ]
