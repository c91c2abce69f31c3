"""Starting and stopping in order, with a database that may be away."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.deadline import within
from tests.postgres import ThrowawayPostgres
from tests.running import RunningServer
from wifidogd.service import AuthServer
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
