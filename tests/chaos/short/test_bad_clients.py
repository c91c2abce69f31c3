"""Hostile and clumsy clients for a second each; the long form is C{make chaos CHAOS=clients}."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from socket import create_connection

import pytest

from benchmarks.loads.contender import Deployment
from tests.chaos.fuzz.frames import babble_frames, furnish_routers, kept
from tests.chaos.fuzz.replies import read_answers
from tests.chaos.fuzz.sockets import babble, furnish
from tests.chaos.trials.bad_clients import NO_DISK, deploy, meet
from tests.support.testbed.testbed import Testbed

DESCRIPTORS = 300
"""Room for 236 clients."""


@pytest.fixture(scope="module")
def deployment() -> Iterator[tuple[Deployment, int]]:
    """A server that accepts few clients, and its port for TLS."""
    with Testbed(NO_DISK) as testbed:
        yield deploy(testbed, descriptors=DESCRIPTORS)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("chunks of one octet", 40),
        ("half a handshake", 120),
        ("20,000 pings in one piece", 3),
        ("impatient guests", 150),
        ("more silent ones than there is room for", 330),
    ],
)
def test_everybody_else_is_served(deployment: tuple[Deployment, int], name: str, count: int) -> None:
    """Gateways that just report; and nothing is left behind."""
    server, tls_port = deployment
    assert meet(server, tls_port, name, 1.0, count).missed() == []


def test_a_guest_is_served_over_tls(deployment: tuple[Deployment, int]) -> None:
    """At an C{ssl:} endpoint."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    heard = bytearray()
    with create_connection(("127.0.0.1", deployment[1]), 10) as line, trusting.wrap_socket(line) as secure:
        secure.sendall(b"GET /wifidog/gw_message.php?message=denied HTTP/1.0\r\n\r\n")
        while piece := secure.recv(65536):
            heard += piece
    assert read_answers(bytes(heard)) == [200]


def test_a_hundred_conversations_of_a_fuzzer_are_borne(deployment: tuple[Deployment, int]) -> None:
    """Each answered fittingly or cut off, without a traceback; many more in C{make chaos CHAOS=fuzz}."""
    server = deployment[0].server
    said = babble(server.port, furnish(deployment[0].dsn), 100, seed=5, at_a_time=4)
    assert said.complaints == []
    assert {200, 400} <= set(said.statuses)
    assert "Traceback" not in server.log.read_text(errors="replace")


def test_hundreds_of_odd_frames_change_nothing() -> None:
    """No session ends, nobody is told of another router's guest; many more in C{make chaos CHAOS=fuzz}."""
    with Testbed(NO_DISK) as testbed:
        dsn = testbed.create_database()
        testbed.wifidogd(dsn).end()
        furnish_routers(dsn)
        server = testbed.wifidogd(dsn)
        before = kept(dsn)
        said = babble_frames(server.port, 300, seed=6, at_a_time=4, lingering=0.0)
        assert said.complaints == []
        assert {101, 400, 404, 1002} <= set(said.statuses)
        assert kept(dsn) == before
        assert "Traceback" not in server.log.read_text(errors="replace")
