"""C{twistd wifidogd} as an operator runs it, with a PostgreSQL of its own that is killed under it."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from html import unescape
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.support.checkout import ROOT
from tests.support.deadline import within
from tests.support.observing import Output
from tests.support.running_server import Answer, ask

MAC = "02:ab:cd:ef:01:01"


class Twistd:
    """A server process on a port of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.output = Output()
        arguments = ["wifidogd", "--trust-new-gateways", "--data-dir", str(data_dir), "--listen"]
        self.process = reactor.spawnProcess(
            self.output,
            sys.executable,
            [sys.executable, "-m", "twisted", *arguments, "tcp:0:interface=127.0.0.1"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            path="/",
        )

    async def runs(self) -> None:
        while "Starting reactor" not in self.output.text:
            assert not self.output.ended.called, self.output.text
            await deferLater(reactor, 0.01)

    async def is_up(self) -> None:
        while "wifidogd is up" not in self.output.text:
            assert not self.output.ended.called, self.output.text
            await deferLater(reactor, 0.05)

    @property
    def port(self) -> int:
        return int(re.search(r"WifidogdSite starting on (\d+)", self.output.text)[1])

    @property
    def postmaster(self) -> int:
        return int((self.data_dir / "postgresql" / "postmaster.pid").read_text().split()[0])

    async def get(self, target: str) -> Answer:
        request = f"GET {target} HTTP/1.0\r\nUser-Agent: WiFiDog 1.3.0\r\nHost: localhost\r\n\r\n"
        return await within(20, ask(self.port, request.encode()))

    async def sign_in(self) -> str:
        page = await self.get(f"/wifidog/login/?gw_id=gw1&gw_address=10.11.0.1&gw_port=2060&mac={MAC}")
        form = "state=" + unescape(re.search(r'name="state" value="([^"]+)"', page.text)[1])
        head = "POST /wifidog/login HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        sent = await within(20, ask(self.port, f"{head}Content-Length: {len(form)}\r\n\r\n{form}".encode()))
        return re.search(r"token=([0-9a-z]{32})", sent.headers["location"])[1]

    async def auth(self, stage: str, token: str, incoming: int = 0) -> str:
        query = f"stage={stage}&ip=10.11.0.9&mac={MAC}&token={token}&incoming={incoming}&outgoing=7&gw_id=gw1"
        return (await self.get(f"/wifidog/auth/?{query}")).text


@pytest.fixture
def data_dir(scratch: Path) -> Path:
    return scratch / "data"


@pytest_twisted.async_yield_fixture
async def server(data_dir: Path) -> AsyncIterator[Twistd]:
    server = Twistd(data_dir)
    yield server
    if not server.output.ended.called:
        postmaster = server.postmaster
        server.process.signalProcess("KILL")
        await within(10, server.output.ended)
        await within(10, gone(postmaster))


async def gone(pid: int) -> None:
    """Wait until a process has ended, collected or not: nobody collects orphans in a container without an init."""
    status = Path(f"/proc/{pid}/stat")
    with suppress(FileNotFoundError, ProcessLookupError):
        while status.read_text().rpartition(")")[2].split()[0] != "Z":
            await deferLater(reactor, 0.05)


async def verdict(server: Twistd, token: str, incoming: int) -> str:
    """Ask as a gateway does, once an interval, until there is a verdict; until then the guest is left as they are."""
    while (answer := await server.auth("counters", token, incoming)) == "Auth: -1\n":
        await deferLater(reactor, 0.25)
    return answer


@pytest_twisted.ensureDeferred
async def test_a_killed_postgresql_changes_nothing_for_online_guests(server):
    """Nobody hears a 0, and every octet is there when it is back."""
    await within(60, server.is_up())
    token = await server.sign_in()
    assert await server.auth("login", token) == "Auth: 1\n"
    assert await within(30, verdict(server, token, 1000)) == "Auth: 1\n"
    os.kill(server.postmaster, signal.SIGKILL)
    assert (await server.get("/wifidog/ping/?gw_id=gw1")).text == "Pong"
    assert await within(30, verdict(server, token, 2000)) == "Auth: 1\n"
    portal = await server.get(f"/wifidog/portal/?gw_id=gw1&token={token}")
    assert portal.code == 200
    assert "2.0" in portal.text


@pytest_twisted.ensureDeferred
async def test_a_killed_server_leaves_nothing_behind_and_forgets_nobody(server, data_dir):
    """The next one takes over the data directory, and guests go on."""
    await within(60, server.is_up())
    token = await server.sign_in()
    assert await server.auth("login", token) == "Auth: 1\n"
    postmaster = server.postmaster
    server.process.signalProcess("KILL")
    await within(10, server.output.ended)
    await within(10, gone(postmaster))
    again = Twistd(data_dir)
    await within(60, again.is_up())
    assert await within(10, verdict(again, token, 3000)) == "Auth: 1\n"
    again.process.signalProcess("INT")
    await within(20, again.output.ended)
    assert not (data_dir / "postgresql" / "postmaster.pid").exists()


@pytest_twisted.ensureDeferred
async def test_ctrl_c_stops_everything_even_right_after_the_start(data_dir):
    """
    Whatever stage the start has reached.

    Before that Twisted looks for plugins and swallows what happens meanwhile, a KeyboardInterrupt too.
    """
    for delay in (0, 0.05, 0.2, 0.6, 1.2):
        starting = Twistd(data_dir)
        await within(30, starting.runs())
        await deferLater(reactor, delay)
        starting.process.signalProcess("INT")
        await within(20, starting.output.ended)
        assert not (data_dir / "postgresql" / "postmaster.pid").exists(), starting.output.text
