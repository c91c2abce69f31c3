"""
Every private name of a library that wifidogd uses is known, still exists, and means what it is used for.

A private name may change with any release.  Each is listed here with its
reason, and a new one fails the test until it is; setup.py admits only releases
of Twisted with which these tests have passed.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import socket
import textwrap
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import psycopg2.extensions
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Port
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request
from twisted.web.server import Site
from twisted.web.websocket import WebSocketResource
from txpostgres import txpostgres

from tests.support.checkout import ROOT
from tests.support.deadline import within

USED = {
    "HTTPChannel._handlingRequest": "a request is being answered: whether to hang up, or to read the next one",
    "HTTPChannel._waitingForTransport": "the client does not read its answers: nothing more is read from it",
    "HTTPChannel._networkProducer": "the transport, to read no more of requests that came at once",
    "HTTPChannel._respondToBadRequestAndDisconnect": "the answer to a field whose name is too long",
    "HTTPChannel._maybeChooseTransferDecoder": "is overridden: Python does not convert lengths of thousands of digits",
    "HTTPChannel._protocolUpgradeForWebsockets": "is overridden: what twisted.web.websocket calls once it has accepted",
    "HTTPChannel._send100Continue": "is overridden: a client that is refused must not go on sending",
    "HTTPChannel._transferDecoder": "is dropped with a body that is too large: it holds the rest of a packet",
    "LineReceiver._buffer": "octets of the next request: whether there is one",
    "LineReceiver._busyReceiving": "more of the same packet is being read",
    "Request._disconnected": "the client has gone: no answer is written",
    "Port._shouldShutdown": "is cleared: a socket that other processes share is closed, not shut down",
    "Connection._connection": "psycopg2's connection: its state, its notices, and how far a query has got",
    "Connection._pollingD": "the wait for the server, which a cancelled connection must end",
}
"""Private names of libraries' classes, and what for."""

LIBRARIES = ("twisted", "klein", "txpostgres", "psycopg2", "werkzeug", "zope")


def modules() -> Iterator[ModuleType]:
    """Import all modules of the package but those that run when imported."""
    for path in sorted((ROOT / "wifidogd").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not name.endswith("__main__"):
            yield importlib.import_module(name)


def is_private(name: str) -> bool:
    """Return whether a name is meant for its own module or class alone."""
    return name.startswith("_") and not name.startswith("__") and name != "_"


@cache
def tree_of(thing: Any) -> ast.AST:
    """Parse the source of a module or class; nothing for one that has none."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError):
        return ast.Module([], [])


def names_in(thing: Any) -> set[str]:
    """Collect the private attributes that a class has or uses: methods, class variables and those of C{self}."""
    found: set[str] = set()
    for node in ast.walk(tree_of(thing)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "super()", "cls"):
            found.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return {name for name in found if is_private(name)}


def is_of_a_library(module: str) -> bool:
    """Return whether a dotted name belongs to one of the libraries."""
    return module.partition(".")[0] in LIBRARIES


def shared_with_bases(module: ModuleType) -> Iterator[str]:
    """Yield the private names that a class of ours shares with a library's class it inherits from."""
    for _, ours in inspect.getmembers(module, inspect.isclass):
        if ours.__module__ == module.__name__:
            for base in ours.__mro__:
                if is_of_a_library(base.__module__):
                    yield from (f"{base.__name__}.{name}" for name in names_in(ours) & names_in(base))


def own_names() -> set[str]:
    """Collect all private names that some class or module of ours defines."""
    found: set[str] = set()
    for module in modules():
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found |= {node.attr} if ast.unparse(node.value) == "self" else set()
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
    return found


STANDARD = {"_asdict", "_current_frames", "_exit", "_replace"}
"""Underscored names that the standard library documents."""


def reached_into(module: ModuleType, ours: set[str]) -> Iterator[str]:
    """Yield the private names of objects other than C{self}, and imported ones, that are nowhere defined by us."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if ast.unparse(node.value) not in ("self", "super()", "cls") and node.attr not in ours | STANDARD:
                yield node.attr
        elif isinstance(node, ast.ImportFrom) and is_of_a_library(node.module or ""):
            path = f"{node.module}.{{}}".format
            yield from (path(each.name) for each in node.names if any(map(is_private, path(each.name).split("."))))


def test_every_private_name_of_a_library_is_listed() -> None:
    """With its reason; and none that is not used any more."""
    ours = own_names()
    shared = {name for module in modules() for name in shared_with_bases(module)}
    reached = {name for module in modules() for name in reached_into(module, ours)}
    # A class inherits what a base of its base has: the class that defines a name is listed.
    listed = {name.partition(".")[2]: name for name in USED}
    found = {listed.get(name.partition(".")[2], name) for name in shared} | {listed.get(name, name) for name in reached}
    assert found == set(USED)


@pytest.mark.parametrize("name", sorted(USED))
def test_every_private_name_exists(name: str) -> None:
    """In the class that is said to have it."""
    owner, _, attribute = name.partition(".")
    classes = [HTTPChannel, LineReceiver, Request, Port, txpostgres.Connection]
    (found,) = [each for each in classes if each.__name__ == owner]
    assert attribute in names_in(found) | set(vars(found)) or any(attribute in names_in(base) for base in found.__mro__)


class Asked(Request):
    """A request that is answered when the test says so."""

    def process(self) -> None:
        """Wait."""


class Listening(HTTPChannel):
    """A channel that notes in which order it reads."""

    requestFactory = Asked

    def __init__(self) -> None:
        super().__init__()
        self.while_reading: list[tuple[bool, bytes]] = []
        self.lengths: list[tuple[bytes, bytes]] = []
        self.continued = 0

    def lineReceived(self, line: bytes) -> None:
        """Note what has been read and what has not."""
        self.while_reading.append((self._busyReceiving, self._buffer))
        super().lineReceived(line)

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        self.lengths.append((header, data))
        return bool(super()._maybeChooseTransferDecoder(header, data))

    def _send100Continue(self) -> None:
        self.continued += 1
        super()._send100Continue()


GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n"


@pytest.fixture
def channel() -> Listening:
    """A channel that is connected to nobody."""
    channel = Listening()
    channel.makeConnection(StringTransport())
    return channel


def test_a_channel_tells_whether_it_answers_a_request(channel: Listening) -> None:
    """From the end of the request to that of the answer."""
    assert channel._handlingRequest is False
    channel.dataReceived(GET[:-2])
    assert channel._handlingRequest is False
    channel.dataReceived(GET[-2:])
    assert channel._handlingRequest is True
    channel.requests[0].finish()
    assert channel._handlingRequest is False


def test_a_channel_tells_whether_its_client_reads_its_answers(channel: Listening) -> None:
    """What it writes to has asked it to pause."""
    assert channel._waitingForTransport is False
    channel.pauseProducing()
    assert channel._waitingForTransport is True
    channel.resumeProducing()
    assert channel._waitingForTransport is False


def test_a_channel_pauses_what_it_reads_from(channel: Listening) -> None:
    """Its network producer is the transport."""
    channel._networkProducer.pauseProducing()
    assert channel.transport.producerState == "paused"
    channel._networkProducer.resumeProducing()
    assert channel.transport.producerState == "producing"


def test_a_channel_keeps_what_it_has_not_read_and_tells_that_it_reads(channel: Listening) -> None:
    """A second request that came with the first waits in its buffer."""
    assert (channel._busyReceiving, channel._buffer) == (False, b"")
    channel.dataReceived(GET + GET[:5])
    assert channel.while_reading[0] == (True, GET.partition(b"\r\n")[2] + GET[:5])
    assert channel._busyReceiving is False
    channel.dataReceived(b"more")
    assert b"more" in channel._buffer + channel._dataBuffer[-1]


def test_a_channel_sends_400_and_hangs_up(channel: Listening) -> None:
    """When it is told that the request is a bad one."""
    channel._respondToBadRequestAndDisconnect()
    assert channel.transport.value().startswith(b"HTTP/1.1 400 ")
    assert channel.transport.disconnecting


def test_a_channel_asks_for_the_decoder_of_a_body_and_for_the_body_by_methods(channel: Listening) -> None:
    """A class that overrides them is asked; what decodes is forgotten with the body."""
    channel.dataReceived(POST)
    assert (b"Content-Length", b"3") in channel.lengths
    assert channel.continued == 1
    assert b"100 Continue" in channel.transport.value()
    assert channel._transferDecoder is not None
    channel._transferDecoder = None
    assert vars(channel)["_transferDecoder"] is None


def test_a_request_tells_that_its_client_has_gone(channel: Listening) -> None:
    """Then nothing is to be written."""
    channel.dataReceived(GET)
    request = channel.requests[0]
    assert request._disconnected is False
    request.connectionLost(Failure(ConnectionDone()))
    assert request._disconnected is True


@pytest.mark.parametrize(("should", "is_shut_down"), [(True, True), (False, False)])
def test_a_port_shuts_its_socket_down_only_if_it_should(
    monkeypatch: pytest.MonkeyPatch, should: bool, is_shut_down: bool
) -> None:
    """A socket that is shut down accepts nothing for any process that has it."""
    port = Port(0, Factory(), interface="127.0.0.1", reactor=MemoryReactor())
    port.startListening()
    with socket.socket(fileno=os.dup(port.fileno())) as shared:
        assert port._shouldShutdown is True
        port._shouldShutdown = should
        port.connectionLost(Failure(ConnectionDone()))
        shared.settimeout(0.2)
        with pytest.raises(OSError) as refused:
            shared.accept()
        assert isinstance(refused.value, TimeoutError) is not is_shut_down


@ensureDeferred
async def test_a_connection_to_postgresql_has_psycopgs_and_the_wait_for_it(dsn: str) -> None:
    """None while nothing is awaited."""
    connection = txpostgres.Connection(reactor)
    connecting = connection.connect(dsn)
    assert isinstance(connection._connection, psycopg2.extensions.connection)
    assert isinstance(connection._pollingD, Deferred)
    await within(10, connecting)
    assert connection._pollingD is None
    connection.close()


@ensureDeferred
async def test_a_websocket_is_handed_the_connection_by_its_channel() -> None:
    """Only a channel has a say in what becomes of it: it makes the protocol, and its bounds are ours."""
    handed: list[object] = []

    class Upgrading(HTTPChannel):
        """A channel that notes what it is handed."""

        def _protocolUpgradeForWebsockets(self, protocol: Any) -> None:
            handed.append(protocol)
            super()._protocolUpgradeForWebsockets(protocol)

    class Silent:
        """A WebSocket that does nothing."""

        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

        def buildProtocol(self, request: Request) -> Silent:
            """Return itself."""
            return self

    class Only(Site):
        """A site with nothing but a WebSocket."""

        protocol = Upgrading

    site = Only(WebSocketResource(Silent()))
    site.resource.isLeaf = True
    channel = Upgrading()
    channel.site, channel.requestFactory = site, site.requestFactory
    transport = StringTransport()
    channel.makeConnection(transport)
    channel.dataReceived(
        b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"sec-websocket-key: WgTEyNpZXmKchJHPRkV9Tg==\r\nsec-websocket-version: 13\r\n\r\n"
    )
    assert transport.value().startswith(b"HTTP/1.1 101")
    [protocol] = handed
    assert channel.dataReceived == protocol.dataReceived  # type: ignore[attr-defined]


def test_only_releases_that_have_been_tested_are_admitted() -> None:
    """The newest is the one in requirements/run.txt; the next may have other private names."""
    bound = re.search(r'"twisted\[tls,websocket\]>=([0-9.]+),<([0-9.]+)"', (ROOT / "setup.py").read_text("utf-8"))
    tested = re.search(r"(?im)^twisted==(\d+)\.(\d+)", (ROOT / "requirements" / "run.txt").read_text("utf-8"))
    assert bound is not None
    assert tested is not None
    assert bound[2] == f"{tested[1]}.{int(tested[2]) + 1}"
