"""The site against clients that stall, vanish, send nonsense or come in crowds."""

from __future__ import annotations

import resource
import struct
from collections.abc import Iterator
from socket import SO_LINGER, SOL_SOCKET, create_connection
from typing import Any

import pytest
from klein import Klein
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock, deferLater
from twisted.internet.tcp import Port
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from tests.support.builders import NOON
from tests.support.deadline import within
from tests.support.observing import descriptors, let_clients_be_heard, log_lines
from tests.support.raw_http import Wire, ask, connect, read_reply
from wifidogd.web.server.connections.channel import ANSWER_DEADLINE, REQUEST_DEADLINE
from wifidogd.web.server.connections.connection_limit import most_connections
from wifidogd.web.server.request_limits import LINGER
from wifidogd.web.server.site import MOST_OCTETS, WifidogdSite

HELLO = b"GET /wifidog/auth HTTP/1.1\r\nHost: a\r\n\r\n"
LAST_HELLO = b"GET /wifidog/auth HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Echo:
    """Answers with its name, the rest of the path, and the size of the body."""

    app = Klein()

    def __init__(self, name: str) -> None:
        self._name = name

    @app.route("/", strict_slashes=False)
    @app.route("/<path:rest>", strict_slashes=False)
    def echo(self, request: IRequest, rest: str = "") -> bytes:
        """Repeat."""
        return f"{self._name} {rest} {len(request.content.read())}".encode()


class Slow(Resource):
    """
    Answers when told to.

    @ivar asked: requests not answered yet.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Request] = []

    def render(self, request: Request) -> int:
        """Keep the request."""
        self.asked.append(request)
        return NOT_DONE_YET

    async def has_been_asked(self, times: int) -> None:
        """Wait for a request."""

        async def look() -> None:
            while len(self.asked) < times:
                await deferLater(reactor, 0.01)

        await within(5, look())


class StillClock(Clock):
    """A clock that only the test moves; what is to be done in the next turn of the reactor is done then."""

    def callLater(self, when: float, *call: Any, **named: Any) -> Any:
        """As L{Clock.callLater}."""
        return reactor.callLater(0, *call, **named) if when == 0 else super().callLater(when, *call, **named)


class RunningSite:
    """A listening site that serves echoes, and a health page that is slow."""

    def __init__(self, path: str = "/wifidog/", most_connections: int | None = None) -> None:
        self.clock = StillClock()
        self.slow = Slow()
        self._components = Echo("gateway"), Echo("guest")
        gateway, guest = (component.app.resource() for component in self._components)
        self.site = WifidogdSite(
            gateway,
            guest,
            self.slow,
            path=path,
            clock=self.clock,
            utc_now=lambda: NOON,
            most_connections=most_connections,
        )
        self.listener: Port = reactor.listenTCP(0, self.site, backlog=300, interface="127.0.0.1")
        self.site.connections.watch(self.listener)
        self.port: int = self.listener.getHost().port

    async def connect(self) -> Wire:
        """Connect, and wait until the server has noticed."""
        clients = self.site.metrics()["clients"]
        wire = await connect(self.port)
        await self.has_clients(clients + 1)
        return wire

    async def has_clients(self, number: int) -> None:
        """Wait until so many are connected."""

        async def look() -> None:
            while self.site.metrics()["clients"] != number:
                await deferLater(reactor, 0.005)

        await within(5, look())


@pytest.fixture
def running() -> Iterator[RunningSite]:
    """A front whose clock only the test moves."""
    running = RunningSite()
    yield running
    close(running)


def close(running: RunningSite) -> None:
    """Stop listening, and send everybody away."""
    running.listener.stopListening()
    for channel in list(running.site.connections.channels):
        channel.transport.abortConnection()


def rst(port: int) -> None:
    """Connect and vanish at once."""
    client = create_connection(("127.0.0.1", port))
    client.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize(
    ("path", "target", "answer"),
    [
        ("/wifidog/", "/wifidog/auth/?stage=login", "gateway auth"),
        ("/wifidog/", "/wifidog/auth", "gateway auth"),
        ("/wifidog/", "/wifidog/auth/KEY/?stage=x", "gateway auth/KEY"),
        ("/wifidog/", "/wifidog/ping/KEY", "gateway ping/KEY"),
        ("/wifidog/", "//wifidog//ping//", "gateway ping"),
        ("/wifidog/", "/wifidog/auth/%ff", "gateway auth/\ufffd"),
        ("/wifidog/", "/wifidog/auth/a%2Fb", "gateway auth/a\ufffdb"),
        ("/wifidog/", "/wifidog/login/", "guest login"),
        ("/wifidog/", "/wifidog/", "guest "),
        ("/wifidog/", "/wifidog", "guest "),
        ("/wifidog/", "/", "guest "),
        ("/wifidog/", "/auth", "guest nowhere"),
        ("/wifidog/", "/login", "guest nowhere"),
        ("/wifidog/", "/%ff/%fe", "guest nowhere"),
        ("/", "/auth/", "gateway auth"),
        ("/", "/login", "guest login"),
        ("/", "/", "guest "),
        ("/a/b/", "/a/b/ping", "gateway ping"),
        ("/a/b/", "/a/b/portal/", "guest portal"),
        ("/a/b/", "/a/ping", "guest nowhere"),
    ],
)
@ensureDeferred
async def test_paths_lead_to_components(path: str, target: str, answer: str) -> None:
    """Under any prefix, with any slashes, never by a redirect and never with a traceback."""
    running = RunningSite(path)
    with log_lines("") as lines:
        reply = await ask(running.port, target)
    assert (reply.status, reply.body) == (200, f"{answer} 0")
    assert not [line for line in lines if "log_failure" in line]
    close(running)


@pytest.mark.parametrize("target", ["/healthz", "/healthz?x=/wifidog/auth", "http://a/healthz"])
@ensureDeferred
async def test_health_is_at_one_address(running: RunningSite, target: str) -> None:
    """At the root, where monitors look."""
    wire = await running.connect()
    wire.say(f"GET {target} HTTP/1.0\r\n\r\n".encode())
    await running.slow.has_been_asked(1)


@pytest.mark.parametrize("path", ["/wifidog/", "/"])
@pytest.mark.parametrize(
    "target",
    [
        "//healthz",
        "/healthz/",
        "/%68ealthz",
        "/healthz%00",
        "/healthz%2F",
        "/./healthz",
        "/wifidog/healthz",
        "/wifidog//healthz",
        "/wifidog/healthz/",
        "/HEALTHZ",
        "http://a//healthz",
        "healthz",
    ],
)
@ensureDeferred
async def test_health_is_at_no_other_address(path: str, target: str) -> None:
    """So that a rule in front of the server that forbids the one forbids it."""
    running = RunningSite(path)
    reply = await ask(running.port, target)
    assert (reply.status, reply.body.partition(" ")[0]) == (200, "guest")
    close(running)


@ensureDeferred
async def test_an_answer_is_one_piece_with_a_length(running: RunningSite) -> None:
    """To HTTP/1.1 as well as 1.0, where the connection then closes; no version of anything is told."""
    wire = await running.connect()
    wire.say(b"GET /wifidog/auth HTTP/1.0\r\n\r\n")
    old = read_reply(await wire.ends())
    assert old.body == "gateway auth 0"
    for reply in (old, await ask(running.port, "/wifidog/auth")):
        assert reply.headers["content-length"] == str(len("gateway auth 0"))
        assert "transfer-encoding" not in reply.headers
        assert "server" not in reply.headers


@ensureDeferred
async def test_connections_are_kept_for_who_speaks_1_1(running: RunningSite) -> None:
    """One request after another, also when they come at once."""
    wire = await running.connect()
    wire.say(HELLO)
    await wire.hears(b"gateway auth 0")
    wire.say(HELLO + HELLO + LAST_HELLO)
    assert (await wire.ends()).count(b"gateway auth 0") == 4


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GET /wifid",
        b"GET /wifidog/auth HTTP/1.1\r\nHost: a\r\nX: ",
        b"POST /wifidog/login HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf",
        b"POST /wifidog/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        HELLO,
    ],
)
@ensureDeferred
async def test_silence_ends_at_the_deadline(running: RunningSite, start: bytes) -> None:
    """Before, in and after a request; without a line in the log."""
    with log_lines("") as lines:
        wire = await running.connect()
        wire.say(start)
        if start == HELLO:
            await wire.hears(b"gateway auth 0")
        await let_clients_be_heard()
        running.clock.advance(REQUEST_DEADLINE - 1)
        await let_clients_be_heard()
        assert not wire.closed.called
        running.clock.advance(1)
        await wire.ends()
    assert lines == []
    await running.has_clients(0)
    running.clock.advance(1)
    assert running.clock.getDelayedCalls() == []


@ensureDeferred
async def test_who_does_not_read_gets_no_answers_ahead(running: RunningSite) -> None:
    """Requests may all come at once; the next is looked at when the client has taken its answers."""
    many, page = 60, b"." * 2**20
    wire = await running.connect()
    wire.transport.pauseProducing()
    wire.say(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * many)
    answered = 0
    for _ in range(many):
        await deferLater(reactor, 0.02)
        if len(running.slow.asked) > answered:
            running.slow.asked[answered].write(page)
            running.slow.asked[answered].finish()
            answered += 1
    assert 0 < answered == len(running.slow.asked) < many
    wire.transport.resumeProducing()
    await running.slow.has_been_asked(answered + 1)
    wire.transport.abortConnection()


@ensureDeferred
async def test_who_never_reads_is_dropped(running: RunningSite) -> None:
    """Without a line in the log."""
    wire = await running.connect()
    wire.transport.pauseProducing()
    wire.say(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    await running.slow.has_been_asked(1)
    running.slow.asked[0].write(b"." * 2**26)
    with log_lines("") as lines:
        running.slow.asked[0].finish()
        await let_clients_be_heard()
        running.clock.advance(ANSWER_DEADLINE)
        await running.has_clients(0)
    assert lines == []
    wire.transport.abortConnection()


@ensureDeferred
async def test_dripping_does_not_extend_the_deadline(running: RunningSite) -> None:
    """A byte now and then is as good as none."""
    wire = await running.connect()
    for _ in range(REQUEST_DEADLINE):
        wire.say(b"G")
        await deferLater(reactor, 0.01)
        running.clock.advance(1)
    await wire.ends()


@ensureDeferred
async def test_an_answer_may_take_longer_than_a_request(running: RunningSite) -> None:
    """The deadline is the client's, not ours."""
    wire = await running.connect()
    wire.say(b"GET /healthz HTTP/1.0\r\n\r\n")
    await running.slow.has_been_asked(1)
    running.clock.advance(REQUEST_DEADLINE * 3)
    running.slow.asked[0].write(b"at last")
    running.slow.asked[0].finish()
    assert (await wire.ends()).endswith(b"at last")


@ensureDeferred
async def test_a_client_that_never_reads_is_dropped(running: RunningSite) -> None:
    """Once it had time enough to take its answer."""
    with log_lines("") as lines:
        wire = await running.connect()
        wire.transport.pauseProducing()  # type: ignore[union-attr]
        wire.say(b"GET /healthz HTTP/1.0\r\n\r\n")
        await running.slow.has_been_asked(1)
        running.slow.asked[0].write(b"x" * 20_000_000)
        running.slow.asked[0].finish()
        await let_clients_be_heard()
        running.clock.advance(ANSWER_DEADLINE - 1)
        await let_clients_be_heard()
        await running.has_clients(1)
        running.clock.advance(1)
        await running.has_clients(0)
    assert lines == []
    wire.leave()


@pytest.mark.parametrize("request_line", [HELLO, LAST_HELLO, b"GET /wifidog/auth HTTP/1.0\r\n\r\n"])
@ensureDeferred
async def test_half_closing_clients_get_their_answer(running: RunningSite, request_line: bytes) -> None:
    """Request, FIN, answer, FIN."""
    wire = await running.connect()
    wire.say(request_line)
    wire.transport.loseWriteConnection()  # type: ignore[union-attr]
    assert (await wire.ends()).endswith(b"gateway auth 0")
    await running.has_clients(0)


@ensureDeferred
async def test_half_closing_clients_may_have_to_wait(running: RunningSite) -> None:
    """The answer may be long in coming, and several may be due."""
    wire = await running.connect()
    wire.say(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + HELLO)
    wire.transport.loseWriteConnection()  # type: ignore[union-attr]
    await running.slow.has_been_asked(1)
    await let_clients_be_heard()
    running.slow.asked[0].write(b"slow")
    running.slow.asked[0].finish()
    heard = await wire.ends()
    assert b"slow" in heard
    assert heard.endswith(b"gateway auth 0")


@ensureDeferred
async def test_half_a_request_and_fin_is_nothing(running: RunningSite) -> None:
    """Closed without an answer, at once."""
    wire = await running.connect()
    wire.say(b"GET /wifi")
    wire.transport.loseWriteConnection()  # type: ignore[union-attr]
    assert await wire.ends() == b""


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: %d\r\n\r\n" % (MOST_OCTETS + 1),
        b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\nX-More: y\r\n\r\n",
        b"Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n",
    ],
)
@ensureDeferred
async def test_too_large_a_body_is_refused_audibly(running: RunningSite, head: bytes) -> None:
    """The client hears 413 even though it is still sending, and nothing is processed."""
    with log_lines("") as lines:
        wire = await running.connect()
        wire.say(b"POST /wifidog/login HTTP/1.1\r\nHost: a\r\n" + head)
        wire.say(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        for _ in range(300):
            wire.say(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await wire.hears(b"413 Content Too Large")
        await let_clients_be_heard()
        running.clock.advance(LINGER)
        heard = await wire.ends()
    assert heard.count(b"HTTP/1.1") == 1
    assert lines == []
    await running.has_clients(0)


@ensureDeferred
async def test_the_largest_body_is_taken(running: RunningSite) -> None:
    """In one piece or in chunks."""
    reply = await ask(running.port, "/wifidog/login", method="POST", form=b"x" * MOST_OCTETS)
    assert reply.body == f"guest login {MOST_OCTETS}"
    wire = await running.connect()
    chunks = (b"4000\r\n" + b"x" * 16384 + b"\r\n") * 4 + b"0\r\n\r\n"
    wire.say(
        b"POST /wifidog/login HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    )
    assert (await wire.ends()).endswith(f"guest login {MOST_OCTETS}".encode())


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
        b"GET /wifidog/a b?gw_id=a HTTP/1.0\r\n\r\n",
        b"GET /wifidog/auth?gw_id=a b HTTP/9.9\r\n\r\n",
        b"GET /wifidog/auth?gw_id=a\x01b c HTTP/1.0\r\n\r\n",
        b"GET  /wifidog/auth?gw_id=a HTTP/1.0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\xffGET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad name: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    ],
)
@ensureDeferred
async def test_nonsense_is_refused_without_a_trace(running: RunningSite, nonsense: bytes) -> None:
    """Closed, with a 400 or nothing; the log stays empty."""
    with log_lines("") as lines:
        wire = await running.connect()
        wire.say(nonsense)
        heard = await wire.ends()
    assert heard == b"" or heard.startswith(b"HTTP/1.1 400")
    assert lines == []


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET /wifidog/login?url=" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"414 URI Too Long"),
        (b"GET /wifidog/login?url=" + b"a" * 16_380 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"414 URI Too Long"),
        (b"GET /" + b"a" * 200_000, b"414 URI Too Long"),
        (HELLO[:-2] + b"X: y\r\n" * 500 + b"\r\n", b"431 Request Header Fields Too Large"),
        (HELLO[:-2] + b"Cookie: " + b"a" * 17_000 + b"\r\n\r\n", b"431 Request Header Fields Too Large"),
        (HELLO[:-2] + b"X: " + b"a" * 200_000, b"431 Request Header Fields Too Large"),
        (
            HELLO[:-2] + b"X: " + b"a" * 9_000 + b"\r\nY: " + b"a" * 9_000 + b"\r\n",
            b"431 Request Header Fields Too Large",
        ),
    ],
)
@pytest.mark.parametrize("before", [b"", HELLO], ids=["at once", "after another request"])
@ensureDeferred
async def test_too_long_a_head_is_refused_audibly(
    running: RunningSite, before: bytes, said: bytes, status: bytes
) -> None:
    """With a sentence that no cache keeps; nothing is processed, and the log stays empty."""
    with log_lines("") as lines:
        wire = await running.connect()
        wire.say(before + said)
        await wire.hears(b"HTTP/1.1 " + status)
        wire.say(b"more" * 10_000 + b"\r\n\r\n" + HELLO)
        await let_clients_be_heard()
        running.clock.advance(LINGER)
        reply = read_reply((await wire.ends()).partition(b"gateway auth 0")[2] if before else await wire.ends())
    assert reply.headers["cache-control"] == "no-store"
    assert reply.body.endswith("than this server takes.\n")
    assert lines == []
    await running.has_clients(0)


@pytest.mark.parametrize("fields", [HELLO[:-2] + b"X: y\r\n" * 499, HELLO[:-2] + b"X: " + b"a" * 16_330 + b"\r\n"])
@ensureDeferred
async def test_the_longest_head_is_taken(running: RunningSite, fields: bytes) -> None:
    """Each time on a connection that is kept."""
    wire = await running.connect()
    wire.say((fields + b"\r\n") * 2 + LAST_HELLO)
    assert (await wire.ends()).count(b"gateway auth 0") == 3


@pytest.mark.parametrize("octets", [1, 11, 517, 30_000])
@ensureDeferred
async def test_tls_on_a_port_without_it_ends_at_once(running: RunningSite, octets: int) -> None:
    """However much of a ClientHello has come; without a word, here and in the log."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(30_000)
    with log_lines("") as lines:
        wire = await running.connect()
        wire.say(hello[:octets])
        assert await wire.ends() == b""
        await running.has_clients(0)
    assert lines == []


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("http://auth/wifidog/ping/?gw_id=a", "gateway ping"),
        ("http://auth:8080/wifidog/auth/?stage=login", "gateway auth"),
        ("HTTPS://Auth.example/wifidog/login?url=http://a.example/", "guest login"),
        ("http://[::1]:8080/wifidog/portal", "guest portal"),
        ("http://auth//wifidog//ping", "gateway ping"),
        ("http://auth", "guest "),
        ("http://auth?x", "guest "),
        ("http:///wifidog/ping", "gateway ping"),
        ("http://elsewhere.example/x", "guest nowhere"),
        ("http:/wifidog/ping", "guest nowhere"),
        ("ftp://auth/wifidog/ping", "guest nowhere"),
    ],
)
@ensureDeferred
async def test_a_target_with_scheme_and_host_is_served_like_one_without(
    running: RunningSite, target: str, answer: str
) -> None:
    """Proxies send it, and so do clients that take this server for one (RFC 9112 3.2.2)."""
    assert (await ask(running.port, target)).body == f"{answer} 0"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET /wifidog/ping HTTP/1.1\r\n\r\n", 400),
        (b"GET http://a/wifidog/ping HTTP/1.1\r\n\r\n", 400),
        (b"GET /wifidog/ping HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET /wifidog/ping HTTP/1.1\r\nHost: a\r\nX: y\r\nhost: b\r\n\r\n", 400),
        (b"POST /wifidog/login HTTP/1.1\r\nContent-Length: 3\r\n\r\na=b", 400),
        (b"GET /wifidog/ping HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /wifidog/ping HTTP/1.0\r\n\r\n", 200),
        (b"GET /wifidog/ping HTTP/1.0\r\nHost: a\r\n\r\n", 200),
        (b"GET /wifidog/ping HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 200),
    ],
)
@ensureDeferred
async def test_a_request_names_its_host_once(running: RunningSite, said: bytes, status: int) -> None:
    """Two could mean two different things to a proxy and to us; only HTTP/1.0 may name none."""
    with log_lines("") as lines:
        wire = await running.connect()
        wire.say(said + (LAST_HELLO if status == 400 else b""))
        heard = await wire.ends()
    reply = read_reply(heard)
    assert (reply.status, heard.count(b"HTTP/1.")) == (status, 1)
    assert status == 200 or (reply.headers["connection"], reply.headers["cache-control"]) == ("close", "no-store")
    assert lines == []


@pytest.mark.parametrize(
    "target", ["*", "http://elsewhere.example/x", "//", "/?%", "/wifidog/auth?%ff=%fe&&&=", "x:443"]
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "CONNECT", "PROPFIND"])
@ensureDeferred
async def test_odd_targets_get_an_answer(running: RunningSite, method: str, target: str) -> None:
    """They reach the pages of guests, but for a path of gateways; those decide.  No traceback."""
    with log_lines("") as lines:
        reply = await ask(running.port, target, method=method)
    component = "gateway" if target.startswith("/wifidog/auth") else "guest"
    assert (reply.status, reply.body.partition(" ")[0]) == (200, component)
    assert reply.headers["content-length"] == str(len(reply.body))
    assert lines == []


@ensureDeferred
async def test_when_the_site_is_full_others_wait_in_the_backlog(running: RunningSite) -> None:
    """In the kernel's queue, not refused; served as soon as somebody leaves."""
    small = RunningSite(most_connections=34)
    first, second = await small.connect(), await small.connect()
    outside = await connect(small.port)
    outside.say(LAST_HELLO)
    await let_clients_be_heard()
    assert outside.heard == b""
    assert small.site.metrics() == {"clients": 2}
    first.leave()
    assert (await outside.ends()).endswith(b"gateway auth 0")
    second.leave()
    await small.has_clients(0)
    assert (await ask(small.port, "/wifidog/auth")).status == 200
    close(small)


@ensureDeferred
async def test_silent_crowds_give_way_at_their_deadline(running: RunningSite) -> None:
    """More of them than there is room for; nobody is logged, and the next guest is served with others still there."""
    small = RunningSite(most_connections=40)
    with log_lines("") as lines:
        crowd = [await connect(small.port) for _ in range(45)]
        guest = await connect(small.port)
        guest.say(LAST_HELLO)
        await let_clients_be_heard()
        served = False
        for _ in range(12):
            small.clock.advance(REQUEST_DEADLINE)
            await let_clients_be_heard()
            served = served or guest.closed.called
    assert served
    assert guest.heard.endswith(b"gateway auth 0")
    assert lines == []
    for wire in crowd:
        wire.leave()
    await small.has_clients(0)
    close(small)


@ensureDeferred
async def test_a_crowd_at_once_takes_no_more_than_there_is_room_for() -> None:
    """Although a port accepts many in one round; those outside are served when some inside leave."""
    small = RunningSite(most_connections=64)
    wires = await within(20, gatherResults([Deferred.fromCoroutine(connect(small.port)) for _ in range(200)]))
    await let_clients_be_heard()
    assert 32 <= small.site.metrics()["clients"] <= 64
    for wire in wires:
        wire.say(LAST_HELLO)
    for wire in wires:
        assert (await wire.ends(20)).endswith(b"gateway auth 0")
    await small.has_clients(0)
    close(small)


@ensureDeferred
async def test_vanishing_clients_leave_nothing_behind(running: RunningSite) -> None:
    """Neither descriptors, nor timers, nor lines in the log."""
    before = descriptors()
    with log_lines("") as lines:
        for number in range(100):
            rst(running.port)
            if number % 10 == 0:
                await deferLater(reactor, 0.01)
        reply = await ask(running.port, "/wifidog/auth")
        await running.has_clients(0)
    assert reply.status == 200
    assert lines == []
    assert descriptors() == before
    running.clock.advance(1)
    assert running.clock.getDelayedCalls() == []


@ensureDeferred
async def test_a_client_that_vanishes_while_we_think_needs_no_answer(running: RunningSite) -> None:
    """Answering it afterwards is no error."""
    wire = await running.connect()
    wire.say(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    await running.slow.has_been_asked(1)
    gone: Deferred[None] = running.slow.asked[0].notifyFinish()
    gone.addErrback(lambda _: None)
    wire.leave()
    await running.has_clients(0)
    await within(5, gone)
    with log_lines("") as lines:
        running.slow.asked[0].write(b"too late")
        running.slow.asked[0].finish()
    assert lines == []


@pytest.mark.parametrize(
    ("descriptors", "gigabytes", "most"),
    [
        (1024, 8, 960),
        (65536, 24, 10_000),
        (resource.RLIM_INFINITY, 24, 10_000),
        (65536, 1, 1250),
        (1024, 1, 960),
        (65, 1, 1),
        (10, 1, 1),
    ],
)
def test_as_many_may_come_as_there_is_room_for(descriptors: int, gigabytes: int, most: int) -> None:
    """Whatever they do: by descriptors, and by a quarter of the memory."""
    assert most_connections(descriptors, gigabytes * 10**9) == most


def test_tls_clients_are_offered_http_1_1_only() -> None:
    """There is no HTTP/2 here."""
    site = WifidogdSite(Resource(), Resource(), Resource(), path="/", clock=Clock(), utc_now=lambda: NOON)
    assert site.acceptableProtocols() == [b"http/1.1"]


def test_the_date_of_an_answer_is_the_wall_clocks() -> None:
    """Whatever the reactor counts its seconds from; read once a second."""
    clock = Clock()
    site = WifidogdSite(Resource(), Resource(), Resource(), path="/", clock=clock, utc_now=lambda: NOON)
    assert site.date() == b"Sun, 22 Nov 2026 12:00:00 GMT"


async def pass_time(running: RunningSite, seconds: float) -> None:
    """Advance the clock while the reactor turns."""
    for _ in range(round(seconds / 0.1)):
        running.clock.advance(0.1)
        await deferLater(reactor, 0)


@ensureDeferred
async def test_a_closing_server_answers_who_has_come_in(running: RunningSite) -> None:
    """Whether they have asked, are asking or are about to; each once more, and they are told that it is the last."""
    waits, asks, idles = [await running.connect() for _ in range(3)]
    waits.say(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    await running.slow.has_been_asked(1)
    asks.say(HELLO[:-9])
    idles.say(HELLO)
    await idles.hears(b"gateway auth 0")
    draining = Deferred.fromCoroutine(running.site.connections.drain(30))
    await pass_time(running, 0.5)
    idles.say(HELLO)
    await idles.hears(b"Connection: close")
    await pass_time(running, 2.0)
    asks.say(HELLO[-9:])
    await asks.hears(b"Connection: close")
    for wire in (asks, idles):
        assert (await wire.ends()).endswith(b"gateway auth 0")
    assert not draining.called
    running.slow.asked[0].finish()
    await waits.ends()
    await pass_time(running, 1.0)
    await within(5, draining)
    assert running.site.metrics()["clients"] == 0


@ensureDeferred
async def test_a_closing_server_does_not_wait_for_who_asks_nothing(running: RunningSite) -> None:
    """And for nobody longer than it is told to."""
    idle, silent, waits = [await running.connect() for _ in range(3)]
    idle.say(HELLO)
    await idle.hears(b"gateway auth 0")
    waits.say(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    await running.slow.has_been_asked(1)
    draining = Deferred.fromCoroutine(running.site.connections.drain(5))
    await pass_time(running, 2.5)
    await idle.ends()
    await silent.ends()
    assert not draining.called
    await pass_time(running, 4)
    await within(5, draining)
    running.slow.asked[0].finish()
    assert (await waits.ends()).startswith(b"HTTP/1.1 200 OK")


@ensureDeferred
async def test_who_waits_in_the_backlog_is_accepted_before_the_port_closes(running: RunningSite) -> None:
    """Because the kernel has already completed their handshake."""
    running.listener.stopReading()
    wires = [await connect(running.port) for _ in range(40)]
    assert running.site.metrics()["clients"] == 0
    running.site.connections.accept_waiting()
    assert running.site.metrics()["clients"] == 40
    for wire in wires:
        wire.leave()
    await running.has_clients(0)
