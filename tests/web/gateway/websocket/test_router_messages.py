"""What routers say is read whatever it is, and what they are told is one of three commands."""

from __future__ import annotations

import ast
import json
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.checkout import ROOT
from wifidogd.gateways.router_commands import Admission, Command, Kickoff, Outcome, TemporaryPass
from wifidogd.web.gateway.websocket.router_messages import (
    LARGEST_SENT,
    MOST_GATEWAYS,
    Form,
    Greeting,
    Reply,
    SystemInfo,
    read_message,
    write_answer,
    write_command,
)

LONG = "x" * 64
COMMANDS = [
    Kickoff(LONG, "02:00:00:00:00:01", "2001:db8:1111:2222:3333:4444:5555:6666"),
    Admission(LONG, "02:00:00:00:00:01", "2001:db8:1111:2222:3333:4444:5555:6666", "t" * 32),
    TemporaryPass(LONG, "02:00:00:00:00:01", 1800),
]
WRITTEN = {
    Kickoff: {"client_ip", "client_mac", "device_id", "gw_id"},
    Admission: {"token", "client_ip", "client_mac", "gw_id", "once_auth"},
    TemporaryPass: {"client_mac", "timeout"},
}
OPS = {"kickoff", "auth", "tmp_pass"}


@pytest.mark.parametrize("form", Form)
def test_nothing_but_three_commands_can_be_written(form: Form) -> None:
    """No shell, firmware, restart, or portal that is off for everybody; and every one is short enough to be heard."""
    assert set(get_args(Command)) == {type(command) for command in COMMANDS}
    written = [write_command(command, 2**31, LONG, form) for command in COMMANDS]
    messages = [json.loads(text) for text in written]
    assert {message[form.value] for message in messages} == OPS
    for command, message in zip(COMMANDS, messages, strict=True):
        assert set(message) == {"req_id", form.value} | WRITTEN[type(command)]
        assert message.get("once_auth") is not True
    assert max(map(len, written)) <= LARGEST_SENT


def test_no_other_operation_stands_in_the_source() -> None:
    """Of all that a router could be told, only three names are written anywhere near it."""
    forbidden = {"shell", "firmware_upgrade", "ota", "reboot_device", "set_auth_serv", "set_websocket_serv", "wifi"}
    for path in (ROOT / "wifidogd" / "web" / "gateway" / "websocket").glob("*.py"):
        texts = {node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)}
        assert not forbidden & texts, path


def connect(**changes: object) -> str:
    message = {"op": "connect", "device_id": "D", "gateway": [{"gw_id": "g", "auth_mode": 1}], "req_id": "a"}
    return json.dumps(message | changes)


def test_a_greeting_is_read() -> None:
    info = {"sys_uptime": 5, "sys_memfree": 2, "sys_load": 1, "wifidog_uptime": 3, "cpu_temp": -1}
    seconds = timedelta(seconds=1)
    assert read_message(connect(sys_info=info)) == Greeting(
        "connect", Form.OP, "D", {"g": 1}, SystemInfo(5 * seconds, 2048, 1.0, 3 * seconds), "a"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"device_id": None},
        {"device_id": ""},
        {"device_id": "x" * 65},
        {"device_id": "a b"},
        {"req_id": None},
        {"req_id": [1]},
        {"req_id": "x" * 65},
        {"op": "bootstrap"},
        {"op": ["connect"]},
    ],
)
def test_what_is_no_greeting_is_none(changes: dict[str, object]) -> None:
    assert read_message(connect(**changes)) is None


@pytest.mark.parametrize(
    ("gateway", "read"),
    [
        (None, {}),
        ({}, {}),
        ([1, None, {"gw_id": 7}, {"gw_id": "a b"}, {"gw_id": "g"}], {"g": None}),
        ([{"gw_id": "g", "auth_mode": True}], {"g": None}),
        ([{"gw_id": "g", "auth_mode": 2}], {"g": None}),
        ([{"gw_id": "g", "auth_mode": 0}], {"g": 0}),
        ([{"gw_id": f"g{n}"} for n in range(100)], {f"g{n}": None for n in range(MOST_GATEWAYS)}),
    ],
)
def test_gateways_that_cannot_be_are_left_out(gateway: object, read: dict[str, int | None]) -> None:
    greeting = read_message(connect(gateway=gateway))
    assert isinstance(greeting, Greeting)
    assert greeting.auth_modes == read


@pytest.mark.parametrize("value", [-1, 1e400, "5", True, None, 10**12, float("nan")])
def test_impossible_numbers_are_none(value: object) -> None:
    """JSON has no NaN, but routers print it."""
    info = dict.fromkeys(("sys_uptime", "sys_load", "wifidog_uptime"), value)
    greeting = read_message(connect(sys_info=info))
    assert isinstance(greeting, Greeting)
    assert greeting.system == SystemInfo()


def test_an_answer_is_never_too_long_to_be_heard() -> None:
    """The gateways that fit are named; leaving out the others changes nothing for them."""
    greeting = Greeting("connect", Form.OP, "D", {f"{n:064}": 1 for n in range(64)}, SystemInfo(), "x" * 64)
    answer = write_answer(greeting)
    assert 800 < len(answer) <= LARGEST_SENT
    assert {gateway["auth_mode"] for gateway in json.loads(answer)["data"]["gateway"]} == {1}


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        ({"req_id": 1, "response": "200", "data": {"status": "success", "code": 0}}, Reply(1, Outcome.DONE)),
        ({"req_id": "a", "response": "200", "data": {"status": "error", "code": 2000}}, Reply("a", Outcome.NOT_FOUND)),
        ({"req_id": 1, "response": "200", "data": {"status": "error", "code": 1002}}, Reply(1, Outcome.REFUSED)),
        ({"req_id": 1, "response": "200", "data": {}}, Reply(1, Outcome.REFUSED)),
        ({"response": "200", "data": {"status": "success"}}, None),
        ({"req_id": 1, "response": "200", "data": []}, None),
        ({"type": "kickoff_response", "status": "success"}, Reply(None, Outcome.DONE)),
        ({"type": "kickoff_error", "error": "Client not found"}, Reply(None, Outcome.NOT_FOUND)),
        ({"type": "kickoff_error", "error": "Device ID mismatch"}, Reply(None, Outcome.REFUSED)),
        ({"type": "get_wifi_info_response"}, None),
    ],
)
def test_replies_are_read(said: dict[str, object], reply: Reply | None) -> None:
    assert read_message(json.dumps(said)) == reply


SAID = "op type req_id response data status code device_id gateway gw_id auth_mode sys_info sys_uptime sys_load"

NAMES = st.sampled_from([*SAID.split(), "connect", "heartbeat", "success", "kickoff_response", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=6),
    max_leaves=20,
)


@given(VALUES)
def test_whatever_json_is_said_is_read_and_answered(value: object) -> None:
    """Without an error; and what is answered can be heard."""
    message = read_message(json.dumps(value))
    if isinstance(message, Greeting):
        assert len(write_answer(message)) <= LARGEST_SENT


@given(st.text())
def test_whatever_text_is_said_is_read(text: str) -> None:
    read_message(text)


def test_depth_is_bounded() -> None:
    for depth in (100, 5_000, 30_000):
        assert read_message('{"op":' + "[" * depth + "]" * depth + "}") is None
