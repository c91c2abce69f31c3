"""A simulated router's WebSocket does what the real router's does, and notices what is wrong."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import AuthCode, Stage
from wifidogd.simulation.actors.behaviour import Behaviour
from wifidogd.simulation.actors.websocket_client import WebSocketClient
from wifidogd.simulation.context import Context
from wifidogd.simulation.oracle.history import History
from wifidogd.simulation.oracle.scenarios import ListedDevice
from wifidogd.simulation.statistics import Kind, Statistics
from wifidogd.simulation.transport.clock import ScaledClock, SimulationOver
from wifidogd.simulation.transport.frames import End, RouterFrames
from wifidogd.simulation.transport.wire import Server

SITE = Gateway("sim-0001", "simulation", "10.128.1.1")
GUEST = ListedDevice("sim-0001", "02:51:4d:00:00:01")
KICKOFF = {
    "req_id": 1,
    "op": "kickoff",
    "client_ip": "10.0.0.1",
    "client_mac": "02:51:4D:00:00:01",
    "device_id": "device-sim-0001",
    "gw_id": "sim-0001",
}


class AtOnce(Behaviour):
    """A router that is switched on at once."""

    def first_report(self) -> float:
        """Without delay."""
        return 0.0


class Router:
    """
    A router's WebSocket, on connections without network.

    @ivar opened: the connections so far.
    @ivar said: what the router said, as read.
    @ivar listed: whom it can throw off.
    """

    def __init__(self, speed: float = 1.0, *, has_room: bool = True) -> None:
        self.clock = Clock()
        self.has_room = has_room
        self.opened: list[RouterFrames] = []
        self.said: list[dict[str, Any]] = []
        self.listed = {(GUEST.mac, "10.0.0.1")}
        seconds = self.clock.seconds
        self.context = Context(
            Server("127.0.0.1", 8080, "/wifidog/"),
            self,  # type: ignore[arg-type]
            ScaledClock(speed, clock=self.clock),
            AtOnce(60, Random(1)),
            History(seconds),
            Statistics(seconds),
            60,
        )
        self.socket = WebSocketClient(SITE, self.context, self._throw_off, lambda: (61, 2))
        Deferred.fromCoroutine(self.socket.live()).addErrback(lambda failure: failure.trap(SimulationOver))
        self.clock.advance(0)

    def reserve_websocket(self) -> bool:
        """As L{HttpClient<wifidogd.simulation.transport.client.HttpClient>}."""
        return self.has_room

    def open(self, frames: RouterFrames) -> None:
        """As L{HttpClient<wifidogd.simulation.transport.client.HttpClient>}."""
        self.opened.append(frames)
        frames.send = lambda text: self.said.append(json.loads(text))  # type: ignore[method-assign]
        frames.close = lambda: frames.has_ended(End.LOST)  # type: ignore[method-assign]

    def _throw_off(self, mac: str, ip: str) -> bool:
        found = (mac, ip) in self.listed
        self.listed.discard((mac, ip))
        return found

    def accepts(self, **more: Any) -> Router:
        """Open the WebSocket, and answer the router's C{connect}."""
        self.opened[-1].has_opened()
        self.answers(**more)
        return self

    def answers(self, **more: Any) -> None:
        """Answer what the router said last."""
        greeting = self.said[-1]
        data = {"type": greeting["op"]}
        if greeting["op"] == "connect":
            data["gateway"] = [{"gw_id": "sim-0001", "auth_mode": 1}]
        self.hears({"req_id": greeting["req_id"], "response": "200", "data": data | more})

    def hears(self, message: dict[str, Any]) -> None:
        """Say something to the router."""
        self.opened[-1].heard(json.dumps(message))

    def of(self, kind: Kind) -> tuple[int, int, int]:
        """Return how many were answered, unanswered and wrong."""
        asked = self.context.statistics.asked[kind]
        return asked.latencies.count, asked.unanswered, asked.wrong


def test_it_says_who_it_is_and_that_it_is_there_once_a_minute() -> None:
    router = Router().accepts()
    assert [said["op"] for said in router.said] == ["connect"]
    router.clock.advance(59)
    assert len(router.said) == 1
    router.clock.advance(1)
    assert (router.said[1]["op"], router.said[1]["sys_info"]["wifidog_uptime"]) == ("heartbeat", 61)
    assert router.said[1]["sys_info"]["online_clients"] == 2
    router.answers()
    assert router.of(Kind.WEBSOCKET) == (2, 0, 0)
    assert router.socket.welcome_for == 60


def test_a_router_for_which_there_is_no_room_keeps_none() -> None:
    router = Router(has_room=False)
    router.socket.restart()
    router.clock.advance(60)
    assert router.opened == []


@pytest.mark.parametrize(("speed", "pause"), [(10.0, 6.0), (600.0, 6.0), (0.1, 60.0)])
def test_heartbeats_are_never_too_many_nor_too_few_for_the_server(speed: float, pause: float) -> None:
    """In real seconds."""
    router = Router(speed).accepts()
    router.clock.advance(pause - 0.01)
    assert len(router.said) == 1
    router.clock.advance(0.02)
    assert len(router.said) == 2


def test_an_answer_that_does_not_come_is_counted() -> None:
    """With the next heartbeat, or at the end of the connection."""
    router = Router()
    router.opened[-1].has_opened()
    router.clock.advance(60)
    assert router.of(Kind.WEBSOCKET) == (0, 1, 0)
    router.opened[-1].has_ended(End.LOST)
    assert router.of(Kind.WEBSOCKET) == (0, 2, 0)


@pytest.mark.parametrize(
    "message",
    [
        {"req_id": 1, "op": "reboot_device"},
        {**KICKOFF, "gw_id": "sim-0002"},
        {**KICKOFF, "pad": "x" * 900},
    ],
)
def test_what_no_right_server_says_is_a_fault(message: dict[str, Any]) -> None:
    router = Router().accepts()
    router.hears(message)
    assert router.of(Kind.WEBSOCKET)[2] == 1
    assert router.listed


def test_an_answer_that_would_open_the_portal_to_everybody_is_a_fault() -> None:
    router = Router().accepts(gateway=[{"gw_id": "sim-0001", "auth_mode": 0}])
    assert router.of(Kind.WEBSOCKET) == (1, 0, 1)


@pytest.mark.parametrize(
    ("end", "back_after", "missed"),
    [(End.REFUSED, 2.0, 1), (End.ANSWERED, 2.0, 1), (End.CLOSED, 3.0, 0), (End.LOST, 5.0, 0)],
)
def test_it_comes_back_as_the_real_one_does(end: End, back_after: float, missed: int) -> None:
    """By real time (docs/protocol.md 7.1)."""
    router = Router(10.0)
    if not missed:
        router.accepts()
    router.opened[0].has_ended(end)
    router.clock.advance(back_after - 0.01)
    assert len(router.opened) == 1
    router.clock.advance(0.02)
    assert len(router.opened) == 2
    assert router.of(Kind.WEBSOCKET)[1] == missed


def test_a_router_that_restarts_is_back_at_once() -> None:
    """It misses no answer."""
    router = Router()
    router.opened[-1].has_opened()
    router.socket.restart()
    router.clock.advance(0)
    assert len(router.opened) == 2
    assert router.of(Kind.WEBSOCKET) == (0, 0, 0)


def test_the_end_of_the_simulation_closes_the_connection() -> None:
    router = Router().accepts()
    router.context.clock.close()
    assert router.opened[-1].ended.called
    assert len(router.opened) == 1
    assert router.of(Kind.WEBSOCKET) == (1, 0, 0)


def begin_session(router: Router) -> None:
    """Put the guest online."""
    history = router.context.history
    history.minted(GUEST, "a")
    assert history.heard(GUEST, history.began(GUEST, "a", Stage.LOGIN), AuthCode.ALLOWED)


def press_button(router: Router) -> None:
    """Have the guest log out at the portal."""
    history = router.context.history
    assert history.heard(GUEST, history.began(GUEST, "a", None))


def test_a_guest_who_has_logged_out_is_kicked() -> None:
    """The time is that since the server knew."""
    router = Router().accepts()
    begin_session(router)
    press_button(router)
    router.clock.advance(0.5)
    router.hears(KICKOFF)
    assert router.listed == set()
    assert router.said[-1]["data"]["status"] == "success"
    assert router.of(Kind.KICK) == (1, 0, 0)
    assert router.context.statistics.asked[Kind.KICK].latencies.longest == 0.5
    router.hears(KICKOFF)
    assert router.said[-1]["data"]["code"] == 2000
    assert router.of(Kind.KICK) == (1, 0, 0)


def test_a_kick_of_a_guest_who_could_stay_is_a_fault() -> None:
    router = Router().accepts()
    begin_session(router)
    router.hears(KICKOFF)
    assert router.of(Kind.KICK) == (1, 0, 1)


@pytest.mark.parametrize(("waited", "missed"), [(2.5, 0), (3.5, 1)])
def test_a_kick_that_does_not_come_is_counted(waited: float, missed: int) -> None:
    """When the next report ends the session."""
    router = Router().accepts()
    begin_session(router)
    router.clock.advance(10)
    press_button(router)
    router.clock.advance(waited)
    router.socket.miss_kick(GUEST)
    router.socket.miss_kick(GUEST)
    assert router.of(Kind.KICK) == (0, missed, 0)


def test_without_a_connection_no_kick_is_missed() -> None:
    router = Router()
    begin_session(router)
    press_button(router)
    router.clock.advance(10)
    router.socket.miss_kick(GUEST)
    assert router.of(Kind.KICK) == (0, 0, 0)
