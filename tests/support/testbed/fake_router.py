"""A router's end of a WebSocket, as strict as apfree-wifidog 9.07 (docs/protocol.md 7.4)."""

from __future__ import annotations

import base64
import json
from hashlib import sha1

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.support.deadline import within

BUFFER = 1023
"""Octets that it reads at once; with more waiting it never reads again."""

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def upgrade_request(path: str = "/ws/wifidogx", key: bytes = b"WgTEyNpZXmKchJHPRkV9Tg==") -> bytes:
    """Return the request as apfree-wifidog sends it."""
    return (
        b"GET %b HTTP/1.1\r\nHost: 198.51.100.10:80\r\nUser-Agent: apfree-wifidog\r\nUpgrade: websocket\r\n"
        b"Connection: upgrade\r\nSec-WebSocket-Key: %b\r\nSec-WebSocket-Version: 13\r\n\r\n" % (path.encode(), key)
    )


def masked(payload: bytes, opcode: int = TEXT, *, is_last: bool = True) -> bytes:
    """Return a frame of a client."""
    mask = b"\xa5\x1c\x79\xf4"  # the same each time, as frames are parameters of tests
    length = len(payload)
    if length < 126:
        size = bytes([0x80 | length])
    elif length < 65536:
        size = bytes([0x80 | 126]) + length.to_bytes(2, "big")
    else:
        size = bytes([0x80 | 127]) + length.to_bytes(8, "big")
    key = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
    body = (int.from_bytes(payload, "big") ^ key).to_bytes(length, "big")
    return bytes([(0x80 if is_last else 0) | opcode]) + size + mask + body


class FakeRouter(Protocol):
    """
    One connection of a router.

    @ivar commands: what the server sent beside answers, as read.
    @ivar answers: of the server.
    @ivar lost: octets that the router did not look at.
    @ivar closed_with: the code of the server's close frame; None without one.
    @ivar replies: whether it replies to commands as in C{listed}.
    @ivar listed: devices that a kickoff finds, by MAC.
    @ivar refuses: whether it replies that a command was wrong, as to C{auth} for a device that it lists.
    """

    def __init__(self, device_id: str, gw_ids: tuple[str, ...], *, form: str = "op") -> None:
        self.device_id = device_id
        self.gw_ids = gw_ids
        self.form = form
        self.commands: list[dict] = []
        self.answers: list[dict] = []
        self.lost = 0
        self.is_deaf = False
        self.closed_with: int | None = None
        self.replies = True
        self.listed: set[str] | None = None
        self.refuses = False
        self.pings = 0
        self.head = b""
        self.is_open = False
        self.opened: Deferred[None] = Deferred()
        self.closed: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Read as the router does: 1,023 octets at most, of which it looks at one frame."""
        if not self.is_open:
            self.head += data
            assert len(self.head) <= BUFFER, "Input buffer overflow"
            if b"\r\n\r\n" in self.head:
                self._read_head()
            return
        if self.is_deaf or len(data) > BUFFER:
            self.is_deaf = True
            self.lost += len(data)
            return
        self._look_at_one_frame(data)

    def _read_head(self) -> None:
        accept = base64.b64encode(sha1(b"WgTEyNpZXmKchJHPRkV9Tg==" + GUID).digest())
        head, _, rest = self.head.partition(b"\r\n\r\n")
        self.lost += len(rest)
        assert head.startswith(b"HTTP/1.1 101"), head
        assert accept in head
        assert b"extensions" not in head.lower()
        self.is_open = True
        self.opened.callback(None)

    def _look_at_one_frame(self, data: bytes) -> None:
        opcode, size = data[0] & 15, data[1] & 127
        start = 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        payload = data[start : start + size]
        self.lost += len(data) - start - len(payload)
        if len(payload) < size:
            self.lost += len(payload)
        elif opcode == TEXT:
            self._take(json.loads(payload))
        elif opcode == PING:
            self.pings += 1
            self.write(masked(payload, PONG))
        elif opcode == CLOSE:
            self.closed_with = int.from_bytes(payload[:2], "big")

    def _take(self, message: dict) -> None:
        is_answer = "response" in message if self.form == "op" else message["type"] in ("connect", "heartbeat")
        if is_answer:
            self.answers.append(message)
            return
        self.commands.append(message)
        if self.replies:
            self._reply(message)

    def _reply(self, message: dict) -> None:
        op = message[self.form]
        is_found = op != "kickoff" or self.listed is None or message["client_mac"] in self.listed
        if self.form == "type":
            if op == "kickoff" and is_found:
                self.say({"type": "kickoff_response", "status": "success", "message": "Client kicked off successfully"})
            elif op == "kickoff":
                self.say({"type": "kickoff_error", "error": "Client not found"})
            return
        data = {"type": f"{op}_response", "data": {}, "status": "success", "code": 0, "req_id": message["req_id"]}
        if self.refuses:
            data |= {"status": "error", "code": 1002, "message": "Client already exists"}
        elif not is_found:
            data |= {"status": "error", "code": 2000, "message": "Client not found"}
        self.say({"req_id": message["req_id"], "response": "200", "data": data})

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note the end."""
        self.closed.callback(None)

    def write(self, data: bytes) -> None:
        """Send octets."""
        self.transport.write(data)  # type: ignore[union-attr]

    def say(self, message: object) -> None:
        """Send a message in a frame."""
        self.write(masked(json.dumps(message).encode()))

    def greet(self, op: str = "connect", **more: object) -> None:
        """Say who it is, with the values of the recorded router."""
        gateways = [{"gw_id": gw_id, "gw_channel": "c", "auth_mode": 1} for gw_id in self.gw_ids]
        message = {self.form: op, "device_id": self.device_id, "mode": 0, "gateway": gateways}
        if self.form == "op":
            message["req_id"] = "6b8b4567327b23c6"
        if op == "heartbeat":
            message["sys_info"] = {"sys_uptime": 2293, "sys_memfree": 21370664, "sys_load": 2.23, "wifidog_uptime": 61}
        self.say(message | more)

    def leave(self) -> None:
        """Close, as a router that loses its power does."""
        if self.transport is not None and not self.closed.called:
            self.transport.abortConnection()

    async def has(self, number: int, of: str = "commands", seconds: float = 5) -> None:
        """Wait until it has heard so many commands, or answers."""

        async def look() -> None:
            while len(getattr(self, of)) < number:
                await deferLater(reactor, 0.01)

        await within(seconds, look())

    async def ends(self, seconds: float = 5) -> None:
        """Wait until the connection is closed."""
        await within(seconds, self.closed)


async def connect_router(
    port: int,
    device_id: str = "netlabdev1",
    gw_ids: tuple[str, ...] = ("gw1",),
    *,
    form: str = "op",
    path: str = "/ws/wifidogx",
    greets: bool = True,
    source: str | None = None,
) -> FakeRouter:
    """Connect a router, and wait until it has its answer."""
    router = FakeRouter(device_id, gw_ids, form=form)
    factory = Factory.forProtocol(lambda: router)
    factory.noisy = False
    bind = None if source is None else (source, 0)
    await within(5, HostnameEndpoint(reactor, "127.0.0.1", port, bindAddress=bind).connect(factory))
    router.write(upgrade_request(path))
    await within(5, router.opened)
    if greets:
        router.greet()
        await router.has(1, "answers")
    return router
