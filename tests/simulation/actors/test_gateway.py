"""A simulated gateway does what it is told, as the real one does, and notices what is wrong."""

from __future__ import annotations

from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import Octets
from wifidogd.simulation.actors.behaviour import Behaviour
from wifidogd.simulation.actors.gateway import SimulatedGateway
from wifidogd.simulation.context import Context
from wifidogd.simulation.oracle.history import History, Place
from wifidogd.simulation.statistics import Kind, Statistics
from wifidogd.simulation.transport.client import Silence
from wifidogd.simulation.transport.clock import ClosingTime, ScaledClock
from wifidogd.simulation.transport.wire import Server

MAC = "02:51:4d:00:00:01"
PLACE = Place("sim-0001", MAC)
INTERVAL = 60.0


def auth(code: int, status: int = 200) -> bytes:
    """Answer a report."""
    return b"HTTP/1.0 %d Whatever\r\n\r\nAuth: %d\n" % (status, code)


class ScriptedLine:
    """
    A server that answers what it was told to.

    @ivar answers: to what is asked next; pings are always answered well.
    @ivar asked: the queries of all reports so far.
    """

    def __init__(self) -> None:
        self.answers: list[bytes | Silence] = []
        self.asked: list[dict[str, str]] = []

    async def ask(self, request: bytes) -> tuple[bytes | Silence, float]:
        """As L{Line<wifidogd.simulation.transport.client.Line>}."""
        url = urlsplit(request.decode().split(" ")[1])
        if url.path.endswith("/ping/"):
            return b"HTTP/1.0 200 OK\r\n\r\nPong", 0.001
        self.asked.append({name: value for name, [value] in parse_qs(url.query).items()})
        return self.answers.pop(0), 0.001

    def stages(self) -> list[tuple[str, ...]]:
        """List stage, token, down and up of what was asked since the last time."""
        names = ("stage", "token", "incoming", "outgoing")
        asked, self.asked = self.asked, []
        return [tuple(said[name] for name in names) for said in asked]


class Steady(Behaviour):
    """No chance."""

    def first_report(self) -> float:
        """A whole interval after the start."""
        return INTERVAL

    def next_restart(self) -> float:
        """Never."""
        return 1e9


class Phone:
    """
    A device that uses the same in each interval.

    @ivar is_near: whether it answers.
    """

    mac = MAC
    ip = "10.0.0.1"

    def __init__(self) -> None:
        self.is_near = True

    def uses(self, gateway: SimulatedGateway, seconds: float) -> Octets | None:
        """A thousand down, a hundred up; the gateway's echoes come on top."""
        return Octets(952, 52) if self.is_near else None


class House:
    """One gateway with its surroundings."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.line = ScriptedLine()
        self.phone = Phone()
        seconds = self.clock.seconds
        self.scene = Context(
            Server("127.0.0.1", 8080, "/wifidog/"),
            self.line,  # type: ignore[arg-type]
            ScaledClock(1, clock=self.clock),
            Steady(INTERVAL, Random(1)),
            History(seconds),
            Statistics(seconds),
            INTERVAL,
        )
        self.gateway = SimulatedGateway(Gateway("sim-0001", "simulation", "10.128.1.1"), self.scene)
        for thread in self.gateway.threads():
            Deferred.fromCoroutine(thread).addErrback(lambda failure: failure.trap(ClosingTime))

    def comes(self, token: str, *answers: bytes | Silence) -> str | None:
        """Let the phone come to the gateway with a token; return where it is sent."""
        self.scene.journal.minted(PLACE, token)
        self.line.answers += answers
        sent: list[str | None] = []
        Deferred.fromCoroutine(self.gateway.admit(self.phone, token)).addCallback(sent.append)
        return sent[0]

    def reports(self, *answers: bytes | Silence) -> list[tuple[str, ...]]:
        """Let an interval pass; return what was asked."""
        self.line.stages()
        self.line.answers += answers
        self.clock.advance(INTERVAL)
        assert self.line.answers == []
        return self.line.stages()

    @property
    def is_online(self) -> bool:
        """Whether the phone gets through."""
        return self.gateway.lets_through(self.phone)

    @property
    def faults(self) -> int:
        """How many answers were wrong."""
        return self.scene.figures.wrong


@pytest.mark.parametrize(
    ("answer", "leads_to", "is_online", "faults"),
    [
        (auth(1), "/wifidog/portal/?gw_id=sim-0001&token=a", True, 0),
        (auth(0), "/wifidog/gw_message.php?message=denied&token=a", False, 1),
        (auth(5), "/wifidog/gw_message.php?message=activate&token=a", True, 1),
        (auth(6), "/wifidog/gw_message.php?message=failed_validation&token=a", False, 1),
        (auth(-1, 503), None, False, 0),
        (auth(254), None, False, 1),
        (b"HTTP/1.0 200 OK\r\n\r\n", None, False, 1),
        (Silence.LOST, None, False, 0),
        (Silence.REFUSED, None, False, 0),
    ],
)
def test_answers_to_a_login(answer: bytes | Silence, leads_to: str | None, is_online: bool, faults: int) -> None:
    """What the gateway makes of them, and which of them a right server never gives (protocol.md section 4)."""
    house = House()
    assert house.comes("a", answer) == leads_to
    assert house.is_online is is_online
    assert house.faults == faults


@pytest.mark.parametrize(
    ("answer", "is_online", "is_listed", "faults"),
    [
        (auth(1), True, True, 0),
        (auth(0), False, False, 1),
        (auth(6), False, False, 1),
        (auth(5), True, True, 1),
        (auth(-1, 503), True, True, 0),
        (Silence.LOST, True, True, 0),
    ],
)
def test_answers_to_counters(answer: bytes | Silence, is_online: bool, is_listed: bool, faults: int) -> None:
    """0 and 6 throw out without a logout, everything else leaves the guest as is."""
    house = House()
    house.comes("a", auth(1))
    assert house.reports(answer) == [("counters", "a", "1000", "100")]
    assert house.is_online is is_online
    assert house.faults == faults
    assert house.reports(*[auth(1)] * is_listed) == [("counters", "a", "2000", "200")] * is_listed


def test_a_refused_client_stays_listed_and_the_next_counters_let_it_in() -> None:
    """Counters are a second way in (protocol.md 0.9)."""
    house = House()
    house.comes("a", auth(-1, 503))
    assert not house.is_online
    assert house.reports(auth(1)) == [("counters", "a", "0", "0")]
    assert house.is_online
    assert house.reports(auth(1)) == [("counters", "a", "1000", "100")]
    assert house.faults == 0


def test_a_new_token_while_online_freezes_the_totals_until_they_are_passed() -> None:
    """The rule of the firewall is a new one, the list entry is not (protocol.md 0.12 and 0.13)."""
    house = House()
    house.comes("a", auth(1))
    house.reports(auth(1))
    assert house.reports(auth(1)) == [("counters", "a", "2000", "200")]
    house.comes("b", auth(1))
    asked = [house.reports(auth(1)) for _ in range(3)]
    assert asked == [[("counters", "b", str(down), str(up))] for down, up in ((2000, 200), (2000, 200), (3000, 300))]
    assert house.faults == 0
    [(_, [stays])] = house.scene.journal.accounts()
    assert [stay.used for stay in stays] == [Octets(2000, 200), Octets(1000, 100)]


def test_an_absent_client_is_logged_out_after_two_intervals() -> None:
    """Counters first, then the logout with the same numbers (protocol.md section 5)."""
    house = House()
    house.comes("a", auth(1))
    house.reports(auth(1))
    house.phone.is_near = False
    assert house.reports(auth(1)) == [("counters", "a", "1000", "100")]
    assert house.reports(auth(1), auth(0)) == [("counters", "a", "1000", "100"), ("logout", "a", "1000", "100")]
    assert house.reports() == []
    assert house.faults == 0


def test_a_log_out_is_said_once_with_the_last_totals() -> None:
    """And never again, be it heard or not (protocol.md 0.8)."""
    house = House()
    house.comes("a", auth(1))
    house.reports(auth(1))
    house.line.answers.append(Silence.LOST)
    for _ in range(2):
        Deferred.fromCoroutine(house.gateway.log_out(house.phone))
    assert house.line.stages() == [("logout", "a", "1000", "100")]
    assert house.reports() == []
    assert house.scene.figures.unanswered == 1


def test_a_reboot_forgets_clients_and_a_restart_keeps_them() -> None:
    """With their counters; nobody is logged out by either."""
    house = House()
    house.comes("a", auth(1))
    house.reports(auth(1))
    house.gateway.restart(is_reboot=False)
    assert house.reports(auth(1)) == [("counters", "a", "2000", "200")]
    house.gateway.restart(is_reboot=True)
    assert not house.is_online
    assert house.reports() == []
    house.comes("b", auth(1))
    assert house.reports(auth(1)) == [("counters", "b", "1000", "100")]
    assert (house.faults, house.scene.figures.restarts) == (0, 2)


def test_strangers_get_an_apology_when_the_server_is_out_of_reach_for_long() -> None:
    """For two intervals they are still sent to it (protocol.md 0.16)."""
    house = House()
    house.comes("a", Silence.REFUSED)
    assert house.gateway.catch(house.phone, "http://example.org/") is not None
    house.scene.pace.close()
    house.clock.advance(2 * INTERVAL)
    assert house.gateway.catch(house.phone, "http://example.org/") is None
    house.comes("b", auth(1))
    target = house.gateway.catch(house.phone, "http://example.org/")
    assert target is not None
    assert "gw_address=10.128.1.1&gw_port=2060&gw_id=sim-0001&ip=10.0.0.1&mac=" in target


def test_in_the_end_only_what_is_unknown_is_asked_again() -> None:
    """With the same totals."""
    house = House()
    house.comes("a", auth(1))
    house.reports(auth(-1, 503))
    house.scene.pace.close()
    house.line.answers.append(auth(1))
    for _ in range(2):
        Deferred.fromCoroutine(house.gateway.settle())
    assert house.line.stages() == [("counters", "a", "1000", "100")]
    assert house.scene.journal.is_certain(PLACE)


def test_a_ping_without_pong_is_wrong() -> None:
    """And is told with what came instead."""
    house = House()

    async def ask(request: bytes) -> tuple[bytes | Silence, float]:
        return b"HTTP/1.0 200 OK\r\n\r\npong", 0.001

    house.line.ask = ask  # type: ignore[method-assign]
    house.clock.advance(INTERVAL)
    assert house.scene.figures.asked[Kind.PING].wrong == 1
    assert "pong" in house.scene.figures.faults[0]
