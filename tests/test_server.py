"""Starting and stopping in order, with a database that may be away."""

from __future__ import annotations

import re
from html import unescape

import psycopg2
import pytest
import pytest_twisted
from twisted.application.service import IServiceCollection
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.support.deadline import within
from tests.support.postgres import ThrowawayPostgres
from tests.support.running_server import Answer, RunningServer
from wifidogd.domain.tokens import hash_secret
from wifidogd.server import AuthServer
from wifidogd.tap import Options, makeService


@pytest.mark.impatient
@pytest_twisted.ensureDeferred
async def test_it_answers_before_its_database_does_and_serves_once_it_does():
    """Nobody is thrown off and nobody is let in while nothing can be said."""
    postgres = ThrowawayPostgres()
    try:
        server = RunningServer(postgres.dsn)
        server.service.startService()
        while not server.service.ports:
            await deferLater(reactor, 0.02)
        counters = "/wifidog/auth/?stage=counters&token=x&gw_id=g"
        ping, health = await server.get("/wifidog/ping/?gw_id=g"), await server.get("/healthz")
        report, logout = await server.get(counters), await server.get(counters.replace("counters", "logout"))
        page = await server.get("/wifidog/login/?gw_id=g&gw_address=10.0.0.1&gw_port=2060")
        assert (ping.code, ping.text) == (200, "Pong")
        assert (report.code, report.text) == (503, "Auth: -1\n")
        assert (logout.code, logout.text) == (503, "Auth: 0\n")
        assert (health.code, page.code) == (503, 503)
        assert int(page.headers["retry-after"]) > 0
        postgres.start()
        await within(20, server.is_ready())
        assert (await server.get(counters)).text == "Auth: 0\n"
        await server.stop()
    finally:
        postgres.remove()


@pytest_twisted.ensureDeferred
async def test_a_start_that_took_long_is_no_suspension(dsn, monkeypatch):
    """Made a minute ago, on a slow disk or a busy machine; the first report has its verdict all the same."""
    steady = reactor.seconds
    with monkeypatch.context() as slow:
        slow.setattr(reactor, "seconds", lambda: steady() - 60)
        server = RunningServer(dsn, "--trust-new-gateways")
    await within(20, server.start())
    try:
        report = await within(10, server.get("/wifidog/auth/?stage=counters&token=x&gw_id=g"))
        assert (report.code, report.text) == (403, "Auth: 0\n")
        assert server.service.components.clock_watch.woke_at is None
    finally:
        await within(15, server.stop())


@pytest_twisted.ensureDeferred
async def test_timers_are_children_that_run_once_the_database_is_prepared(dsn):
    """They can be seen in the service tree by the names that the log has; those that end sessions are among them."""
    server = RunningServer(dsn)
    timers = IServiceCollection(server.service).getServiceNamed("timers")
    names = [timer.name for timer in timers]
    assert {"ending sessions without reports", "writing heartbeats", "looking at the clocks"} <= set(names)
    assert [timer.parent for timer in timers] == [timers] * len(names)
    server.service.startService()
    while not server.service.ports:
        assert not any(timer.running for timer in timers)
        await deferLater(reactor, 0.01)
    await within(20, server.is_ready())
    while not timers.running:
        await deferLater(reactor, 0.01)
    assert all(timer.running for timer in timers)
    await server.stop()
    assert not any(timer.running for timer in timers)


@pytest_twisted.ensureDeferred
async def test_stopping_refuses_new_connections_and_finishes_what_was_accepted(dsn):
    server = RunningServer(dsn)
    await within(20, server.start())
    port = server.port
    stopping = server.stop()
    await within(15, stopping)
    assert server.service.ports[0].connected == 0
    with pytest.raises(OSError):
        __import__("socket").create_connection(("127.0.0.1", port), 1)


@pytest_twisted.ensureDeferred
async def test_stopping_while_the_database_is_away_takes_no_longer():
    postgres = ThrowawayPostgres()
    try:
        server = RunningServer(postgres.dsn)
        server.service.startService()
        await deferLater(reactor, 0.5)
        await server.stop()
    finally:
        postgres.remove()


class StoppableReactor:
    """The reactor, but C{stop} is noted instead of carried out."""

    def __init__(self) -> None:
        self.stopped: Deferred[None] = Deferred()

    def __getattr__(self, name: str) -> object:
        return getattr(reactor, name)

    def stop(self) -> None:
        self.stopped.callback(None)


def failing_service(dsn: str, *arguments: str) -> tuple[AuthServer, StoppableReactor]:
    options = Options()
    options.parseOptions(["--database", dsn, *arguments])
    stoppable = StoppableReactor()
    return makeService(options, stoppable), stoppable


@pytest_twisted.ensureDeferred
async def test_a_port_that_is_taken_stops_the_process_with_a_sentence(dsn):
    """The operator is not left with a server that serves nobody."""
    first = RunningServer(dsn)
    await within(20, first.start())
    service, stoppable = failing_service(dsn, "--listen", f"tcp:{first.port}:interface=127.0.0.1")
    service.startService()
    await within(10, stoppable.stopped)
    await within(10, service.stopService())
    await first.stop()


@pytest_twisted.ensureDeferred
async def test_a_data_directory_that_cannot_be_used_stops_the_process_with_a_sentence(tmp_path):
    (tmp_path / "postgresql").write_text("not a directory")
    options = Options()
    options.parseOptions(["--data-dir", str(tmp_path), "--listen", "tcp:0:interface=127.0.0.1"])
    stoppable = StoppableReactor()
    service = makeService(options, stoppable)
    service.startService()
    await within(10, stoppable.stopped)
    await within(10, service.stopService())
    assert service.ports == []


GUEST = "02:00:00:00:00:01"


async def are_waiting(dsn: str) -> None:
    """Wait until the guest's and the gateway's statement wait for a lock; those of timers may wait beside them."""
    watch = psycopg2.connect(dsn)
    watch.autocommit = True
    cursor = watch.cursor()
    waiting = 0
    while waiting < 2:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE ANY (%s)",
            ([f"%{GUEST}%", f"%{hash_secret('x').hex()}%"],),
        )
        (waiting,) = cursor.fetchone()
        await deferLater(reactor, 0.02)
    watch.close()


async def held_up(server: RunningServer, dsn: str) -> tuple[psycopg2.extensions.connection, list[Deferred[Answer]]]:
    """Have a guest sign in and a gateway report, while somebody holds the table."""
    page = await server.get(f"/wifidog/login/?gw_id=g&gw_address=10.0.0.1&gw_port=2060&mac={GUEST}")
    state = unescape(re.search(r'name="state" value="([^"]+)"', page.text)[1])
    holder = psycopg2.connect(dsn)
    # In a thread: a timer's transaction may have the table, and goes on only as long as the reactor does.
    await within(10, deferToThread(holder.cursor().execute, "LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"))
    report = server.get("/wifidog/auth/?stage=login&token=x&gw_id=g")
    asked = [ensureDeferred(server.post("/wifidog/login", f"state={state}")), ensureDeferred(report)]
    await within(10, are_waiting(dsn))
    return holder, asked


@pytest_twisted.ensureDeferred
async def test_a_stop_waits_for_what_guests_and_gateways_have_asked(dsn):
    """The guest is let in, and the gateway has its verdict."""
    server = RunningServer(f"{dsn} options='-c lock_timeout=60s'", "--trust-new-gateways")
    await within(20, server.start())
    holder, (sign_in, report) = await held_up(server, dsn)
    stopping = ensureDeferred(server.stop())
    await deferLater(reactor, 0.3)
    assert server.service.timers.running, "reports are settled before the timers stop"
    holder.rollback()
    assert "token=" in (await within(10, sign_in)).headers["location"]
    assert (await within(10, report)).text == "Auth: 0\n"
    await within(15, stopping)
    assert not server.service.timers.running
    cursor = holder.cursor()
    cursor.execute("SELECT count(*) FROM sessions")
    assert cursor.fetchone() == (1,)
    holder.close()


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_finished_at_a_stop_has_an_answer_too(dsn, monkeypatch):
    """The guest may try again, and the gateway leaves its guest alone."""
    monkeypatch.setattr("wifidogd.server.SERVE_ON", 0.5)
    monkeypatch.setattr("wifidogd.server.DRAIN", 0.5)
    server = RunningServer(dsn, "--trust-new-gateways")
    await within(20, server.start())
    holder, (sign_in, report) = await held_up(server, dsn)
    await server.stop()
    assert (await within(10, sign_in)).code == 503
    assert (await within(10, report)).text == "Auth: -1\n"
    holder.close()
