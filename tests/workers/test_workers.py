"""C{twistd wifidogd --workers 2} as an operator runs it: real processes that are killed, stopped and replaced."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.support.builders import LOBBY, adopt_all, mac, put, rows
from tests.support.checkout import ROOT
from tests.support.deadline import within
from tests.support.observing import Output
from tests.support.running_server import Answer, ask
from tests.support.testbed.fake_router import connect_router
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.driver.database import Database

GUESTS = 12
SECRET = "not-to-be-seen-by-ps"


class Parent:
    """
    A server of two workers on a port of its own, and a database that is not.

    @ivar lost: connections that broke or were refused.
    """

    def __init__(self, dsn: str) -> None:
        self.output = Output()
        self.lost = 0
        command = [sys.executable, "-m", "twisted", "--log-format=text", "wifidogd", "--workers", "2"]
        command += ["--listen", "tcp:0:interface=127.0.0.1"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "WIFIDOGD_DATABASE": f"{dsn} password={SECRET}"}
        self.process = reactor.spawnProcess(self.output, sys.executable, command, env=environment, path="/")

    @property
    def port(self) -> int:
        return int(re.search(r"Backlog starting on (\d+)", self.output.text)[1])

    def workers(self) -> list[int]:
        """List the processes of the workers that live."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [pid for pid in map(int, children) if is_alive(pid)]

    async def says(self, text: str, times: int = 1) -> None:
        while self.output.text.count(text) < times:
            assert not self.output.ended.called, self.output.text
            await deferLater(reactor, 0.02)

    async def is_up(self) -> None:
        """Wait until both workers answer."""
        await within(30, self.says("wifidogd is up"))
        await within(30, self.both_answer())

    async def both_answer(self) -> None:
        numbers: set[int] = set()
        while numbers != {1, 2}:
            asked = [ensureDeferred(self.get("/healthz")) for _ in range(8)]
            for answer in await gatherResults(asked):
                health = json.loads(answer.body)
                assert health["worker"]["of"] == 2
                if answer.code == 200:
                    numbers.add(health["worker"]["number"])

    async def get(self, target: str) -> Answer:
        """Ask as the reference gateway does, again if the connection is lost."""
        request = f"GET {target} HTTP/1.0\r\nUser-Agent: WiFiDog 1.3.0\r\nHost: localhost\r\n\r\n".encode()
        while True:
            with suppress(ConnectionClosed, ConnectError, IndexError):
                return await ask(self.port, request)
            self.lost += 1

    async def auth(self, number: int, stage: str, octets: int = 0) -> str:
        query = f"stage={stage}&ip=10.0.0.{number}&mac={mac(number)}&token={token(number)}&gw_id=lobby"
        return (await self.get(f"/wifidog/auth/?{query}&incoming={octets}&outgoing=1")).text

    async def stop(self) -> None:
        if not self.output.ended.called:
            self.process.signalProcess("INT")
            await within(20, self.output.ended)


def token(number: int) -> str:
    return f"{number:032d}"


def is_alive(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def can_listen(port: int) -> bool:
    """Return whether no process listens at a port."""
    with socket.socket() as listening, suppress(OSError):
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen()
        return True
    return False


async def until(true) -> None:
    while not true():
        await deferLater(reactor, 0.02)


async def let_in(database: Database) -> None:
    """Mint a token for each guest."""
    await adopt_all(database, LOBBY)
    for number in range(1, GUESTS + 1):
        await put(
            database,
            "INSERT INTO sessions (token_hash, gw_id, opened_at) VALUES (%(token_hash)s, 'lobby', %(now)s)",
            {"token_hash": hash_secret(token(number)), "now": datetime.now(UTC)},
        )


@pytest_twisted.async_yield_fixture
async def parent(database: Database, dsn: str) -> AsyncIterator[Parent]:
    await let_in(database)
    parent = Parent(dsn)
    await parent.is_up()
    yield parent
    await parent.stop()


async def count(parent: Parent, number: int, acknowledged: dict[int, int], going: list[bool]) -> None:
    """Report a guest's octets as fast as they are acknowledged."""
    octets = 0
    while going:
        octets += 1000
        if await parent.auth(number, "counters", octets) == "Auth: 1\n":
            acknowledged[number] = octets


@pytest_twisted.ensureDeferred
async def test_every_worker_records_the_one_address_of_the_server(parent: Parent, database: Database) -> None:
    """At the same moment, as they start."""
    await within(10, until_recorded(database))
    assert await rows(database, "SELECT path, is_guess FROM server_address") == [("/wifidog/", True)]


async def until_recorded(database: Database) -> None:
    while not await rows(database, "SELECT 1 FROM server_address"):
        await deferLater(reactor, 0.02)


@pytest_twisted.ensureDeferred
async def test_every_worker_shows_one_certificate_at_the_plain_port(parent: Parent) -> None:
    """Once it has read it; whoever of them accepts."""

    def look() -> bytes | None:
        wire = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        wire.check_hostname, wire.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", parent.port), 10) as raw, wire.wrap_socket(raw) as secure:
            return secure.getpeercert(binary_form=True)

    async def shown() -> bytes | None:
        while True:
            try:
                return await deferToThread(look)
            except (ssl.SSLError, ConnectionError):
                await deferLater(reactor, 0.02)

    found = {await within(20, shown()) for _ in range(20)}
    assert len(found) == 1


@pytest_twisted.ensureDeferred
async def test_a_worker_killed_under_load_costs_its_requests_in_flight(parent: Parent, database: Database) -> None:
    """The other goes on, another takes the place at once, and every octet that was acknowledged is in the tables."""
    for number in range(1, GUESTS + 1):
        assert await within(10, parent.auth(number, "login")) == "Auth: 1\n"
    acknowledged: dict[int, int] = {}
    going = [True]
    load = [ensureDeferred(count(parent, number, acknowledged, going)) for number in range(1, GUESTS + 1)]
    await within(10, until(lambda: len(acknowledged) == GUESTS))
    first = parent.workers()
    os.kill(first[0], signal.SIGKILL)
    before = dict(acknowledged)
    await within(10, until(lambda: all(acknowledged[number] > before[number] for number in before)))
    await within(20, until(lambda: len(parent.workers()) == 2))
    going.clear()
    await within(10, gatherResults(load))
    assert parent.lost <= GUESTS
    stored = await rows(database, "SELECT token_hash, incoming FROM sessions")
    assert len(stored) == GUESTS
    used = {bytes(token_hash): incoming for token_hash, incoming in stored}
    assert all(used[hash_secret(token(number))] >= octets for number, octets in acknowledged.items())
    await within(20, parent.both_answer())
    assert first[0] not in parent.workers()
    assert first[1] in parent.workers()
    assert "ended with signal 9; starting it again at once" in parent.output.text
    assert parent.output.text.count("wifidogd is up") == 1
    assert "Traceback" not in parent.output.text


@pytest_twisted.ensureDeferred
async def test_a_stop_finishes_what_was_accepted(parent: Parent, dsn: str) -> None:
    """
    A guest's login waits for the database when the signal comes; it is answered, and nothing is left.

    The signal may reach everybody, as from systemd or a terminal.
    """
    workers = parent.workers()
    other = psycopg2.connect(dsn)
    other.cursor().execute("SELECT FROM sessions FOR UPDATE")
    login = ensureDeferred(parent.auth(1, "login"))
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    watch = psycopg2.connect(dsn)
    watch.autocommit = True
    cursor = watch.cursor()

    def is_waiting() -> bool:
        cursor.execute(waits)
        return cursor.fetchone() == (1,)

    await within(10, until(is_waiting))
    for pid in (parent.process.pid, *workers):
        os.kill(pid, signal.SIGTERM)
    await within(10, parent.says("Port", 3))
    other.rollback()
    assert await within(10, login) == "Auth: 1\n"
    await within(20, parent.output.ended)
    assert not any(map(is_alive, workers))
    assert "killing" not in parent.output.text
    assert "Traceback" not in parent.output.text
    cursor.execute("SELECT count(*) FROM servers")
    assert cursor.fetchone() == (0,)
    other.close()
    watch.close()


@pytest_twisted.ensureDeferred
async def test_workers_do_not_outlive_their_parent(dsn: str) -> None:
    """
    Killed without a word, it leaves nobody on the port, whether they work already or still begin.

    The password they know was never in the list of processes.
    """
    parent = Parent(dsn)
    await within(30, parent.says("WifidogdSite starting"))
    workers, port = parent.workers(), parent.port
    assert len(workers) == 2
    assert not any(SECRET in Path(f"/proc/{pid}/cmdline").read_text() for pid in workers)
    parent.process.signalProcess("KILL")
    await within(10, parent.output.ended)
    await within(10, until(lambda: not any(map(is_alive, workers))))
    # The first thread of a killed process may be gone while others still hold its sockets.
    await within(10, until(lambda: can_listen(port)))


@pytest_twisted.ensureDeferred
async def test_workers_that_cannot_start_stop_the_server_with_one_sentence(database: Database, dsn: str) -> None:
    """As one process would, instead of being started again and again."""
    await put(database, "INSERT INTO schema_versions VALUES (9999, 'from the future')")
    parent = Parent(dsn)
    await within(30, parent.output.ended)
    logged, last = [line for line in parent.output.text.splitlines() if "wifidogd cannot start" in line]
    assert logged.endswith(last)
    assert last.endswith("install the newer wifidogd again.")
    assert "starting it again" not in parent.output.text


ROUTERS = 8
ONLINE = """
    INSERT INTO sessions (token_hash, gw_id, mac, ip, opened_at, activated_at, reported_at)
    SELECT sha256(gw_id::bytea), gw_id, '02:00:00:00:00:01', '10.0.0.1', now(), now(), now()
      FROM gateways
     WHERE gw_id <> 'lobby'
"""
SERVERS = "SELECT count(*), count(DISTINCT server) FROM router_connections"


@pytest_twisted.ensureDeferred
async def test_a_router_is_told_by_whichever_worker_it_is_connected_to(parent: Parent, database: Database) -> None:
    """What another process has marked in the database; and a stop says goodbye to each."""
    gateways = [Gateway(f"r{number}", "default", "10.0.0.1") for number in range(ROUTERS)]
    await adopt_all(database, *gateways)
    await put(database, ONLINE, {})
    routers = [await connect_router(parent.port, f"d{number}", (f"r{number}",)) for number in range(ROUTERS)]

    async def are_known() -> None:
        while (await rows(database, SERVERS))[0][0] < ROUTERS:
            for router in routers:
                router.greet()
            await deferLater(reactor, 0.2)

    await within(20, are_known())
    await put(database, "UPDATE sessions SET ending = 'ended by the operator' WHERE gw_id <> 'lobby'", {})
    for router in routers:
        await router.has(1, seconds=10)
        assert router.commands[0]["gw_id"] == router.gw_ids[0]
    await parent.stop()
    for router in routers:
        await router.ends()
        assert router.closed_with == 1001
        assert len(router.commands) == 1
