"""From the queries of pings to heartbeats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.gateway.test_dialects import NONSENSE, QUERIES
from wifidogd.domain.errors import MalformedRequest
from wifidogd.domain.gateways import Heartbeat
from wifidogd.web.gateway.pings import PONG, read_heartbeat
from wifidogd.web.server.query import read_query

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def heartbeat_of(user_agent: str = "WiFiDog 1.3.0", **fields: str) -> Heartbeat:
    """Read a ping of a gateway called lobby."""
    return read_heartbeat({"gw_id": "lobby", **fields}, user_agent, "192.0.2.1", NOON)


@given(QUERIES, st.text())
def test_every_ping_is_read_or_refused(query: bytes, user_agent: str) -> None:
    """And what is read can be stored."""
    try:
        heartbeat = read_heartbeat(read_query(query), user_agent, "192.0.2.1", NOON)
    except MalformedRequest:
        return
    assert heartbeat.version is None or (0 < len(heartbeat.version) <= 100 and heartbeat.version.isprintable())


def test_a_ping_of_the_reference_gateway_is_read() -> None:
    """As recorded; memory is told in kB."""
    fields = read_query(b"gw_id=netlab-gw1&sys_uptime=2069&sys_memfree=22799576&sys_load=3.67&wifidog_uptime=1")
    assert read_heartbeat(fields, "WiFiDog 1.3.0", "192.0.2.1", NOON) == Heartbeat(
        "netlab-gw1",
        NOON,
        "192.0.2.1",
        version="WiFiDog 1.3.0",
        sys_uptime=timedelta(seconds=2069),
        memory_free=22799576 * 1024,
        load=3.67,
        wifidog_uptime=timedelta(seconds=1),
    )


def test_apfree_pings_in_the_name_of_its_device() -> None:
    """It has no gw_id there; where there are both, the gateway is meant."""
    assert read_heartbeat({"device_id": "netlabdev1"}, "", "192.0.2.1", NOON) == Heartbeat(
        "netlabdev1", NOON, "192.0.2.1"
    )
    assert heartbeat_of(device_id="netlabdev1").gw_id == "lobby"
    assert read_heartbeat({"gw_id": "", "device_id": "dev"}, "", "192.0.2.1", NOON).gw_id == "dev"


@pytest.mark.parametrize("fields", [{}, {"gw_id": ""}, {"gw_id": "N/A"}, {"device_id": "a b"}])
def test_a_ping_of_nobody_is_refused(fields: dict[str, str]) -> None:
    """There is nothing to remember."""
    with pytest.raises(MalformedRequest):
        read_heartbeat(fields, "WiFiDog 1.3.0", "192.0.2.1", NOON)


TEN_YEARS = 3650 * 86_400


@pytest.mark.parametrize(
    ("text", "uptime"),
    [
        ("0", timedelta()),
        (str(TEN_YEARS), timedelta(days=3650)),
        (str(TEN_YEARS + 1), None),
        (str(2**32 - 5), None),
        (str(2**63 - 1), None),
        (str(2**64 - 5), None),
        *((text, None) for text in NONSENSE),
    ],
)
def test_uptimes_of_a_clock_that_stepped_back_are_no_data(text: str, uptime: timedelta | None) -> None:
    """They lie near 2^32 or 2^64 (docs/protocol.md 6.3)."""
    assert heartbeat_of(sys_uptime=text).sys_uptime == uptime
    assert heartbeat_of(wifidog_uptime=text).wifidog_uptime == uptime


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("0", 0),
        ("22799576", 22799576 * 1024),
        (str(2**53 - 1), (2**53 - 1) * 1024),
        (str(2**53), None),
        *((text, None) for text in NONSENSE),
    ],
)
def test_free_memory_fits_its_column(text: str, octets: int | None) -> None:
    """After having been made octets."""
    assert heartbeat_of(sys_memfree=text).memory_free == octets


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ("0.00", 0.0),
        ("3.67", 3.67),
        ("4", 4.0),
        ("100000", 100_000.0),
        ("100000.01", None),
        ("9999999999", None),
        ("nan", None),
        ("inf", None),
        ("-0.1", None),
        ("1e3", None),
        ("1.", None),
        (".5", None),
        ("3,67", None),
        ("", None),
        ("N/A", None),
        ("９", None),
        ("9" * 400, None),
    ],
)
def test_a_load_is_a_plain_decimal(text: str, load: float | None) -> None:
    """Neither nan nor anything else that JSON cannot say."""
    assert heartbeat_of(sys_load=text).load == load


@pytest.mark.parametrize("user_agent", ["LuaSocket 3.0.0", ""])
def test_a_ping_of_wifidog_ng_is_in_its_own_units(user_agent: str) -> None:
    """As recorded: octets, and a load of 0.035 times 65,536; 1.x does not say its name."""
    fields = {"sys_uptime": "1200", "sys_memfree": "54321152", "sys_load": "2304", "wifidog_uptime": "30"}
    heartbeat = heartbeat_of(user_agent, **fields)
    assert (heartbeat.memory_free, heartbeat.load) == (54_321_152, 0.03515625)
    assert heartbeat_of(user_agent, sys_load="131072").load == 2.0
    others = heartbeat_of("", sys_memfree="51200", sys_load="0.12")
    assert (others.memory_free, others.load) == (51_200 * 1024, 0.12)


@pytest.mark.parametrize(
    ("user_agent", "version"),
    [
        ("WiFiDog 1.3.0", "WiFiDog 1.3.0"),
        ("", None),
        ("x" * 101, "x" * 100),
        ("a\0b", "ab"),
        ("\x1b[2J\x1b[31mred\r\n", "[2J[31mred"),
        ("\0\t", None),
    ],
)
def test_a_version_can_be_stored_and_shown(user_agent: str, version: str | None) -> None:
    """Whoever sends it: a stranger's User-Agent is printed on the operator's terminal."""
    assert heartbeat_of(user_agent).version == version


def test_a_ping_is_answered_to_the_octet() -> None:
    """wifidog-ng 1.x compares the whole body."""
    assert PONG == b"Pong"
