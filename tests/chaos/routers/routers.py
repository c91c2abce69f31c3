"""Routers that keep WebSockets open to servers, from a process of their own, and what they have to say in the end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.chaos.reporting_process import begin
from tests.chaos.routers.process import Orders, guest_of, gw_id_of
from tests.chaos.routers.router import Course, Guest
from tests.support.postgres import execute
from tests.support.testbed.server_process import ask

END_WITHIN = 120.0

LEEWAY = 4.0
"""Seconds by which the servers take the interval for longer than it is."""

KICK = "UPDATE sessions SET ending = 'ended by the operator' WHERE mac = ANY('{%s}'::macaddr[])"
"""What C{wifidogctl session kick} does."""

STORED = """
    SELECT mac::text, incoming + outgoing, NULL FROM sessions WHERE gw_id ^@ 'gw-'
     UNION ALL
    SELECT mac::text, incoming + outgoing, reason FROM past_sessions WHERE gw_id ^@ 'gw-'
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What has come of a router."""

    gw_id: str
    course: Course
    guests: Sequence[Guest]


def furnish(dsn: str, orders: Orders) -> None:
    """Put adopted gateways and guests who are online into a server's database."""
    numbers = range(orders.routers)
    gateways = ", ".join(
        f"('{gw_id_of(number)}', 'default', '192.168.{number >> 8}.{number & 255}', 2060, "
        f"interval '{orders.interval + LEEWAY} s', now())"
        for number in range(orders.routers + orders.misled)
    )
    guests = [(number, guest_of(orders, number, place)) for number in numbers for place in range(orders.guests)]
    sessions = ", ".join(
        f"(sha256('{guest.token}'), '{gw_id_of(number)}', '{guest.mac}'::macaddr, '{guest.ip}'::inet, "
        "now(), now(), now())"
        for number, guest in guests
    )
    execute(
        dsn,
        f"INSERT INTO gateways (gw_id, network, address, port, check_interval, adopted_at) VALUES {gateways}",
        "INSERT INTO sessions (token_hash, gw_id, mac, ip, opened_at, activated_at, reported_at) VALUES " + sessions,
    )


class Routers:
    """Routers that live."""

    def __init__(self, orders: Orders, home: Path) -> None:
        """
        Connect routers, and wait until all that may are connected.

        @param home: where they may write what goes wrong.
        @raise RuntimeError: if they cannot.
        """
        self._complaints = home / "routers.log"
        self._process = begin("tests.chaos.routers.process", orders, self._complaints)

    def deafen(self, count: int) -> None:
        """Have the first routers stop reading."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"deaf %d\n" % count)
        self._process.stdin.flush()

    def end(self) -> list[Told]:
        """
        Let each send a last list, and end.

        @raise RuntimeError: if anything of theirs went wrong.
        """
        said, _ = self._process.communicate(timeout=END_WITHIN)
        complaints = self._complaints.read_text(errors="replace")
        if self._process.returncode or "Traceback" in complaints:
            raise RuntimeError(f"the routers went wrong:\n{complaints[-3000:]}")
        return [
            Told(each["gw_id"], Course(**each["course"]), [Guest(**guest) for guest in each["guests"]])
            for each in json.loads(said)
        ]

    def __enter__(self) -> Routers:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def log_out(port: int, guest: Guest) -> None:
    """
    Press the button on a guest's page, which comes from the server at that port.

    @raise RuntimeError: if there is none.
    """
    page = ask(port, f"GET /wifidog/portal?token={guest.token} HTTP/1.0\r\nHost: wifi.example\r\n\r\n".encode())
    state = re.search(rb'action="[^"]*logout"[^>]*>\s*<input[^>]*name="state" value="([^"]*)"', page)
    if state is None:
        raise RuntimeError(f"a portal page without a way to log out: {page[-2000:]!r}")
    form = urlencode({"state": state[1].decode()})
    head = "POST /wifidog/logout HTTP/1.0\r\nHost: wifi.example\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    ask(port, f"{head}Content-Length: {len(form)}\r\n\r\n{form}".encode())


def audit(dsn: str, told: Sequence[Told], asked: set[str]) -> Iterator[str]:
    """
    Compare what is stored with what routers were told.

    @param asked: MACs of guests who were to be thrown off; nobody else may be.
    @return: differences, in words.
    """
    stored = {str(mac): (int(str(octets)), reason) for mac, octets, reason in execute(dsn, STORED)}
    guests = [guest for router in told for guest in router.guests]
    if len(stored) != len(guests):
        yield f"{len(stored)} guests are stored of {len(guests)}"
    for guest in guests:
        octets, reason = stored[guest.mac]
        if guest.gone_at and guest.mac not in asked:
            yield f"{guest.mac} was thrown off by a {guest.gone_by}, and nobody had asked for that"
        if guest.mac in asked and not guest.gone_at:
            yield f"{guest.mac} is still online"
        if (reason is not None) != (guest.mac in asked):
            yield f"{guest.mac} has the reason {reason}"
        if octets not in (guest.told, *guest.perhaps):
            yield f"{guest.mac} has {octets} octets, and {guest.told} were acknowledged, or {guest.perhaps}"
