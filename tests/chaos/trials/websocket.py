"""Routers that keep WebSockets open, and guests who are to be thrown off, whatever happens to servers and database."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tests.chaos.report.trial_result import TrialResult
from tests.chaos.routers.process import Orders, guest_of
from tests.chaos.routers.routers import KICK, Routers, furnish, log_out
from tests.chaos.trials.websocket_promises import Asked, Event, judged
from tests.support.postgres import execute
from tests.support.testbed.process_watch import Watch
from tests.support.testbed.server_process import ServerProcess, accepts, await_healthy, free_port, is_healthy
from tests.support.testbed.testbed import READY_WITHIN, Testbed


@dataclass(frozen=True, slots=True)
class Scale:
    """
    How much goes on.

    @ivar kicked: guests who are to be thrown off each time.
    @ivar deaf: routers that stop reading.
    @ivar frozen: seconds for which PostgreSQL is.
    @ivar dead: seconds from a server's end to its start.
    @ivar within: seconds in which a connected router is told.
    """

    orders: Orders
    kicked: int
    deaf: int
    frozen: float
    dead: float
    within: float


LONG = Scale(Orders((), 300, 3, 20, 4.0), kicked=30, deaf=30, frozen=20.0, dead=3.0, within=1.0)
SHORT = Scale(Orders((), 16, 3, 2, 2.0), kicked=4, deaf=4, frozen=3.0, dead=0.5, within=4.0)
"""For CI, where a second may be long."""

APART = 1.5
"""Seconds between two things that happen, so that each can be told from the other."""


@dataclass(slots=True)
class Scene:
    """
    Two servers, the routers of both, and what has been asked for.

    @ivar unasked: guests who may still be thrown off, by the number of the server that their router is connected to.
    @ivar served_at: when the server that was gone last served again; 0 if none was.
    """

    testbed: Testbed
    dsn: str
    scale: Scale
    ports: Sequence[int]
    servers: list[ServerProcess]
    routers: Routers
    unasked: list[list[tuple[int, int]]]
    asked: list[Asked] = field(default_factory=list)
    served_at: float = 0.0

    def take(self, server: int, *, deaf: bool = False) -> list[tuple[int, int]]:
        """Return guests at routers of a server, who have not been thrown off yet; router and place of each."""
        fit = [each for each in self.unasked[server] if (each[0] < self.scale.deaf) == deaf]
        taken = fit[: self.scale.kicked // 2]
        self.unasked[server] = [each for each in self.unasked[server] if each not in taken]
        return taken

    def kick(self, guests: Sequence[tuple[int, int]], what: str, *, is_told: bool = True) -> Asked:
        """
        Do as C{wifidogctl session kick}, and note when that was done.

        @param is_told: whether their routers must be told within the time that is promised.
        """
        macs = [guest_of(self.scale.orders, *each).mac for each in guests]
        execute(self.dsn, KICK % ",".join(macs))
        asked = Asked(what, time.monotonic(), macs, is_told)
        self.asked.append(asked)
        return asked

    def log_out(self, guests: Sequence[tuple[int, int]], at: int, what: str) -> None:
        """Press the button on each guest's page, which comes from a certain server."""
        for number, place in guests:
            guest = guest_of(self.scale.orders, number, place)
            log_out(self.ports[at], guest)
            self.asked.append(Asked(what, time.monotonic(), [guest.mac]))

    def start_again(self, server: int, is_ready: Callable[[int], bool] = is_healthy) -> None:
        """Do what systemd does when a server has gone."""
        self.servers[server] = self.testbed.wifidogd(self.dsn, port=self.ports[server], is_ready=is_ready)
        self.served_at = time.monotonic()


@dataclass(frozen=True, slots=True)
class Happening:
    """
    Something that happens.

    @ivar what: in words.
    @ivar happen: makes it so, and returns when it is over.
    @ivar watch: seconds to watch afterwards.
    @ivar ends: how many connections it must end, and no other.
    """

    what: str
    happen: Callable[[Scene], None]
    watch: float
    ends: int = 0


def endure(scale: Scale, happenings: Sequence[Happening]) -> list[TrialResult]:
    """Let servers and routers go through some happenings, one after the other, and say how each was."""
    with Testbed() as testbed:
        dsn = testbed.create_database()
        testbed.wifidogd(dsn).end()
        ports = (free_port(), free_port())
        orders = Orders(ports, scale.orders.routers, scale.orders.guests, scale.orders.misled, scale.orders.interval)
        furnish(dsn, orders)
        servers = [testbed.wifidogd(dsn, port=port) for port in ports]
        with Routers(orders, testbed.home) as routers:
            all_guests = [(number, place) for place in range(orders.guests) for number in range(orders.routers)]
            unasked = [[each for each in all_guests if each[0] % len(ports) == server] for server in range(len(ports))]
            scene = Scene(testbed, dsn, scale, ports, servers, routers, unasked)
            time.sleep(APART)
            events = [_watched(scene, each) for each in happenings]
            told = routers.end()
        return judged(scale.orders, scale.within, dsn, told, events, scene.asked)


def _watched(scene: Scene, happening: Happening) -> Event:
    """Let something happen; what is measured is those servers that were there at first."""
    watch, began, known, scene.served_at = Watch(*scene.servers), time.monotonic(), len(scene.asked), 0.0
    happening.happen(scene)
    time.sleep(happening.watch)
    watch.end()
    log = "".join(server.log.read_text(errors="replace") for server in scene.servers)
    return Event(
        happening.what,
        began,
        time.monotonic(),
        scene.asked[known:],
        happening.ends,
        scene.served_at,
        watch.whole.memory_growth,
        100 * watch.whole.cpu / watch.whole.seconds,
        "Traceback" in log,
    )


def calm(scene: Scene) -> None:
    """Have guests thrown off by whoever can ask, at the server of their router and at the other one."""
    for server in (0, 1):
        scene.kick(scene.take(server), "a kick")
        scene.log_out(scene.take(server), 1 - server, "a log-out at the other server")


def freeze(scene: Scene) -> None:
    """Freeze PostgreSQL, with kicks asked for right before, meanwhile and afterwards."""
    scene.kick(scene.take(0), "a kick")
    time.sleep(APART)
    before = scene.kick(scene.take(1), "a kick right before")
    scene.testbed.postgres.freeze()
    meanwhile = threading.Thread(target=scene.kick, args=(scene.take(0), "a kick meanwhile"))
    time.sleep(scene.scale.frozen / 2)
    meanwhile.start()
    time.sleep(scene.scale.frozen / 2)
    thawed_at = time.monotonic()
    scene.testbed.postgres.thaw()
    before.at = thawed_at
    meanwhile.join()
    time.sleep(APART)
    scene.kick(scene.take(1), "a kick afterwards")


def _end(number: signal.Signals) -> Callable[[Scene], None]:
    def happen(scene: Scene) -> None:
        server = scene.servers[0]
        if number is signal.SIGKILL:
            with suppress(ProcessLookupError):
                os.kill(server.pid, number)
        else:
            server.end()
        time.sleep(scene.scale.dead / 2)
        scene.kick(scene.take(0), "a kick while nobody was connected", is_told=False)
        scene.kick(scene.take(1), "a kick at the other server")
        time.sleep(scene.scale.dead / 2)
        scene.start_again(0)

    return happen


def deafen(scene: Scene) -> None:
    """Have routers stop reading, and guests thrown off there and elsewhere."""
    scene.routers.deafen(scene.scale.deaf)
    time.sleep(0.5)
    for server in (0, 1):
        scene.kick(scene.take(server, deaf=True), "a kick at a deaf router", is_told=False)
        scene.kick(scene.take(server), "a kick elsewhere")


def start_without_database(scene: Scene) -> None:
    """Have a server end and start while PostgreSQL is stopped, so that it does not know whose routers come."""
    scene.testbed.postgres.stop()
    os.kill(scene.servers[0].pid, signal.SIGKILL)
    scene.start_again(0, accepts)
    time.sleep(scene.scale.frozen / 2)
    scene.testbed.postgres.start()
    for server in scene.servers:
        await_healthy(server, READY_WITHIN, "PostgreSQL was stopped")
    scene.served_at = time.monotonic()
    time.sleep(APART)
    scene.kick(scene.take(0), "a kick afterwards")


def happenings(scale: Scale) -> list[Happening]:
    """Return what happens, in order."""
    half = scale.orders.routers // 2
    return [
        Happening("guests kicked, or logged out at another server than that of their router's WebSocket", calm, 20.0),
        Happening(f"PostgreSQL frozen by SIGSTOP for {scale.frozen:g} s under routers with WebSockets", freeze, 10.0),
        Happening("one of two servers of routers with WebSockets killed by SIGKILL", _end(signal.SIGKILL), 15.0, half),
        Happening("one of two servers of routers with WebSockets stopped by SIGTERM", _end(signal.SIGTERM), 15.0, half),
        Happening(
            "one of two servers of routers with WebSockets killed, and started again while PostgreSQL is stopped",
            start_without_database,
            10.0,
            half,
        ),
        Happening(f"{scale.deaf} of the routers with WebSockets stop reading", deafen, 35.0, scale.deaf),
    ]


def in_short(scale: Scale) -> list[Happening]:
    """Return what of that takes no time."""
    half = scale.orders.routers // 2
    return [
        Happening("kicked", calm, 2.0),
        Happening("frozen", freeze, 2.0),
        Happening("killed", _end(signal.SIGKILL), 7.0, half),
    ]


TRIALS = {"websocket": lambda: endure(LONG, happenings(LONG))}
