"""Hostile and clumsy clients for a second each; the long form is C{make chaos CHAOS=clients}."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.loads.place import Place
from tests.chaos.clients import meet, open_place
from tests.chaos.fuzz_sockets import babble, furnish
from tests.chaos.house import House

DESCRIPTORS = 300
"""Room for 236 clients."""


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Place, int]]:
    """A server with little room, and where it speaks TLS."""
    with House() as house:
        yield open_place(house, descriptors=DESCRIPTORS)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("chunks of one octet", 40),
        ("half a handshake", 120),
        ("20,000 pings in one piece", 3),
        ("impatient guests", 150),
        ("more than there is room for", 330),
    ],
)
def test_everybody_else_is_served(place: tuple[Place, int], name: str, count: int) -> None:
    """Gateways that just report; and nothing is left behind."""
    server, tls_port = place
    assert meet(server, tls_port, name, 1.0, count).missed() == []


def test_a_hundred_conversations_of_a_fuzzer_are_borne(place: tuple[Place, int]) -> None:
    """Each answered fittingly or cut off, without a traceback; many more in C{make chaos CHAOS=fuzz}."""
    server = place[0].server
    said = babble(server.port, furnish(place[0].dsn), 100, seed=5, at_a_time=4)
    assert said.complaints == []
    assert {200, 400} <= set(said.statuses)
    assert "Traceback" not in server.log.read_text(errors="replace")
