"""
C{routers}: what routers cost that keep a WebSocket open: memory, and CPU while they say nothing but heartbeats.

Each is that of an adopted gateway, and has said who it is.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import stored_guests
from benchmarks.output.table import Limit, Result, Table, number
from tests.support.testbed.fake_router import masked, upgrade_request
from tests.support.testbed.process_cost import Meter, resident_octets
from tests.support.testbed.server_process import ServerProcess
from tests.support.testbed.testbed import Testbed

ROUTERS, QUICK_ROUTERS = 10_000, 500

MOST_OCTETS = 20_000
"""Of memory for each router."""

MOST_SHARE = 1.0
"""Percent of a core that routers cost which say nothing."""

SERVER, POSTGRES = "server", "postgres"
_AT_ONCE = 100
_SETTLED = 5.0


def run(testbed: Testbed, quick: bool) -> Result:
    """Watch a server without routers, and with many."""
    routers, seconds = (QUICK_ROUTERS, 5.0) if quick else (ROUTERS, 30.0)
    dsn = testbed.postgres.create_database()
    testbed.wifidogd(dsn).end()
    stored_guests.adopt(dsn, routers)
    server = testbed.wifidogd(dsn)
    time.sleep(_SETTLED)
    before, idle = resident_octets(server.pid), watch(testbed, server, seconds)
    with connected(server.port, routers) as sockets:
        time.sleep(_SETTLED)
        each = (resident_octets(server.pid) - before) / routers
        silent = watch(testbed, server, seconds)
        with beating(sockets, seconds):
            busy = watch(testbed, server, seconds)
        expect_open(sockets)
    server.end()
    testbed.postgres.drop_database(dsn)
    return report(routers, each, idle, silent, busy)


def watch(testbed: Testbed, server: ServerProcess, seconds: float) -> float:
    """Return the percent of a core that server and PostgreSQL take."""
    meter = Meter(**{SERVER: server.pid, POSTGRES: testbed.postgres.pid})
    time.sleep(seconds)
    spent = meter.spent()
    return (spent.share(SERVER) + spent.share(POSTGRES)) * 100


@contextmanager
def connected(port: int, routers: int) -> Iterator[list[socket.socket]]:
    """Connect so many routers, each of which says who it is."""
    sockets: list[socket.socket] = []
    try:
        for first in range(0, routers, _AT_ONCE):
            these = range(first, min(first + _AT_ONCE, routers))
            some = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in these]
            sockets += some
            for each in some:
                each.sendall(upgrade_request())
            for number_of, each in zip(these, some, strict=True):
                if not each.recv(1023).startswith(b"HTTP/1.1 101"):
                    raise RuntimeError("a router was refused")
                each.sendall(masked(greeting(number_of)))
            for each in some:
                if b"connect" not in each.recv(1023):
                    raise RuntimeError("a router was not answered")
        yield sockets
    finally:
        for each in sockets:
            each.close()


@contextmanager
def beating(sockets: list[socket.socket], seconds: float) -> Iterator[None]:
    """Have a share of the routers send a heartbeat, evenly, such that each would send one a minute."""
    count = int(len(sockets) * seconds / 60)

    def beat() -> None:
        for number_of in range(count):
            sockets[number_of].sendall(masked(greeting(number_of, "heartbeat")))
            time.sleep(seconds / count)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    yield
    thread.join()


def expect_open(sockets: list[socket.socket]) -> None:
    """Read what the server has sent, and fail if it has closed a connection."""
    for each in sockets:
        each.setblocking(False)
        try:
            while True:
                if not each.recv(1023):
                    raise RuntimeError("a router was disconnected")
        except BlockingIOError:
            continue


def greeting(number_of: int, op: str = "connect") -> bytes:
    """Return what a router says first, and once a minute."""
    gateway = {"gw_id": f"gw-{number_of}", "gw_channel": "c", "gw_address_v4": "10.0.0.1", "auth_mode": 1}
    message = {"op": op, "device_id": f"device{number_of}", "mode": 0, "gateway": [gateway]}
    return json.dumps(message | {"req_id": "6b8b4567327b23c6"}).encode()


def report(routers: int, each: float, idle: float, silent: float, busy: float) -> Result:
    """Put it in a table."""
    rows = [
        ["0", "", number(idle)],
        [number(routers), number(each / 1000), number(silent)],
        [f"{number(routers)}, a heartbeat a minute", "", number(busy)],
    ]
    columns = ("routers connected", "kB of memory for each", "wifidogd and PostgreSQL: % of a core")
    limits = [
        Limit("octets of memory for a router", each, most=MOST_OCTETS),
        Limit("% of a core that silent routers cost", silent - idle, most=MOST_SHARE),
    ]
    figures = {"routers": routers, "octets_each": each, "share_idle": idle, "share_silent": silent, "share_busy": busy}
    return Result("routers", [Table("Routers with a WebSocket, no requests", columns, rows)], limits, figures)
