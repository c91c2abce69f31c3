"""A simulated guest does with pages what people do."""

from __future__ import annotations

from random import Random

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import AuthCode, Stage
from wifidogd.simulation.actors.behaviour import Behaviour, Leaving
from wifidogd.simulation.actors.gateway import SimulatedGateway
from wifidogd.simulation.actors.guest import Guest
from wifidogd.simulation.context import Context
from wifidogd.simulation.families.wifidog import Wifidog
from wifidogd.simulation.oracle.history import History
from wifidogd.simulation.oracle.scenarios import ListedDevice
from wifidogd.simulation.statistics import Statistics
from wifidogd.simulation.transport.clock import ScaledClock, SimulationOver
from wifidogd.simulation.transport.wire import Server

INTERVAL = 60.0

LOGIN, PORTAL = (
    b'HTTP/1.0 200 OK\r\n\r\n<main><form action="/wifidog/%s" method="post"><button>Go</button></form></main>' % name
    for name in (b"login", b"logout")
)
LOGGED_OUT = b"HTTP/1.0 200 OK\r\n\r\n<main>Good bye</main>"


class Busy:
    """
    A server that mints tokens, and can say nothing about the second one when its guest comes with it.

    @ivar asked: method and path of all requests of the guest.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._tokens = [f"{digit}" * 32 for digit in (1, 2)]

    async def ask(self, request: bytes, patience: float | None = None) -> tuple[bytes, float]:
        """As L{HttpClient<wifidogd.simulation.transport.client.HttpClient>}."""
        return self._answer(request.decode()), 0.001

    def _answer(self, request: str) -> bytes:
        method, target, _ = request.split(" ", 2)
        path = target.removeprefix("/wifidog/").partition("?")[0].strip("/")
        if path == "ping":
            return b"HTTP/1.0 200 OK\r\n\r\nPong"
        if path == "auth":
            is_down = "stage=login" in target and "2222" in target
            return b"HTTP/1.0 503 Busy\r\n\r\nAuth: -1" if is_down else b"HTTP/1.0 200 OK\r\n\r\nAuth: 1"
        self.asked.append(f"{method} {path}")
        if method == "POST" and path == "login":
            there = f"http://10.128.1.1:2060/wifidog/auth?token={self._tokens.pop(0)}"
            return f"HTTP/1.0 303 See Other\r\nLocation: {there}\r\n\r\n".encode()
        return {"login": LOGIN, "portal": PORTAL, "logout": LOGGED_OUT}[path]


class Regular(Behaviour):
    """Comes at once, looks at the phone when 50 seconds are over, stays for 100 and presses the button."""

    def first_arrival(self) -> float:
        """At once."""
        return 0

    def first_report(self) -> float:
        """A whole interval after the start."""
        return INTERVAL

    def next_restart(self) -> float:
        """Never by itself."""
        return 1e9

    def hesitation(self) -> float:
        """None."""
        return 0

    def glance(self) -> float:
        """Twice in a session."""
        return 50

    def time_online(self) -> float:
        """Not long."""
        return 100

    def away(self) -> float:
        """For ever."""
        return 1e9

    def roams(self) -> bool:
        """Never."""
        return False

    def leave(self) -> Leaving:
        """By the button."""
        return Leaving.LOG_OUT_HALFWAY


def surroundings(clock: Clock, client: Busy) -> Context:
    """Return what a guest needs."""
    return Context(
        Server("127.0.0.1", 8080, "/wifidog/"),
        client,  # type: ignore[arg-type]
        ScaledClock(1, clock=clock),
        Regular(INTERVAL, Random(1)),
        History(clock.seconds),
        Statistics(clock.seconds),
        INTERVAL,
    )


@pytest.mark.parametrize(("button", "roams", "faults"), [("<button>", 0, 1), ('<button name="back" value="1">', 1, 0)])
def test_a_guest_who_is_online_elsewhere_must_be_asked_no_more_than_whether_to_go_on(
    monkeypatch: pytest.MonkeyPatch, button: str, roams: int, faults: int
) -> None:
    """By one button; a form to sign in is a fault."""
    monkeypatch.setitem(globals(), "LOGIN", LOGIN.replace(b"<button>", button.encode()))
    clock, client = Clock(), Busy()
    context = surroundings(clock, client)
    guest = Guest(1, [SimulatedGateway(Gateway("sim-0001", "simulation", "10.128.1.1"), context, Wifidog())], context)
    elsewhere = ListedDevice("sim-0002", guest.mac)
    context.history.minted(elsewhere, "a")
    login = context.history.began(elsewhere, "a", Stage.LOGIN)
    assert context.history.heard(elsewhere, login, AuthCode.ALLOWED)
    Deferred.fromCoroutine(guest.live()).addErrback(lambda failure: failure.trap(SimulationOver))
    clock.pump([0] * 3 + [1] * 5)
    assert (context.statistics.roams, context.statistics.wrong) == (roams, faults)
    assert context.history.is_online(elsewhere, "a") is (roams == 0)
    context.clock.close()


def test_the_button_of_an_old_portal_is_not_pressed_for_a_new_token() -> None:
    """A guest who signed in anew without reaching the portal has no button for that session."""
    clock, client = Clock(), Busy()
    context = surroundings(clock, client)
    gateway = SimulatedGateway(Gateway("sim-0001", "simulation", "10.128.1.1"), context, Wifidog())
    guest = Guest(1, [gateway], context)
    for thread in (*gateway.threads(), guest.live()):
        Deferred.fromCoroutine(thread).addErrback(lambda failure: failure.trap(SimulationOver))
    clock.pump([0] * 3 + [1] * 5)
    assert client.asked == ["GET login", "POST login", "GET portal"]
    gateway.restart(is_reboot=True)
    clock.pump([1] * 60)
    assert client.asked[3:] == ["GET login", "POST login"]
    assert gateway.lets_through(guest)
    clock.pump([1] * 60)
    assert client.asked[5:] == []
    context.clock.close()
