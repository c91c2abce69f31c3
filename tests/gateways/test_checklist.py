"""The check-list says what works, and for everything else what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wifidogd.domain.gateways import Gateway, Heartbeat
from wifidogd.domain.reports.activity import ActivityKind
from wifidogd.domain.server_address import ServerAddress
from wifidogd.domain.sessions import Counters
from wifidogd.gateways.checklist import Check, Evidence, checklist

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SERVER = ServerAddress("https://wifi.example", "/wifidog/")
LOBBY = Gateway("lobby", "default", "192.168.1.1", key_hashes=(b"h" * 32,))
PING = Heartbeat("lobby", NOON, "203.0.113.7", "WiFiDog 1.3.0")
SEEN = (ActivityKind.GUEST, ActivityKind.LOGIN, ActivityKind.COUNTERS, ActivityKind.KEY, ActivityKind.PORTAL)


def checks_of(
    seen: Iterable[ActivityKind] = (), heartbeat: Heartbeat | None = PING, gateway: Gateway = LOBBY
) -> dict[str, Check]:
    """Return the check-list by name."""
    evidence = Evidence(gateway, heartbeat, dict.fromkeys(seen, NOON), NOON)
    return {check.name: check for check in checklist(evidence, SERVER)}


def test_a_router_that_works_needs_nothing() -> None:
    """Whatever its software cannot tell is no step."""
    checks = checks_of(SEEN)
    assert [check.next_step for check in checks.values()] == [None] * 8
    assert {name for name, check in checks.items() if check.passed is not True} == {
        "clock right", "directions plausible",
    }  # fmt: skip
    assert "WebSocket connected" not in checks


def test_a_router_that_has_done_nothing_gets_every_step() -> None:
    """Each names what is to be done, with the router's own names."""
    checks = checks_of(heartbeat=None)
    assert all(check.next_step for check in checks.values() if check.passed is False)
    assert {name for name, check in checks.items() if check.passed is False} == {
        "ping heard", "guest sent", "login confirmed", "counters heard", "key used", "portal seen",
    }  # fmt: skip
    assert "https://wifi.example/wifidog/" in (checks["ping heard"].next_step or "")
    assert "192.168.1.1 port 2060" in (checks["login confirmed"].next_step or "")
    assert "gateway config lobby --new-key" in (checks["key used"].next_step or "")


@pytest.mark.parametrize(("age", "passed"), [(180, True), (181, False)])
def test_a_ping_counts_for_three_intervals(age: int, passed: bool) -> None:
    """Then the router is silent."""
    heartbeat = replace(PING, seen_at=NOON - timedelta(seconds=age))
    assert checks_of(heartbeat=heartbeat)["ping heard"].passed is passed


@pytest.mark.parametrize(
    ("version", "seen", "passed", "detail"),
    [
        ("WiFiDog 1.3.0", (ActivityKind.COUNTERS,), True, "of each client"),
        ("ApFree-WiFiDog", (ActivityKind.COUNTERS_LIST,), True, "of all clients at once"),
        ("ApFree-WiFiDog", (), False, "never"),
        ("LuaSocket 3.0.0", (), None, "none"),
    ],
)
def test_it_says_which_counters_come(
    version: str, seen: tuple[ActivityKind, ...], passed: bool | None, detail: str
) -> None:
    """Of wifidog-ng 2 nobody waits for any."""
    check = checks_of(seen, replace(PING, version=version))["counters heard"]
    assert (check.passed, check.detail.startswith(detail)) == (passed, True)


@pytest.mark.parametrize(("connected_at", "passed"), [(None, False), (NOON, True)])
def test_apfree_has_a_web_socket(connected_at: datetime | None, passed: bool) -> None:
    """Without one, the configuration with it is named."""
    evidence = Evidence(LOBBY, replace(PING, version="ApFree-WiFiDog"), {}, NOON, connected_at)
    (check,) = [check for check in checklist(evidence, SERVER) if check.name == "WebSocket connected"]
    assert check.passed is passed
    assert ("--for apfree" in (check.next_step or "")) is not passed


def test_a_web_socket_shows_which_software_it_is() -> None:
    """Before any ping with a name and any report of a guest."""
    evidence = Evidence(LOBBY, replace(PING, version=None), {}, NOON, NOON)
    assert [check.passed for check in checklist(evidence, SERVER) if check.name == "WebSocket connected"] == [True]


@pytest.mark.parametrize(
    ("right", "wrong", "passed"), [(None, None, None), (0, None, True), (None, 0, False), (0, 5, True), (5, 0, False)]
)
def test_the_last_word_on_the_clock_counts(right: int | None, wrong: int | None, passed: bool | None) -> None:
    """A router that has set its clock since is right."""
    ages = {ActivityKind.CLOCK_RIGHT: right, ActivityKind.CLOCK_WRONG: wrong}
    activity = {kind: NOON - timedelta(minutes=age) for kind, age in ages.items() if age is not None}
    (check,) = [check for check in checklist(Evidence(LOBBY, PING, activity, NOON), SERVER) if "clock" in check.name]
    assert check.passed is passed


def test_a_router_without_a_key_is_told_what_that_means() -> None:
    """It is the operator's decision, not a step that is missing."""
    check = checks_of(gateway=replace(LOBBY, key_hashes=()))["key used"]
    assert (check.passed, check.next_step) == (None, None)
    assert "whoever reaches the server" in check.detail


@pytest.mark.parametrize(
    ("counters", "seen", "passed"),
    [
        (Counters.AUTO, None, None),
        (Counters.STRAIGHT, None, None),
        (Counters.AUTO, Counters.SWAPPED, True),
        (Counters.SWAPPED, Counters.SWAPPED, True),
        (Counters.STRAIGHT, Counters.SWAPPED, False),
    ],
)
def test_directions_are_doubted_only_if_packets_say_otherwise(
    counters: Counters, seen: Counters | None, passed: bool | None
) -> None:
    """The command that exchanges them is named."""
    check = checks_of(gateway=replace(LOBBY, counters=counters, counters_seen=seen))["directions plausible"]
    assert check.passed is passed
    assert ("gateway adopt lobby --counters swapped" in (check.next_step or "")) is (passed is False)
