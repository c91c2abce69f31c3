"""What simulated routers with apfree-wifidog say over their WebSockets is what the real one was recorded to say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.checkout import DATA
from wifidogd.domain.gateways import Gateway
from wifidogd.simulation.families import apfree_messages as messages
from wifidogd.simulation.transport.wire import Server

RECORDED = DATA / "apfree-wifidog-9.07.2907-websocket-frames.jsonl"

SITE = Gateway("netlab-apf1", "default", "10.11.0.1")


def recorded(stage: str, containing: str = "") -> str:
    """Return the first thing that the real router said in a stage."""
    lines = [json.loads(line) for line in RECORDED.read_text("utf-8").splitlines()]
    return next(line["request"] for line in lines if line["stage"] == stage and containing in line["request"])


def test_the_upgrade_is_that_of_the_real_router() -> None:
    """Byte for byte."""
    sent = messages.upgrade(Server("198.51.100.10", 80, "/wifidog/"), "WgTEyNpZXmKchJHPRkV9Tg==")
    assert sent.decode() == recorded("upgrade")


def test_a_connect_is_that_of_the_real_router() -> None:
    """Byte for byte, but for names of devices and an address of IPv6."""
    theirs = recorded("device-frame", '"connect"').replace(', "gw_address_v6": "fe80::ab:cdff:feef:1"', "")
    theirs = theirs.replace("netlabdev1", "device-netlab-apf1").replace('"AW1"', '"device-netlab-apf1"')
    assert messages.connect(SITE, "6b8b4567327b23c6") == theirs


def test_a_heartbeat_has_the_names_and_types_of_the_real_one() -> None:
    """In the same order."""
    ours = json.loads(messages.heartbeat(SITE, "643c986966334873", 61, 0))
    theirs = json.loads(recorded("device-frame", '"heartbeat"'))
    assert list(ours) == list(theirs)
    assert [(name, type(value)) for name, value in ours["sys_info"].items()] == [
        (name, type(value)) for name, value in theirs["sys_info"].items()
    ]


def command(**said: Any) -> messages.Told:
    """Read a command."""
    found = messages.read_command(said)
    assert found is not None
    return found


def test_replies_are_those_of_the_real_router() -> None:
    """Byte for byte."""
    kickoff = command(
        req_id="a2",
        op="kickoff",
        client_ip="10.11.0.101",
        client_mac="02:ab:cd:ef:01:01",
        device_id="device-netlab-apf1",
        gw_id="netlab-apf1",
    )
    assert messages.is_for(kickoff, "netlab-apf1")
    assert messages.kicked_off(kickoff) == recorded("device-frame", '"req_id": "a2"')
    assert messages.unknown(command(req_id=5, op="nonsense")) == recorded("device-frame", '"req_id": 5')
    missing = json.loads(messages.not_found(kickoff))
    assert (missing["response"], missing["data"]["status"], missing["data"]["code"]) == ("200", "error", 2000)


@pytest.mark.parametrize("missing", ["client_ip", "client_mac", "device_id", "gw_id"])
def test_a_kickoff_must_name_all_four(missing: str) -> None:
    """The real router refuses it otherwise."""
    said = {"client_ip": "10.0.0.1", "client_mac": "02:00:00:00:00:01", "device_id": "device-g", "gw_id": "g"}
    assert messages.is_for(command(req_id=1, op="kickoff", **said), "g")
    assert not messages.is_for(command(req_id=1, op="kickoff", **{**said, missing: None}), "g")
    assert not messages.is_for(command(req_id=1, op="kickoff", **said), "another")


@pytest.mark.parametrize(
    ("said", "op", "is_right"),
    [
        (
            {"response": "200", "data": {"type": "connect", "gateway": [{"gw_id": "g", "auth_mode": 1}]}},
            "connect",
            True,
        ),
        (
            {"response": "200", "data": {"type": "connect", "gateway": [{"gw_id": "g", "auth_mode": 0}]}},
            "connect",
            False,
        ),
        ({"response": "200", "data": {"type": "heartbeat"}}, "heartbeat", True),
        ({"response": "200", "data": {"type": "heartbeat"}}, "connect", False),
        ({"response": "400", "data": {"type": "heartbeat"}}, "heartbeat", False),
        ({"response": "200"}, "heartbeat", False),
    ],
)
def test_an_answer_must_leave_the_portal_on(said: dict[str, Any], op: str, is_right: bool) -> None:
    """With C{auth_mode} 0 everybody would pass."""
    assert messages.is_welcome(said, op, "g") is is_right


def test_what_is_no_command_is_none() -> None:
    """An answer, one that cannot be replied to, and what cannot be read."""
    assert messages.read_command({"req_id": 1, "response": "200", "op": "kickoff"}) is None
    assert messages.read_command({"op": "kickoff"}) is None
    assert messages.read_message("nonsense") is None
    assert messages.read_message("[]") is None
