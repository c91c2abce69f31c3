"""wifidogctl simulate as an operator runs it: the real command beside a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.ctl.test_ctl import Operator, Run, finish, wifidogctl
from tests.simulation.test_run import TimelyServer
from tests.support.builders import put, rows, run
from tests.support.deadline import within
from wifidogd.ctl import main
from wifidogd.simulation.provisioning import adopt_all, open_network, sites
from wifidogd.store.driver.database import Database

SMALL = ("--gateways", "3", "--guests", "10", "--speed", "300")
AWAY = "http://127.0.0.1:9/wifidog/"


@pytest_twisted.async_yield_fixture
async def server(dsn: str, database: Database) -> AsyncIterator[TimelyServer]:
    """A server whose clock goes."""
    server = TimelyServer(dsn)
    await within(20, server.start())
    yield server
    await server.stop()


def url(server: TimelyServer) -> str:
    """Say where it is."""
    return f"http://localhost:{server.port}/wifidog"


@ensureDeferred
async def test_a_simulation_is_ended_in_good_order_by_ctrl_c(
    dsn: str, server: TimelyServer, database: Database
) -> None:
    """It removes what a killed one has left behind, checks what it has seen, and leaves nothing behind itself."""
    await run(database, open_network)
    await run(database, adopt_all, sites(5, timedelta(seconds=60)), datetime.now(UTC) - timedelta(minutes=4))
    command = Run("")
    words = ("--database", dsn, "simulate", "--url", url(server), *SMALL, "--duration", "10m")
    ending = Deferred.fromCoroutine(finish(command, words, {}))
    while len(await rows(database, "SELECT FROM sessions WHERE incoming > 0")) < 3:
        await deferLater(reactor, 0.1)  # type: ignore[arg-type]
    assert len(await rows(database, "SELECT FROM gateways")) == 3
    assert command.transport is not None
    command.transport.signalProcess("INT")
    outcome = await within(20, ending)
    assert outcome.code == 0, outcome.out + outcome.err
    assert "Every answer was right, and every octet is accounted for.\n" in outcome.out
    assert [line.split()[0] for line in outcome.out.splitlines()[1:3]] == ["ping", "login"]
    assert outcome.err == ""
    assert await rows(database, "SELECT gw_id FROM gateways UNION ALL SELECT gw_id FROM waiting_gateways") == []
    assert await rows(database, "SELECT DISTINCT network FROM past_sessions") == [("simulation",)]


@ensureDeferred
async def test_what_is_wrong_is_told_and_is_an_exit_code(dsn: str, server: TimelyServer, database: Database) -> None:
    """Scripts get it as JSON."""
    await put(
        database,
        """
        CREATE FUNCTION steal() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN NEW.incoming = NEW.incoming - 1; RETURN NEW; END';
        CREATE TRIGGER thief BEFORE UPDATE ON sessions
            FOR EACH ROW WHEN (NEW.incoming > OLD.incoming) EXECUTE FUNCTION steal()
        """,
    )
    words = ("--database", dsn, "simulate", "--url", url(server), *SMALL, "--duration", "3s", "--json")
    outcome = await wifidogctl(*words)
    assert outcome.code == 1
    told = json.loads(outcome.out)
    assert (told["right"], told["gateways"], told["guests"], told["speed"]) == (False, 3, 10, 300.0)
    assert told["faults"] == []
    assert told["difference_count"] > 0
    assert told["stored"]["incoming_octets"] < told["reported"]["incoming_octets"]
    assert told["stored"]["outgoing_octets"] == told["reported"]["outgoing_octets"]
    assert told["requests"]["counters"]["answered"] > 0


@ensureDeferred
async def test_nothing_is_simulated_where_no_server_answers(dsn: str, database: Database) -> None:
    """Nor is anything adopted."""
    said = await Operator(dsn).fails("simulate", "--url", AWAY, code=1)
    assert f"{AWAY} does not answer" in said
    assert await rows(database, "SELECT FROM networks WHERE name = 'simulation'") == []


@ensureDeferred
async def test_a_simulation_does_not_disturb_another_or_other_gateways(
    dsn: str, server: TimelyServer, database: Database
) -> None:
    """It says what to do."""
    operator = Operator(dsn)
    await run(database, open_network)
    await run(database, adopt_all, sites(1, timedelta(seconds=60)), datetime.now(UTC))
    said = await operator.fails("simulate", "--url", url(server), code=1)
    assert "Another simulation is running" in said
    assert "try again in 18" in said or "try again in 17" in said
    await put(database, "UPDATE gateways SET network = 'default'")
    assert "Gateway sim-0001 is in the way" in await operator.fails("simulate", "--url", url(server), code=1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--url", "http://8.8.8.8/wifidog/"), "is not near"),
        (("--url", "http://wifi.example/wifidog/"), "is not near"),
        (("--url", "https://127.0.0.1/wifidog/"), "is not near"),
        (("--url", "127.0.0.1:8080"), "is not near"),
        (("--url", "http://127.0.0.1:99999/"), "is not near"),
        (("--gateways", "2001"), "2000 are the most"),
        (("--guests", "100001"), "100000 are the most"),
        (("--guests", "0"), "from 1 up"),
        (("--guests", "1000", "--speed", "1000"), "16667 reports a second"),
        (("--speed", "0"), "from 0.1 to 1000"),
        (("--speed", "fast"), "from 0.1 to 1000"),
        (("--duration", "25h"), "a day is the most"),
        (("--interval", "2d"), "a day is the most"),
    ],
)
def test_wrong_usage_says_what_to_type_instead(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything happens."""
    with pytest.raises(SystemExit) as end:
        main(("simulate", *words))
    assert end.value.code == 2
    assert says in capsys.readouterr().err
