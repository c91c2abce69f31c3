"""Raw HTTP over TCP, for tests of listeners."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tests.support.deadline import within


@dataclass(frozen=True, slots=True)
class Reply:
    """
    An answer, taken apart.

    @ivar headers: by lower-case name; the last of repeated ones.
    """

    status: int
    headers: dict[str, str]
    body: str


class Wire(Protocol):
    """
    A client's end of a connection.

    @ivar heard: everything received so far.
    @ivar closed: fires, with nothing, when the connection is gone.
    """

    def __init__(self) -> None:
        self.heard = b""
        self.closed: Deferred[None] = Deferred()
        self._awaited: tuple[bytes, Deferred[None]] | None = None

    def dataReceived(self, data: bytes) -> None:
        """Listen."""
        self.heard += data
        if self._awaited is not None and self._awaited[0] in self.heard:
            _, deferred = self._awaited
            self._awaited = None
            deferred.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Record that the connection was closed."""
        self.closed.callback(None)

    def say(self, data: bytes) -> None:
        """Send bytes."""
        self.transport.write(data)  # type: ignore[union-attr]

    async def hears(self, expected: bytes, seconds: float = 5) -> None:
        """Wait until the server has sent something."""
        if expected not in self.heard:
            deferred: Deferred[None] = Deferred()
            self._awaited = (expected, deferred)
            await within(seconds, deferred)

    async def ends(self, seconds: float = 5) -> bytes:
        """Wait until the server has closed; return all that was heard."""
        await within(seconds, self.closed)
        return self.heard

    def leave(self) -> None:
        """Abort the connection with RST."""
        self.transport.abortConnection()  # type: ignore[union-attr]


class _Quiet(Factory):
    """Makes wires without logging, because tests read the server's lines in the log."""

    protocol = Wire
    noisy = False


async def connect(port: int) -> Wire:
    """Open a connection to a server on this machine."""
    return await within(5, HostnameEndpoint(reactor, "127.0.0.1", port).connect(_Quiet()))


async def ask(
    port: int,
    target: str,
    *,
    method: str = "GET",
    form: bytes | None = None,
    host: str = "portal.example",
    cookie: str = "",
    language: str = "",
    **fields: str,
) -> Reply:
    """
    Send one request on a connection of its own, as a browser would, and return the answer.

    @param fields: more of its head, such as C{Sec_Fetch_Site="none"}.
    """
    wire = await connect(port)
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
    if cookie:
        head += f"Cookie: {cookie}\r\n"
    if language:
        head += f"Accept-Language: {language}\r\n"
    head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    if form is not None:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n"
    wire.say(head.encode() + b"\r\n" + (form or b""))
    return read_reply(await wire.ends(10))


def read_reply(heard: bytes) -> Reply:
    """Parse an answer."""
    head, _, body = heard.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Reply(int(first.split(" ")[1]), headers, body.decode())
