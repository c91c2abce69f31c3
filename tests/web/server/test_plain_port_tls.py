"""TLS at a port of plain HTTP, where apfree-wifidog sends guests by https."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from socket import AF_UNIX, create_connection, socket
from typing import Any

import pytest
from OpenSSL import SSL
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.threads import deferToThread

from tests.support.builders import NOON
from tests.support.deadline import within
from tests.support.observing import let_clients_be_heard, log_lines
from tests.support.raw_http import ask
from tests.web.server.test_site import HELLO, LAST_HELLO, RunningSite, close
from tests.web.server.test_tls import client, spoken
from wifidogd.web.server.certificates import make_certificate
from wifidogd.web.server.connections.channel import REQUEST_DEADLINE
from wifidogd.web.server.tls import PlainPortTls
from wifidogd.workers.inherited_sockets import InheritedPorts

ANSWER = b"gateway auth 0"
NAME = "wifi.example"


def ready(host: str = NAME) -> PlainPortTls:
    """Return TLS with a certificate of its own."""
    tls, made = PlainPortTls(), make_certificate(host, NOON)
    tls.use(made.certificate.encode(), made.private_key.encode())
    return tls


@pytest.fixture
def running() -> Iterator[RunningSite]:
    """A front whose clock only the test moves, with TLS."""
    running = RunningSite()
    running.site.tls = ready()
    yield running
    close(running)


def anybody() -> ssl.SSLContext:
    """Return a client that takes any certificate, as apfree-wifidog and a guest who goes on after a warning do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def say(port: int, text: bytes, *, name: str | None = NAME, most: int | None = None, first: bytes = b"") -> bytes:
    """
    Say something over TLS and return all that is heard; blocks.

    @param name: of the server, as the client tells (SNI); None for a client that does not.
    @param most: octets of one segment of the handshake and all that follows; None for no bound.
    @param first: said in the clear, before.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    wire = anybody().wrap_bio(incoming, outgoing, server_hostname=name)
    with create_connection(("127.0.0.1", port), 10) as raw:

        def send() -> None:
            octets = outgoing.read()
            for at in range(0, len(octets), most or max(1, len(octets))):
                raw.sendall(octets[at : at + (most or len(octets))])

        def until_done(step: Any) -> Any:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    send()
                    received = raw.recv(65_536)
                    incoming.write(received) if received else incoming.write_eof()
                finally:
                    send()

        raw.sendall(first)
        until_done(wire.do_handshake)
        until_done(lambda: wire.write(text))
        heard = b""
        try:
            while octets := until_done(lambda: wire.read(65_536)):
                heard += octets
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            pass
        return heard


def hello() -> bytes:
    """Return a ClientHello."""
    outgoing = ssl.MemoryBIO()
    wire = anybody().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=NAME)
    with pytest.raises(ssl.SSLWantReadError):
        wire.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("name", [NAME, None], ids=["with SNI", "without"])
@pytest.mark.parametrize("most", [None, 1, 7], ids=["whole", "by the octet", "by seven"])
@ensureDeferred
async def test_both_are_spoken_at_one_port(running: RunningSite, name: str | None, most: int | None) -> None:
    """However the ClientHello arrives; who speaks plain HTTP sees no difference."""
    with log_lines("") as lines:
        for _ in range(2):
            heard = await within(10, deferToThread(say, running.port, LAST_HELLO, name=name, most=most))
            assert heard.endswith(ANSWER)
            assert (await ask(running.port, "/wifidog/auth")).body == ANSWER.decode()
        await running.has_clients(0)
    assert lines == []


@ensureDeferred
async def test_a_connection_is_kept_and_bounded_as_without(running: RunningSite) -> None:
    """Many requests take turns, and a body that is too large is refused."""
    heard = await within(30, deferToThread(say, running.port, HELLO * 300 + LAST_HELLO))
    assert heard.count(ANSWER) == 301
    head = b"POST /wifidog/login HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n"
    refusing = deferToThread(say, running.port, head)
    await running.has_clients(1)
    for _ in range(20):
        await let_clients_be_heard()
        running.clock.advance(1)
    assert (await within(10, refusing)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("what", ["nothing more", "an octet now and then", "half of it"])
@ensureDeferred
async def test_a_handshake_that_is_not_finished_ends_in_time(running: RunningSite, what: str) -> None:
    """By the deadline that began with the connection, whatever arrives meanwhile; without a word in the log."""
    said = hello()
    with log_lines("") as lines:
        wire = await running.connect()
        wire.say(said[: 200 if what == "half of it" else 1])
        for second in range(REQUEST_DEADLINE - 1):
            await let_clients_be_heard()
            running.clock.advance(1)
            if what == "an octet now and then":
                wire.say(said[second + 1 : second + 2])
        await running.has_clients(1)
        running.clock.advance(1)
        await wire.ends()
        await running.has_clients(0)
    assert lines == []


@pytest.mark.parametrize(
    "said",
    [b"\x16GET / HTTP/1.0\r\n\r\n", b"\x16" * 5000, b"\x16\x03\x01\xff\xff" + bytes(70_000), b"\x16\x03\x01\x00\x00"],
)
@ensureDeferred
async def test_nonsense_that_begins_like_tls_ends_quietly(running: RunningSite, said: bytes) -> None:
    """At once or by the deadline, and what is heard is no answer of HTTP."""
    with log_lines("") as lines:
        wire = await running.connect()
        wire.say(said)
        await let_clients_be_heard()
        running.clock.advance(REQUEST_DEADLINE)
        assert b"HTTP/1" not in await wire.ends()
        await running.has_clients(0)
    assert lines == []


@ensureDeferred
async def test_a_client_that_leaves_in_the_handshake_is_forgotten(running: RunningSite) -> None:
    """With FIN or RST."""
    for leave in ("loseConnection", "abortConnection"):
        wire = await running.connect()
        wire.say(hello())
        await wire.hears(b"\x16\x03")
        getattr(wire.transport, leave)()
        await running.has_clients(0)


@ensureDeferred
async def test_tls_within_tls_is_nonsense(running: RunningSite) -> None:
    """And so is a ClientHello after a request."""
    heard = await within(10, deferToThread(say, running.port, hello() + b"\r\n\r\n"))
    assert heard.startswith(b"HTTP/1.1 400")
    await running.has_clients(0)
    wire = await running.connect()
    wire.say(HELLO + hello() + b"\r\n\r\n")
    assert b"HTTP/1.1 400" in await wire.ends()


@ensureDeferred
async def test_half_made_handshakes_take_no_room_for_long() -> None:
    """When there are too many, those go that have been waited for the longest; others are served."""
    running = RunningSite(most_connections=40)
    running.site.tls = ready()
    wires = [await running.connect() for _ in range(7)]
    for wire in wires:
        wire.say(hello()[:100])
    await let_clients_be_heard()
    running.clock.advance(2)
    more = [await running.connect() for _ in range(1)]
    for _ in range(4):
        await let_clients_be_heard()
        running.clock.advance(0.25)
    assert await wires[0].ends() == b""
    assert (await ask(running.port, "/wifidog/auth")).body == ANSWER.decode()
    for wire in more:
        wire.leave()
    close(running)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@ensureDeferred
async def test_nothing_weak_is_spoken(running: RunningSite) -> None:
    """What is spoken is what ports of TLS speak."""
    for version, is_spoken in (
        (ssl.TLSVersion.TLSv1, False),
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ):
        agreed = await within(10, deferToThread(spoken, running.port, client("ALL", version)))
        assert (agreed is not None) is is_spoken
    for cipher in ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA"):
        weak = client(cipher, ssl.TLSVersion.TLSv1_2)
        assert await within(10, deferToThread(spoken, running.port, weak)) is None


@ensureDeferred
async def test_a_client_cannot_renegotiate(running: RunningSite) -> None:
    """It is told so, and nothing is computed for it."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)

    def ask_again() -> None:
        with create_connection(("127.0.0.1", running.port)) as raw:
            wire = SSL.Connection(context, raw)
            wire.set_connect_state()
            wire.do_handshake()
            wire.renegotiate()
            with pytest.raises(SSL.Error, match="no renegotiation"):
                wire.do_handshake()

    await within(10, deferToThread(ask_again))


@ensureDeferred
async def test_behind_a_proxy_that_names_its_client(running: RunningSite) -> None:
    """The line of the proxy goes before, in the clear."""
    listener: Any = await serverFromString(reactor, "haproxy:tcp:0:interface=127.0.0.1").listen(running.site)
    line = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n"
    port = listener.getHost().port
    for most in (None, 1):
        heard = await within(10, deferToThread(say, port, LAST_HELLO, first=line, most=most))
        assert heard.endswith(ANSWER)
    await within(5, listener.stopListening())


@ensureDeferred
async def test_workers_speak_it_at_the_sockets_they_inherit(running: RunningSite) -> None:
    """As the only process does at its own."""
    ports = InheritedPorts(reactor, [(os.dup(running.listener.fileno()), running.listener.addressFamily)])
    running.listener.stopReading()
    port: Any = await serverFromString(ports, "tcp:0:interface=127.0.0.1").listen(running.site)
    assert (await within(10, deferToThread(say, running.port, LAST_HELLO))).endswith(ANSWER)
    await within(5, port.stopListening())


@ensureDeferred
async def test_a_unix_socket_stays_plain(running: RunningSite, tmp_path: Path) -> None:
    """What comes there comes from this machine."""
    listener: Any = await serverFromString(reactor, f"unix:{tmp_path}/socket").listen(running.site)

    def try_it() -> bytes:
        with socket(AF_UNIX) as wire:
            wire.settimeout(10)
            wire.connect(f"{tmp_path}/socket")
            wire.sendall(hello())
            return wire.recv(100)

    assert await within(10, deferToThread(try_it)) == b""
    await within(5, listener.stopListening())


@ensureDeferred
async def test_before_there_is_a_certificate_tls_ends_at_once(running: RunningSite) -> None:
    """A server that has just started is about to have one."""
    running.site.tls = PlainPortTls()
    wire = await running.connect()
    wire.say(hello())
    assert await wire.ends() == b""


def test_what_is_no_certificate_replaces_none() -> None:
    """Nor does one with another's key, or a key that is encrypted or none."""
    tls = ready()
    before = tls.serverConnectionForTLS(None).get_context()
    one, other = (make_certificate(NAME, NOON + timedelta(days=days)) for days in (0, 1))
    pem, key = one.certificate.encode(), one.private_key.encode()
    for wrong in ((b"", key), (b"x", key), (key, pem), (pem, other.private_key.encode()), (pem, b""), (pem, key[:-60])):
        with pytest.raises(ValueError, match=r"."):
            tls.use(*wrong)
    assert tls.serverConnectionForTLS(None).get_context() is before
