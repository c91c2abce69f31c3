"""Behind a proxy: whose address counts."""

from __future__ import annotations

from struct import pack

import pytest_twisted

from tests.support.deadline import within
from tests.support.observing import log_lines
from tests.support.raw_http import connect
from tests.support.running_server import RunningServer, ask

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
GUEST, FORGED = "198.51.100.7", "203.0.113.9"


@pytest_twisted.async_yield_fixture
async def server(dsn):
    """One that listens for everybody, and at a second port for HAProxy."""
    server = RunningServer(dsn, "--listen", "haproxy:tcp:0:interface=127.0.0.1")
    await within(20, server.start())
    yield server
    await server.stop()


def said_by(address):
    """Write a PROXY header of version 2, as HAProxy does with C{send-proxy-v2}."""
    octets = bytes(map(int, address.split(".")))
    return SIGNATURE + b"\x21\x11" + pack("!H4s4sHH", 12, octets, bytes(4), 40000, 80)


async def source_seen(server, port, header=b""):
    """Ask for what cannot be read, and see in the log who is said to have asked."""
    request = b"GET /wifidog/auth/?stage=nonsense HTTP/1.0\r\nX-Forwarded-For: %s\r\n\r\n" % FORGED.encode()
    with log_lines("wifidogd.web.gateway.routes") as lines:
        await within(10, ask(server.service.ports[port].getHost().port, header + request))
    return [line["source"] for line in lines if "source" in line]


@pytest_twisted.ensureDeferred
async def test_the_proxy_says_whose_request_it_is(server, monkeypatch):
    """So limits by source are not those of all guests together; a header that anybody can write is not believed."""
    monkeypatch.setattr("wifidogd.runtime.rate_limited_log.PAUSE", 0.0)
    assert await source_seen(server, 1, said_by(GUEST)) == [GUEST]
    assert await source_seen(server, 0) == ["127.0.0.1"]


@pytest_twisted.ensureDeferred
async def test_only_a_proxy_is_answered_at_the_proxys_port(server):
    """Checks of its own too, which name no client; without the header, or with a wrong one, nothing is read."""
    port = server.service.ports[1].getHost().port
    answer = await within(10, ask(port, SIGNATURE + b"\x20\0\0\0" + b"GET /healthz HTTP/1.0\r\n\r\n"))
    assert answer.code == 200
    for beginning in (b"", b"PROXY FOO 192.0.2.1 192.0.2.1 1 2\r\n", SIGNATURE + b"\x2f\x11\0\x0c" + bytes(12)):
        wire = await connect(port)
        wire.say(beginning + b"GET /wifidog/ping/ HTTP/1.0\r\n\r\n")
        assert await wire.ends() == b""


@pytest_twisted.ensureDeferred
async def test_nobody_reads_the_details_of_our_health_through_a_proxy(server):
    """Not even a client of the proxy that is on this machine, or is said to be; the proxy's own checks may."""
    request = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"
    ports = [port.getHost().port for port in server.service.ports]
    for header in (said_by(GUEST), said_by("127.0.0.1")):
        answer = await within(10, ask(ports[1], header + request))
        assert (answer.code, answer.text) == (200, '{"status": "ok"}\n')
    assert "ledger" in (await within(10, ask(ports[0], request))).text
