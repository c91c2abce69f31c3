"""The WebSocket endpoint over raw sockets: who is let in, who is refused, and that nobody comes back at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.support.checkout import DATA
from tests.support.deadline import within
from tests.support.raw_http import connect
from tests.support.site_server import SiteServer
from tests.support.testbed.fake_router import BUFFER, CLOSE, connect_router, masked, upgrade_request
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.driver.database import Database

KEYED = Gateway("keyed", "default", "10.0.0.2", key_hashes=(hash_secret("secret"),))


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    server = await SiteServer(database).open()
    yield server
    await server.close()


async def decide(server: SiteServer) -> None:
    """Do what the timer does."""
    await within(5, server.routers.claims.decide())


async def has_routers(server: SiteServer, number: int) -> None:
    """Wait until so many routers can be told something."""

    async def look() -> None:
        while len(server.routers.claims.routers) != number:
            await deferLater(reactor, 0.01)

    await within(5, look())


async def rows(server: SiteServer, statement: str) -> list[tuple]:
    async def read(cursor):
        await cursor.execute(statement)
        return cursor.fetchall()

    return await within(5, server.database.transaction(read))


@ensureDeferred
async def test_the_recorded_router_is_answered_as_it_reads(server: SiteServer) -> None:
    """Its connect and its heartbeat, byte for byte; its own settings are repeated."""
    lines = [
        json.loads(line) for line in (DATA / "apfree-wifidog-9.07.2907-websocket-frames.jsonl").read_text().splitlines()
    ]
    assert lines[0]["request"].encode() == upgrade_request()
    router = await connect_router(server.port, greets=False)
    for line in lines:
        if line["stage"] == "device-frame" and json.loads(line["request"]).get("op"):
            known = len(router.answers)
            router.write(masked(line["request"].encode()))
            if json.loads(line["request"])["op"] == "connect":
                await router.has(known + 1, "answers")
    recorded = [json.loads(line["sent"]) for line in lines if line["stage"] == "server-frame"]
    assert router.answers == [answer for answer in recorded if answer.get("data", {}).get("type") == "connect"]
    assert router.lost == 0
    router.leave()


@ensureDeferred
async def test_a_heartbeat_is_answered_and_counts_as_a_ping(server: SiteServer) -> None:
    router = await connect_router(server.port)
    await decide(server)
    server.routers.sockets.clock = _Later(10)
    server.later(seconds=60)
    router.greet("heartbeat")
    await router.has(2, "answers")
    assert router.answers[1] == {"req_id": "6b8b4567327b23c6", "response": "200", "data": {"type": "heartbeat"}}
    await within(5, server.heartbeats.flush())
    statement = "SELECT gw_id, seen_at, sys_uptime, memory_free, load, wifidog_uptime FROM heartbeats"
    seconds = timedelta(seconds=1)
    assert await rows(server, statement) == [
        ("gw1", server.now, 2293 * seconds, 21370664 * 1024, 2.23, 61 * seconds),
    ]
    router.leave()


class _Later:
    """The reactor's clock, some seconds ahead."""

    def __init__(self, seconds: float) -> None:
        self._ahead = seconds

    def seconds(self) -> float:
        return reactor.seconds() + self._ahead

    def callLater(self, *call, **named):
        return reactor.callLater(*call, **named)


@ensureDeferred
async def test_the_older_form_is_answered_in_the_older_form(server: SiteServer) -> None:
    """Releases before 9.04 name messages by type, without req_id."""
    router = await connect_router(server.port, form="type")
    assert router.answers == [{"type": "connect", "gateway": [{"gw_id": "gw1", "auth_mode": 1}]}]
    router.leave()


@ensureDeferred
async def test_nothing_comes_along_with_the_answer_to_the_upgrade(server: SiteServer) -> None:
    """The router would drop it; and the head fits what it reads at once."""
    wire = await connect(server.port)
    wire.say(upgrade_request())
    await wire.hears(b"\r\n\r\n")
    await deferLater(reactor, 0.1)
    assert wire.heard.startswith(b"HTTP/1.1 101")
    assert wire.heard.endswith(b"\r\n\r\n")
    assert len(wire.heard) < BUFFER
    wire.leave()


@ensureDeferred
async def test_which_devices_gateways_are_on_is_learnt(server: SiteServer) -> None:
    """Pings in the name of the device are then the gateway's."""
    router = await connect_router(server.port, gw_ids=("gw1", "new"))
    await decide(server)
    assert server.devices.gw_ids("netlabdev1") == ("gw1",)
    await within(5, server.heartbeats.flush())
    assert await rows(server, "SELECT gw_id, device_id FROM waiting_gateways") == [("new", "netlabdev1")]
    router.leave()


UPGRADES = {
    "unknown path": upgrade_request("/ws/other"),
    "a page": upgrade_request("/wifidog/login/?gw_id=gw1"),
    "ping": upgrade_request("/wifidog/ping/?gw_id=gw1"),
    "auth": upgrade_request("/wifidog/auth/?stage=counters&gw_id=gw1&token=x"),
    "root": upgrade_request("/"),
    "health": upgrade_request("/healthz"),
    "one segment too many": upgrade_request("/ws/wifidogx/a/b"),
    "post": upgrade_request().replace(b"GET", b"POST", 1),
    "old version": upgrade_request().replace(b"Version: 13", b"Version: 8"),
    "no key": upgrade_request().replace(b"Sec-WebSocket-Key: WgTEyNpZXmKchJHPRkV9Tg==\r\n", b""),
    "no connection": upgrade_request().replace(b"Connection: upgrade\r\n", b""),
    "odd host": upgrade_request().replace(b"198.51.100.10:80", b"\xff.example"),
    "odd version": upgrade_request().replace(b"Version: 13", b"Version: \xff"),
    "two upgrades": upgrade_request().replace(b"Upgrade: websocket", b"Upgrade: websocket\r\nUpgrade: h2c"),
}


@pytest.mark.parametrize("request_", UPGRADES.values(), ids=UPGRADES)
@ensureDeferred
async def test_a_refused_upgrade_is_answered_with_more_than_a_router_reads(server: SiteServer, request_: bytes) -> None:
    """Else it comes back every two seconds; so it waits until we close, and then five seconds."""
    wire = await connect(server.port)
    wire.say(request_)
    await wire.hears(b" " * 500)
    assert wire.heard.startswith(b"HTTP/1.1 4")
    assert len(wire.heard) > BUFFER
    wire.leave()


@ensureDeferred
async def test_a_key_in_the_path_or_the_query_is_that_of_its_gateway(server: SiteServer) -> None:
    await server.adopt(KEYED)
    await server.refresh()
    for path in ("/ws/wifidogx/secret", "/ws/wifidogx?k=secret"):
        router = await connect_router(server.port, gw_ids=("keyed",), path=path)
        await decide(server)
        assert len(server.routers.claims.routers) == 1
        router.leave()
        await has_routers(server, 0)
        await decide(server)
        assert await rows(server, "SELECT * FROM router_connections") == []


@pytest.mark.parametrize("path", ["/ws/wifidogx", "/ws/wifidogx/wrong", "/ws/wifidogx?k=wrong"])
@ensureDeferred
async def test_without_the_key_a_gateway_is_not_spoken_for(server: SiteServer, path: str) -> None:
    """Neither heard nor told anything."""
    await server.adopt(KEYED)
    await server.refresh()
    router = await connect_router(server.port, gw_ids=("keyed",), path=path)
    await decide(server)
    assert len(server.routers.claims.routers) == 0
    await within(5, server.heartbeats.flush())
    assert await rows(server, "SELECT gw_id FROM heartbeats") == []
    assert server.devices.gw_ids("netlabdev1") == ()
    router.leave()


@ensureDeferred
async def test_without_a_key_who_comes_from_elsewhere_than_the_pings_is_not_believed(server: SiteServer) -> None:
    """A stranger who names the gateway would be told which guests are thrown off."""
    await server.get("ping/?gw_id=gw1")
    await within(5, server.heartbeats.flush())
    stranger = await connect_router(server.port, source="127.0.0.2")
    await decide(server)
    assert len(server.routers.claims.routers) == 0
    router = await connect_router(server.port)
    await decide(server)
    assert server.routers.claims.routers.connection("gw1").source == "127.0.0.1"
    stranger.greet()
    await decide(server)
    assert server.routers.claims.routers.connection("gw1").source == "127.0.0.1"
    router.leave()
    stranger.leave()


@ensureDeferred
async def test_a_newer_connection_of_a_router_replaces_the_older(server: SiteServer) -> None:
    """Closed without a close frame, after which it would come back after three seconds."""
    older = await connect_router(server.port)
    await decide(server)
    newer = await connect_router(server.port)
    await decide(server)
    await older.ends()
    assert older.closed_with is None
    assert len(server.routers.claims.routers) == 1
    assert await rows(server, "SELECT gw_id, device_id, server FROM router_connections") == [
        ("gw1", "netlabdev1", "test 1")
    ]
    newer.leave()


@ensureDeferred
async def test_a_message_that_is_too_long_ends_the_connection(server: SiteServer) -> None:
    """Also one in many fragments, which the library would put together."""
    for piece in (
        masked(b" " * 70_000),
        masked(b"x" * 1000, is_last=False) + masked(b"x" * 1000, 0, is_last=False) * 80,
    ):
        router = await connect_router(server.port, greets=False)
        router.write(piece)
        await router.ends()


@pytest.mark.parametrize(
    "said",
    [b"{", b"[]", b"[" * 5000, b'{"op": "connect"}', b'{"op": 1}', b"1" * 5000, b'{"response": 1}', b'{"type": []}'],
)
@ensureDeferred
async def test_what_cannot_be_read_is_ignored(server: SiteServer, said: bytes) -> None:
    router = await connect_router(server.port, greets=False)
    router.write(masked(said))
    router.greet()
    await router.has(1, "answers")
    router.leave()


@ensureDeferred
async def test_a_stop_closes_with_going_away(server: SiteServer) -> None:
    router = await connect_router(server.port)
    await within(5, server.site.connections.drain(1))
    await router.ends()
    assert router.closed_with == 1001


@ensureDeferred
async def test_a_router_that_says_nothing_is_gone(server: SiteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wifidogd.web.gateway.websocket.router_socket.GREET_WITHIN", 0.1)
    router = await connect_router(server.port, greets=False)
    await router.ends()
    monkeypatch.setattr("wifidogd.web.gateway.websocket.router_socket.SILENT_AFTER", 0.1)
    router = await connect_router(server.port)
    await router.ends()
    assert router.closed_with is None


@ensureDeferred
async def test_routers_that_come_back_before_it_is_known_who_is_adopted_stay(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All do within seconds of a start: nobody is a stranger until then, and each can be told something afterwards."""
    monkeypatch.setattr("wifidogd.web.gateway.websocket.strangers.MOST_FROM_SOURCE", 1)
    monkeypatch.setattr("wifidogd.web.gateway.websocket.strangers.MOST_STRANGERS", 1)
    started = SiteServer(database).listen()
    for number in range(4):
        await started.adopt(Gateway(f"gw{number}", "default", "10.0.0.1", key_hashes=(hash_secret("secret"),)))
    path = "/ws/wifidogx/secret"
    routers = [await connect_router(started.port, f"d{n}", (f"gw{n}",), path=path) for n in range(4)]
    gone = await connect_router(started.port, "gone", ("gw3",), path=path)
    assert started.routers.sockets.metrics() == {"routers": 0, "strangers": 0}
    gone.leave()
    await within(5, gone.closed)
    await started.refresh()
    await within(5, started.routers.decide())
    assert started.routers.sockets.metrics() == {"routers": 4, "strangers": 0}
    for each in routers:
        each.leave()
    await started.close()


@ensureDeferred
async def test_strangers_give_way_to_newcomers(server: SiteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest first; the router of an adopted gateway stays."""
    monkeypatch.setattr("wifidogd.web.gateway.websocket.strangers.MOST_FROM_SOURCE", 2)
    router = await connect_router(server.port)
    await decide(server)
    strangers = [await connect_router(server.port, f"other{n}", (f"x{n}",)) for n in range(3)]
    await strangers[0].ends()
    assert not strangers[1].closed.called
    assert not router.closed.called
    for each in (router, *strangers[1:]):
        each.leave()


@ensureDeferred
async def test_many_routers_may_come_through_one_proxy(server: SiteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once after a restart, before it is decided which gateways they speak for."""
    monkeypatch.setattr("wifidogd.web.gateway.websocket.strangers.MOST_FROM_SOURCE", 2)
    gateways = [Gateway(f"r{n}", "default", "10.0.0.3", key_hashes=(hash_secret("secret"),)) for n in range(8)]
    for gateway in gateways:
        await server.adopt(gateway)
    await server.refresh()
    routers = [await connect_router(server.port, f"d{n}", (f"r{n}",), path="/ws/wifidogx/secret") for n in range(8)]
    await decide(server)
    assert len(server.routers.claims.routers) == 8
    assert server.routers.sockets.metrics() == {"routers": 8, "strangers": 0}
    for router in routers:
        router.leave()


@ensureDeferred
async def test_who_claims_a_gateway_in_vain_is_a_stranger(server: SiteServer) -> None:
    """Also when somebody else claims it at the same time."""
    await server.get("ping/?gw_id=gw1")
    await within(5, server.heartbeats.flush())
    strangers = [await connect_router(server.port, source=f"127.0.0.{n}") for n in (2, 3)]
    await decide(server)
    assert server.routers.sockets.metrics() == {"routers": 0, "strangers": 2}
    for stranger in strangers:
        stranger.leave()


@ensureDeferred
async def test_the_router_that_came_back_every_two_seconds_is_let_in(server: SiteServer) -> None:
    """Each upgrade that it was recorded with while there was no WebSocket here."""
    text = (DATA / "apfree-wifidog-9.07.2907-websocket-unanswered.jsonl").read_text()
    recorded = [json.loads(line) for line in text.splitlines()]
    upgrades = [line for line in recorded if line["stage"] == "websocket"]
    assert len(upgrades) >= 2
    for line in upgrades:
        assert line["response"].startswith("HTTP/1.1 404")
        wire = await connect(server.port)
        wire.say(line["request"].encode())
        await wire.hears(b"\r\n\r\n")
        assert wire.heard.startswith(b"HTTP/1.1 101")
        wire.leave()


@ensureDeferred
async def test_a_router_that_still_talks_is_pinged_with_every_fifth_heartbeat(server: SiteServer) -> None:
    """One that has become deaf goes on sending them; what does not come back is closed."""
    router = await connect_router(server.port)
    for number in range(1, 5):
        server.routers.sockets.clock = _Later(10 * number)
        router.greet("heartbeat")
        await router.has(number + 1, "answers")

    async def look() -> None:
        while not router.pings:
            await deferLater(reactor, 0.02)

    await within(5, look())
    assert not router.closed.called
    assert router.lost == 0
    router.leave()


@ensureDeferred
async def test_a_router_that_has_said_goodbye_does_not_keep_the_server_from_stopping(server: SiteServer) -> None:
    router = await connect_router(server.port)
    router.write(masked(b"\x03\xe8", CLOSE))
    await within(5, server.site.connections.drain(1))
    await router.ends()
