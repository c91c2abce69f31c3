"""A simulated gateway does what it is told, as the real one does, and notices what is wrong."""

from __future__ import annotations

from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.simulation.actors.behaviour import Behaviour
from wifidogd.simulation.actors.gateway import SimulatedGateway
from wifidogd.simulation.context import Context
from wifidogd.simulation.families.apfree import Apfree
from wifidogd.simulation.families.family import Family
from wifidogd.simulation.families.wifidog import Wifidog
from wifidogd.simulation.families.wifidog_ng import WifidogNg
from wifidogd.simulation.oracle.history import History
from wifidogd.simulation.oracle.scenarios import ListedDevice
from wifidogd.simulation.statistics import Kind, Statistics
from wifidogd.simulation.transport.client import NoAnswer
from wifidogd.simulation.transport.clock import ScaledClock, SimulationOver
from wifidogd.simulation.transport.wire import Server

MAC = "02:51:4d:00:00:01"
DEVICE = ListedDevice("sim-0001", MAC)
ELSEWHERE = ListedDevice("sim-0002", MAC)
INTERVAL = 60.0


def auth(code: int, status: int = 200) -> bytes:
    """Answer a report."""
    return b"HTTP/1.0 %d Whatever\r\n\r\nAuth: %d\n" % (status, code)


class ScriptedClient:
    """
    A server that answers what it was told to.

    @ivar answers: to what is asked next; pings are always answered well.
    @ivar asked: the queries of all reports so far.
    """

    def __init__(self) -> None:
        self.answers: list[bytes | NoAnswer] = []
        self.asked: list[dict[str, str]] = []

    async def ask(self, request: bytes, patience: float | None = None) -> tuple[bytes | NoAnswer, float]:
        """As L{HttpClient<wifidogd.simulation.transport.client.HttpClient>}."""
        url = urlsplit(request.decode().split(" ")[1])
        if url.path.rstrip("/").endswith("/ping"):
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


class Setup:
    """One gateway with its surroundings."""

    def __init__(self, family: Family | None = None) -> None:
        self.clock = Clock()
        self.client = ScriptedClient()
        self.phone = Phone()
        seconds = self.clock.seconds
        self.context = Context(
            Server("127.0.0.1", 8080, "/wifidog/"),
            self.client,  # type: ignore[arg-type]
            ScaledClock(1, clock=self.clock),
            Steady(INTERVAL, Random(1)),
            History(seconds),
            Statistics(seconds),
            INTERVAL,
        )
        self.gateway = SimulatedGateway(
            Gateway("sim-0001", "simulation", "10.128.1.1"), self.context, family or Wifidog()
        )
        for thread in self.gateway.threads():
            Deferred.fromCoroutine(thread).addErrback(lambda failure: failure.trap(SimulationOver))

    def comes(self, token: str, *answers: bytes | NoAnswer) -> str | None:
        """Send the phone to the gateway with a token; return the address of the redirect."""
        self.context.history.minted(DEVICE, token)
        self.client.answers += answers
        sent: list[str | None] = []
        Deferred.fromCoroutine(self.gateway.admit(self.phone, token)).addCallback(sent.append)
        return sent[0]

    def joins(self, *answers: bytes | NoAnswer) -> str | None:
        """Bring the phone to the gateway; return the token by which it is let in."""
        self.client.answers += answers
        sent: list[str | None] = []
        Deferred.fromCoroutine(self.gateway.welcome(self.phone)).addCallback(sent.append)
        assert self.client.answers == []
        return sent[0]

    def is_elsewhere(self) -> Setup:
        """Put the phone online at another gateway."""
        history = self.context.history
        history.minted(ELSEWHERE, "a")
        assert history.heard(ELSEWHERE, history.began(ELSEWHERE, "a", Stage.LOGIN), AuthCode.ALLOWED)
        return self

    def reports(self, *answers: bytes | NoAnswer) -> list[tuple[str, ...]]:
        """Advance the clock by an interval; return the requests that were sent."""
        self.client.stages()
        self.client.answers += answers
        self.clock.advance(INTERVAL)
        assert self.client.answers == []
        return self.client.stages()

    @property
    def is_online(self) -> bool:
        """Return whether the gateway lets the phone through."""
        return self.gateway.lets_through(self.phone)

    @property
    def faults(self) -> int:
        """Return the number of wrong answers."""
        return self.context.statistics.wrong


@pytest.mark.parametrize(
    ("answer", "leads_to", "is_online", "faults"),
    [
        (auth(1), "/wifidog/portal/?gw_id=sim-0001", True, 0),
        (auth(0), "/wifidog/gw_message.php?message=denied", False, 1),
        (auth(5), "/wifidog/gw_message.php?message=activate", True, 1),
        (auth(6), "/wifidog/gw_message.php?message=failed_validation", False, 1),
        (auth(-1, 503), None, False, 0),
        (auth(254), None, False, 1),
        (b"HTTP/1.0 200 OK\r\n\r\n", None, False, 1),
        (NoAnswer.LOST, None, False, 0),
        (NoAnswer.REFUSED, None, False, 0),
    ],
)
def test_answers_to_a_login(answer: bytes | NoAnswer, leads_to: str | None, is_online: bool, faults: int) -> None:
    """What the gateway makes of them, and which of them a right server never gives (docs/protocol.md 6.4)."""
    setup = Setup()
    assert setup.comes("a", answer) == leads_to
    assert setup.is_online is is_online
    assert setup.faults == faults


@pytest.mark.parametrize(
    ("answer", "is_online", "is_listed", "faults"),
    [
        (auth(1), True, True, 0),
        (auth(0), False, False, 1),
        (auth(6), False, False, 1),
        (auth(5), True, True, 1),
        (auth(-1, 503), True, True, 0),
        (NoAnswer.LOST, True, True, 0),
    ],
)
def test_answers_to_counters(answer: bytes | NoAnswer, is_online: bool, is_listed: bool, faults: int) -> None:
    """0 and 6 throw out without a logout, everything else leaves the guest as is."""
    setup = Setup()
    setup.comes("a", auth(1))
    assert setup.reports(answer) == [("counters", "a", "1000", "100")]
    assert setup.is_online is is_online
    assert setup.faults == faults
    assert setup.reports(*[auth(1)] * is_listed) == [("counters", "a", "2000", "200")] * is_listed


def test_a_refused_client_stays_listed_and_the_next_counters_let_it_in() -> None:
    """Counters are a second way in (docs/protocol.md 6.5)."""
    setup = Setup()
    setup.comes("a", auth(-1, 503))
    assert not setup.is_online
    assert setup.reports(auth(1)) == [("counters", "a", "0", "0")]
    assert setup.is_online
    assert setup.reports(auth(1)) == [("counters", "a", "1000", "100")]
    assert setup.faults == 0


def test_a_new_token_while_online_freezes_the_totals_until_they_are_passed() -> None:
    """The rule of the firewall is a new one, the list entry is not (docs/protocol.md 6.6)."""
    setup = Setup()
    setup.comes("a", auth(1))
    setup.reports(auth(1))
    assert setup.reports(auth(1)) == [("counters", "a", "2000", "200")]
    setup.comes("b", auth(1))
    asked = [setup.reports(auth(1)) for _ in range(3)]
    assert asked == [[("counters", "b", str(down), str(up))] for down, up in ((2000, 200), (2000, 200), (3000, 300))]
    assert setup.faults == 0
    [(_, [sessions])] = setup.context.history.accounts()
    assert [session.used for session in sessions] == [Octets(2000, 200), Octets(1000, 100)]


def test_an_absent_client_is_logged_out_after_two_intervals() -> None:
    """Counters first, then the logout with the same numbers (docs/protocol.md 6.6)."""
    setup = Setup()
    setup.comes("a", auth(1))
    setup.reports(auth(1))
    setup.phone.is_near = False
    assert setup.reports(auth(1)) == [("counters", "a", "1000", "100")]
    assert setup.reports(auth(1), auth(0)) == [("counters", "a", "1000", "100"), ("logout", "a", "1000", "100")]
    assert setup.reports() == []
    assert setup.faults == 0


def test_a_log_out_is_said_once_with_the_last_totals() -> None:
    """And never again, be it heard or not (docs/protocol.md 6.4)."""
    setup = Setup()
    setup.comes("a", auth(1))
    setup.reports(auth(1))
    setup.client.answers.append(NoAnswer.LOST)
    for _ in range(2):
        Deferred.fromCoroutine(setup.gateway.log_out(setup.phone))
    assert setup.client.stages() == [("logout", "a", "1000", "100")]
    assert setup.reports() == []
    assert setup.context.statistics.unanswered == 1


def test_a_reboot_forgets_clients_and_a_restart_keeps_them() -> None:
    """With their counters; nobody is logged out by either."""
    setup = Setup()
    setup.comes("a", auth(1))
    setup.reports(auth(1))
    setup.gateway.restart(is_reboot=False)
    assert setup.reports(auth(1)) == [("counters", "a", "2000", "200")]
    setup.gateway.restart(is_reboot=True)
    assert not setup.is_online
    assert setup.reports() == []
    setup.comes("b", auth(1))
    assert setup.reports(auth(1)) == [("counters", "b", "1000", "100")]
    assert (setup.faults, setup.context.statistics.restarts) == (0, 2)


def test_strangers_get_an_apology_when_the_server_is_out_of_reach_for_long() -> None:
    """For two intervals they are still sent to it (docs/protocol.md 6.8)."""
    setup = Setup()
    setup.comes("a", NoAnswer.REFUSED)
    assert setup.gateway.catch(setup.phone, "http://example.org/") is not None
    setup.context.clock.close()
    setup.clock.advance(2 * INTERVAL)
    assert setup.gateway.catch(setup.phone, "http://example.org/") is None
    setup.comes("b", auth(1))
    target = setup.gateway.catch(setup.phone, "http://example.org/")
    assert target is not None
    assert "gw_address=10.128.1.1&gw_port=2060&gw_id=sim-0001&ip=10.0.0.1&mac=" in target


def test_in_the_end_only_what_is_unknown_is_asked_again() -> None:
    """With the same totals."""
    setup = Setup()
    setup.comes("a", auth(1))
    setup.reports(auth(-1, 503))
    setup.context.clock.close()
    setup.client.answers.append(auth(1))
    for _ in range(2):
        Deferred.fromCoroutine(setup.gateway.settle())
    assert setup.client.stages() == [("counters", "a", "1000", "100")]
    assert setup.context.history.is_certain(DEVICE)


def test_a_ping_without_pong_is_wrong() -> None:
    """And is told with what came instead."""
    setup = Setup()

    async def ask(request: bytes, patience: float | None = None) -> tuple[bytes | NoAnswer, float]:
        return b"HTTP/1.0 200 OK\r\n\r\npong", 0.001

    setup.client.ask = ask  # type: ignore[method-assign]
    setup.clock.advance(INTERVAL)
    assert setup.context.statistics.asked[Kind.PING].wrong == 1
    assert "pong" in setup.context.statistics.faults[0]


YES = {
    "apfree": b'HTTP/1.1 200 OK\r\n\r\n{"roam":"yes","client":{"token":"b","firstLogin":1,"gw_id":"sim-0001"}}',
    "wifidog-ng": b"HTTP/1.1 200 OK\r\n\r\ntoken=b",
}
NO = b"HTTP/1.1 200 OK\r\n\r\ndeny"


@pytest.mark.parametrize(("family", "begins_at_once"), [(Apfree(), False), (WifidogNg(), True)])
def test_a_device_that_is_online_elsewhere_goes_on_without_a_page(family: Family, *, begins_at_once: bool) -> None:
    """Its session begins with the answer, or with the first report."""
    setup = Setup(family).is_elsewhere()
    setup.clock.advance(10)
    assert setup.joins(YES["wifidog-ng" if begins_at_once else "apfree"]) == "b"
    assert setup.is_online
    assert setup.context.statistics.roams == 1
    assert setup.context.history.is_online(DEVICE, "b") is begins_at_once
    assert (setup.faults, setup.context.statistics.unanswered) == (0, 0)
    assert setup.joins() is None, "nobody asks about a device that is in"


def test_the_reference_gateway_does_not_ask() -> None:
    setup = Setup().is_elsewhere()
    assert setup.joins() is None
    assert not setup.is_online


def test_a_device_that_is_online_nowhere_must_not_be_let_in() -> None:
    setup = Setup(WifidogNg())
    assert setup.joins(NO) is None
    assert setup.faults == 0
    assert setup.joins(YES["wifidog-ng"]) == "b"
    assert setup.faults == 1


@pytest.mark.parametrize("answer", [NO, b"HTTP/1.1 200 OK\r\n\r\nAuth: -1\n", NoAnswer.LOST, NoAnswer.REFUSED])
def test_a_device_that_is_turned_away_although_it_could_go_on_is_counted(answer: bytes | NoAnswer) -> None:
    """As no answer: a server in trouble says no."""
    setup = Setup(WifidogNg()).is_elsewhere()
    assert setup.joins(answer) is None
    assert not setup.is_online
    assert (setup.faults, setup.context.statistics.unanswered) == (0, 1)
