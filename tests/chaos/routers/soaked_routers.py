"""Routers with WebSockets that live as long as a soak, whose guests are thrown off a few at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tests.chaos.routers.process import Orders, guest_of, gw_id_of
from tests.chaos.routers.routers import KICK, Routers, audit, furnish
from tests.support.postgres import execute
from tests.support.testbed.server_process import ask

GUESTS = 3
"""Of each router, at most two of whom are thrown off."""

KICKED = 2
"""Guests who are thrown off at a time."""

MISLED = 2
"""Routers that ask for a WebSocket where there is none."""

INTERVAL = 4.0

SETTLED_WITHIN = 3.0
"""Seconds for the last guests to be thrown off, and their sessions to end."""

KNOWN_WITHIN = 20.0

TOLD_WITHIN = 2.0
"""Seconds, while there is a crowd of bad clients: docs/protocol.md 7.3 has one second."""


@dataclass(frozen=True, slots=True)
class Lived:
    """
    What has come of the routers.

    @ivar kicked: guests who were to be thrown off.
    @ivar slowest: seconds until the last of them was, each from when that was asked.
    @ivar closed: connections that were closed.
    @ivar differences: between what they were told and the tables, in words.
    """

    routers: int = 0
    kicked: int = 0
    slowest: float = 0.0
    closed: int = 0
    differences: Sequence[str] = field(default=())

    def complaints(self) -> list[str]:
        """Return what is wrong with that, however slow the machine is."""
        found = [f"routers: {what}" for what in self.differences[:10]]
        if self.closed:
            found.append(f"{self.closed} WebSockets were closed")
        return found


class SoakedRouters:
    """Routers at one server; a context manager."""

    def __init__(self, port: int, dsn: str, count: int, home: Path) -> None:
        """
        Adopt routers, and wait until they are connected.

        @param dsn: of the database of a server that has made its tables.
        """
        self._orders = Orders((port,), count, GUESTS, MISLED, INTERVAL)
        self._dsn = dsn
        self._unasked = (guest_of(self._orders, number, place) for place in (0, 1) for number in range(count))
        self._asked: dict[str, float] = {}
        furnish(dsn, self._orders)
        _await_known(port, gw_id_of(count + MISLED - 1))
        self._routers = Routers(self._orders, home)

    def __enter__(self) -> SoakedRouters:
        return self

    def __exit__(self, *_: object) -> None:
        self._routers.__exit__()

    def kick_some(self) -> None:
        """Ask for some guests to be thrown off."""
        macs = [guest.mac for guest in islice(self._unasked, KICKED)]
        execute(self._dsn, KICK % ",".join(macs))
        self._asked |= dict.fromkeys(macs, time.monotonic())

    def end(self) -> Lived:
        """Let each router send a last list, and compare."""
        time.sleep(SETTLED_WITHIN)
        began = time.monotonic()
        told = self._routers.end()
        guests = {guest.mac: guest for router in told for guest in router.guests}
        took = [guests[mac].gone_at - at for mac, at in self._asked.items() if guests[mac].gone_at]
        closed = sum(at < began for router in told for at in router.course.closed)
        differences = list(audit(self._dsn, told, set(self._asked)))
        return Lived(self._orders.routers, len(self._asked), max(took, default=0.0), closed, differences)


def _await_known(port: int, gw_id: str) -> None:
    """
    Wait until a server knows a gateway; who connects before that is a stranger until its next heartbeat.

    @raise RuntimeError: if it takes too long.
    """
    give_up = time.monotonic() + KNOWN_WITHIN
    where = f"gw_address=192.168.0.1&gw_port=2060&gw_id={gw_id}&ip=10.0.0.5&mac=02:57:53:ff:ff:ff"
    while b" 404 " in ask(port, f"GET /wifidog/login/?{where} HTTP/1.0\r\nHost: a\r\n\r\n".encode())[:20]:
        if time.monotonic() > give_up:
            raise RuntimeError(f"the server does not know {gw_id}")
        time.sleep(0.1)
