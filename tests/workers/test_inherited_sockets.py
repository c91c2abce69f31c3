"""A worker accepts at sockets that its parent has opened, whatever kind of endpoint they belong to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.endpoints import (
    HostnameEndpoint,
    SSL4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
    serverFromString,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.tcp import Port

from tests.support.deadline import within
from tests.support.raw_http import Wire
from tests.support.testbed.certificate import write_certificate
from wifidogd.workers.inherited_sockets import InheritedPorts, shared


class Greets(Protocol):
    """Answers any data with the address of the peer, and closes."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(f"hello {getattr(self.transport.getPeer(), 'host', 'neighbour')}".encode())
        self.transport.loseConnection()


class GreetingFactory(Factory):
    """Serves L{Greets} without logging when it starts."""

    protocol = Greets
    noisy = False


def client_of(port: Port, kind: str) -> IStreamClientEndpoint:
    """Return the client endpoint of a port."""
    if kind == "unix":
        return UNIXClientEndpoint(reactor, port.getHost().name.decode())
    host = port.getHost()
    if kind == "ssl":
        return SSL4ClientEndpoint(reactor, "127.0.0.1", host.port, CertificateOptions())
    return HostnameEndpoint(reactor, "::1" if kind == "tcp6" else "127.0.0.1", host.port)


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")  # Twisted's parser of ssl: does
@pytest.mark.parametrize(
    ("kind", "text", "said", "answer"),
    [
        ("tcp", "tcp:0:interface=127.0.0.1", b"me", b"hello 127.0.0.1"),
        ("tcp6", "tcp6:0:interface=\\:\\:1", b"me", b"hello ::1"),
        ("unix", "unix:{folder}/socket:backlog=9", b"me", b"hello neighbour"),
        ("ssl", "ssl:0:interface=127.0.0.1:privateKey={folder}/both.pem", b"me", b"hello 127.0.0.1"),
        (
            "haproxy",
            "haproxy:tcp:0:interface=127.0.0.1",
            b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\nme",
            b"hello 192.0.2.7",
        ),
    ],
)
@ensureDeferred
async def test_workers_share_a_port(tmp_path: Path, kind: str, text: str, said: bytes, answer: bytes) -> None:
    """An early client waits in the backlog; when one worker stops, the other still serves the same address."""
    write_certificate(tmp_path)
    text = text.format(folder=tmp_path)
    ours: Port = await serverFromString(reactor, text).listen(GreetingFactory())
    shared(ours).stopReading()
    client = client_of(ours, kind)
    early = await within(5, connectProtocol(client, Wire())) if kind != "ssl" else None
    workers = []
    for _ in range(2):
        inherited = InheritedPorts(reactor, [(os.dup(ours.fileno()), ours.addressFamily)])
        port = await serverFromString(inherited, text).listen(GreetingFactory())
        assert isinstance(port, Port)
        assert (port.getHost(), port.addressFamily) == (ours.getHost(), ours.addressFamily)
        workers.append(port)
    if early is not None:
        early.say(said)
        assert await early.ends() == answer
    for stopping in workers:
        wire = await within(5, connectProtocol(client, Wire()))
        wire.say(said)
        assert await wire.ends() == answer
        await within(5, stopping.stopListening())
    late = await within(5, connectProtocol(client, Wire()))
    await within(5, ours.stopListening())
    await late.ends()
    assert not (tmp_path / "socket").exists()
