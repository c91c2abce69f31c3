"""The whole server on a real port and a real database, with a wall clock that tests set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.support.deadline import within
from wifidogd.domain.tokens import mint_token
from wifidogd.server import AuthServer
from wifidogd.tap import Options, makeService

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Answer:
    """
    One HTTP response.

    @ivar raw: as it came.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        self.code = int(status.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


class Exchange(Protocol):
    """Sends bytes and collects the answer, until it is complete or the server closes the connection."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        _, found, body = self._received.partition(b"\r\n\r\n")
        if found:
            length = Answer(self._received).headers.get("content-length")
            if length is not None and len(body) >= int(length):
                self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.done.callback(self._received)


async def ask(port: int, request: bytes) -> Answer:
    """Send raw bytes to a local port, on a connection of their own."""
    exchange = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Exchange(request))
    return Answer(await exchange.done)


class RunningServer:
    """
    A server as C{twistd wifidogd} would run it.

    @ivar now: what its wall clock says.
    @ivar tokens: handed out first, in this order; minted afterwards.
    """

    def __init__(self, dsn: str, *arguments: str) -> None:
        options = Options()
        options.parseOptions(["--database", dsn, "--listen", "tcp:0:interface=127.0.0.1", *arguments])
        self.now = NOON
        self.tokens: list[str] = []
        self.service: AuthServer = makeService(options, reactor, utc_now=lambda: self.now, mint=self._mint)

    def _mint(self) -> str:
        return self.tokens.pop(0) if self.tokens else mint_token()

    async def start(self) -> None:
        """Start the server and wait until it has read the adopted gateways."""
        self.service.startService()
        await self.is_ready()

    async def is_ready(self) -> None:
        """Wait until the server has read the adopted gateways."""
        while (await self._health()).code != 200:
            await deferLater(reactor, 0.02)

    async def _health(self) -> Any:
        while not self.service.ports:
            await deferLater(reactor, 0.02)
        return await self.get("/healthz")

    async def stop(self) -> None:
        await within(15, self.service.stopService())

    @property
    def port(self) -> int:
        return self.service.ports[0].getHost().port

    async def ask(self, request: bytes) -> Answer:
        """Send raw bytes on a connection of their own."""
        return await within(20, ask(self.port, request))

    async def get(self, target: str) -> Answer:
        """Send a GET request as the reference gateway does."""
        return await self.ask(f"GET {target} HTTP/1.0\r\nUser-Agent: WiFiDog 1.3.0\r\nHost: localhost\r\n\r\n".encode())

    async def post(self, target: str, form: str) -> Answer:
        """Send a form as a browser does."""
        head = f"POST {target} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        return await self.ask(f"{head}Content-Length: {len(form)}\r\n\r\n{form}".encode())
