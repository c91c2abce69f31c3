"""Routers that keep a WebSocket open, as many as one process has descriptors for."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.testbed.fake_router import masked, upgrade_request

_AT_ONCE = 100
"""Routers that connect before those before them have been answered."""


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
