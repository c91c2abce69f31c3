"""Guests behind a repeater, which shows its own MAC for all of them, from the login page to the history."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import quote

import pytest_twisted

from tests.support.builders import rows, run
from tests.support.deadline import within
from tests.support.running_server import NOON, RunningServer
from wifidogd.domain.gateways import Gateway
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import adopt

REPEATER = "02:ab:cd:ef:01:01"
USED = "SELECT host(ip), incoming, outgoing FROM sessions ORDER BY ip"


class House:
    """The server, and the router that the repeater belongs to."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server

    async def form(self, ip: str) -> str | None:
        """Return the state of the form that the login page of a guest has; None for a guest who is online."""
        caught = f"gw_address=10.11.0.1&gw_port=2060&gw_id=cafe&ip={ip}&mac={REPEATER}"
        page = await within(10, self.server.get(f"/wifidog/login/?{caught}&url=http://a.example/"))
        found = re.search(r'name="state" value="([^"]+)"', page.text)
        return None if found is None or "You are online" in page.text else unescape(found[1])

    async def sign_in(self, ip: str) -> str:
        """Sign a guest in by splash, and have the router ask; return the token."""
        state = await self.form(ip)
        assert state is not None
        sent = await within(10, self.server.post("/wifidog/login", f"state={quote(state)}"))
        [token] = re.findall(r"token=([0-9a-z]{32})", sent.headers["location"])
        assert await self.report("login", ip, token) == "Auth: 1\n"
        return token

    async def report(self, stage: str, ip: str, token: str, incoming: int = 0, outgoing: int = 0) -> str:
        """Return what the router is answered."""
        said = f"ip={ip}&mac={REPEATER}&token={token}&incoming={incoming}&outgoing={outgoing}&gw_id=cafe"
        return (await within(10, self.server.get(f"/wifidog/auth/?stage={stage}&{said}"))).text


@pytest_twisted.async_yield_fixture
async def house(database: Database, dsn: str) -> AsyncIterator[House]:
    """A router that is adopted."""
    await run(database, adopt, Gateway("cafe", "default", "10.11.0.1"), NOON)
    server = RunningServer(dsn)
    await within(20, server.start())
    yield House(server)
    await within(20, server.stop())


@pytest_twisted.ensureDeferred
async def test_guests_behind_a_repeater_do_not_throw_each_other_off(house: House, database: Database) -> None:
    """Each signs in at an address of their own, and both go on; who is online is told so, and nobody else."""
    first, second = "10.11.0.130", "10.11.0.131"
    token = await house.sign_in(first)
    assert await house.form(first) is None
    other = await house.sign_in(second)
    for turn in (1, 2, 3):
        assert await house.report("counters", first, token, 1000 * turn, 10 * turn) == "Auth: 1\n"
        assert await house.report("counters", second, other, 50 * turn, 5 * turn) == "Auth: 1\n"
    assert await rows(database, USED) == [(first, 3000, 30), (second, 150, 15)]


@pytest_twisted.ensureDeferred
async def test_counters_of_32_bits_are_read_as_they_mean_it(house: House, database: Database) -> None:
    """Printed as signed beyond 2^31, begun again at 2^32, and once overtaken by an older report."""
    ip = "10.11.0.9"
    token = await house.sign_in(ip)
    for incoming, outgoing in (
        (2_147_480_000, 10), (-2_147_480_000, 20), (-1_000, 30), (-1_500, 29), (-900, 31), (500, 40), (2_000, 50),
    ):  # fmt: skip
        assert await house.report("counters", ip, token, incoming, outgoing) == "Auth: 1\n"
    assert await rows(database, USED) == [(ip, 2**32 + 2_000, 50)]
