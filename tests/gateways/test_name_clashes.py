"""Two routers that call themselves the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from tests.support.builders import NOON
from wifidogd.domain.gateways import Heartbeat
from wifidogd.gateways.name_clashes import NameClashes

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HERE, THERE = "203.0.113.7", "198.51.100.9"


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Return what is logged."""
    lines: list[str] = []

    def note(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(note)
    yield lines
    globalLogPublisher.removeObserver(note)


def hear(clashes: NameClashes, *pings: tuple[str, int | None, int | None], every: timedelta = MINUTE) -> list[bool]:
    """Ping once a minute from an address, with uptimes in minutes at noon; return what is noticed at each."""
    found = []
    for number, (source, up, running) in enumerate(pings):
        seen = NOON + number * every
        uptimes = [None if at is None else max(timedelta(), at * MINUTE + number * every) for at in (up, running)]
        found.append(clashes.hear_ping(Heartbeat("default", seen, source, None, uptimes[0], None, None, uptimes[1])))
    return found


A, B = (HERE, 600, 590), (THERE, 90, 80)


@pytest.mark.parametrize(
    ("pings", "noticed"),
    [
        ([A, B, A, B, A], [False, False, False, True, True]),
        ([A, A, B, B, A, B], [False, False, False, False, False, True]),
        ([(HERE, 600, 590), (HERE, 90, 80), (HERE, 600, 590), (HERE, 90, 80)], [False, False, False, True]),
        ([(HERE, 600, 590), (HERE, 600, 80), (HERE, 600, 590), (HERE, 600, 80)], [False, False, False, True]),
        ([(HERE, None, None), (THERE, None, None)] * 2, [False, False, False, True]),
        ([A, B, (HERE, 7, 6), A, B, (HERE, 7, 6)], [False, False, False, False, True, True]),
    ],
    ids=["in turns", "unevenly", "behind one address", "booted together", "without uptimes", "three"],
)
def test_what_goes_back_and_forth_is_two_routers(
    pings: Sequence[tuple[str, int | None, int | None]], noticed: list[bool], log: list[str]
) -> None:
    """At the second return."""
    assert hear(NameClashes(10), *pings) == noticed
    [line] = [line for line in log if "call themselves" in line]
    assert "default" in line


@pytest.mark.parametrize(
    "pings",
    [
        [A] * 8,
        [A, A, (HERE, -2, -2), (HERE, -2, -2), (HERE, -4, -4), (HERE, -4, -4)],
        [A, (THERE, 600, 590), A, (THERE, 600, 590), A, (THERE, 600, 590)],
        [(HERE, None, None), (THERE, None, None), (THERE, None, None)],
        [A, (THERE, None, None), A, A],
        [(HERE, 0, 0)] + [(HERE, -number, -number) for number in range(1, 8)],
    ],
    ids=["quiet", "restarts", "two lines to the internet", "another address", "once", "uptimes of zero"],
)
def test_one_router_is_one(pings: Sequence[tuple[str, int | None, int | None]], log: list[str]) -> None:
    """However often it restarts, and whichever line it uses."""
    assert not any(hear(NameClashes(10), *pings))
    assert not [line for line in log if "call themselves" in line]


def test_a_clash_is_logged_once_an_hour(log: list[str]) -> None:
    """As long as it lasts; it is over when an hour has passed without a return."""
    clashes = NameClashes(10)
    assert all(hear(clashes, *[A, B] * 50)[3:])
    assert len([line for line in log if "call themselves" in line]) == 2
    assert not any(hear(NameClashes(10), *[A, B] * 5, every=2 * HOUR))


def test_guests_tell_by_the_address_of_their_gateway(log: list[str]) -> None:
    """apfree-wifidog's pings name its device only."""
    clashes = NameClashes(10)
    addresses = ["192.168.1.1", "192.168.2.1"] * 2
    heard = [clashes.hear_guest("default", address, NOON + n * MINUTE) for n, address in enumerate(addresses)]
    assert heard == [False, False, False, True]
    assert "192.168.1.1" in log[-1]
    assert "192.168.2.1" in log[-1]


def test_guests_from_elsewhere_are_logged_once_an_hour(log: list[str]) -> None:
    """Whoever writes the address into a URL."""
    clashes = NameClashes(10)
    for minute in range(0, 120, 20):
        clashes.hear_elsewhere("default", "192.168.2.1", "192.168.1.1", NOON + minute * MINUTE)
    assert len([line for line in log if "instead of 192.168.1.1" in line]) == 2


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=200))
def test_only_so_many_names_and_origins_are_remembered(pings: list[tuple[int, int]]) -> None:
    """Anybody can invent both."""
    clashes = NameClashes(5)
    for number, (name, source) in enumerate(pings):
        clashes.hear_ping(Heartbeat(f"gw{name}", NOON + number * MINUTE, f"10.0.0.{source}"))
        clashes.hear_guest(f"gw{name}", f"10.0.0.{source}", NOON)
        clashes.hear_elsewhere(f"gw{name}", f"10.0.0.{source}", "10.0.0.99", NOON)
    assert len(clashes._speakers) <= 5
    assert all(len(one.origins) <= 16 for one in clashes._speakers.values())
