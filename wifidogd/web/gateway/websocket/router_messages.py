"""
What routers say over their WebSocket, and the few things that they are told there; pure.

Releases of apfree-wifidog before 9.04 name a message by C{type} instead of C{op} and give it no C{req_id}
(docs/protocol.md 7.2); each is answered in its own form.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from wifidogd.domain.errors import MalformedRequest
from wifidogd.domain.gateways import GATEWAY_ID
from wifidogd.domain.sessions import MAX_OCTETS
from wifidogd.gateways.router_commands import Admission, Command, Kickoff, Outcome, TemporaryPass
from wifidogd.web.gateway.json_values import integer_of, read_object
from wifidogd.web.gateway.pings import HIGHEST_LOAD, LONGEST_UPTIME

LARGEST_MESSAGE = 64 * 1024
"""Octets of what a router says: some hundred gateways in a heartbeat; what is larger closes the connection."""

LARGEST_SENT = 900
"""Octets of what it is told: with more than 1,023 waiting it never hears again (docs/protocol.md 7.4)."""

MOST_GATEWAYS = 64
"""Gateways of one router; what follows them is left out."""

_NOT_FOUND = 2000
_LONGEST_REQUEST_ID = 64


class Form(Enum):
    """The name of the field that says what a message is."""

    OP = "op"
    TYPE = "type"


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """The numbers of a heartbeat, as those of a ping; None for what is missing or impossible."""

    sys_uptime: timedelta | None = None
    memory_free: int | None = None
    load: float | None = None
    wifidog_uptime: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Greeting:
    """
    A router's C{connect} or C{heartbeat}.

    @ivar req_id: to answer it by; None from releases that send none.
    @ivar auth_modes: by gw_id, whether the portal is on (1) or lets everybody pass (0); None for anything else.
    """

    op: str
    form: Form
    device_id: str
    auth_modes: Mapping[str, int | None]
    system: SystemInfo
    req_id: str | int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """
    A router's reply to a command.

    @ivar req_id: of the command; None from releases that do not repeat it.
    """

    req_id: str | int | None
    outcome: Outcome


def read_message(text: str) -> Greeting | Reply | None:
    """Return what a router says; None for what cannot be read, or is not known."""
    try:
        message = read_object(text, with_fractions=True)  # the load of a router is one
    except MalformedRequest:
        return None
    if "response" in message:
        return _read_reply(message)
    form = Form.OP if "op" in message else Form.TYPE
    name = message.get(form.value)
    if name in ("connect", "heartbeat"):
        return _read_greeting(message, name, form)
    return _read_old_reply(message, name) if form is Form.TYPE and isinstance(name, str) else None


def write_answer(greeting: Greeting) -> str:
    """
    Return the answer to a greeting.

    It repeats the router's own settings, since another C{auth_mode} would open or close the gateway to everybody;
    gateways for which there is no room are left out, which changes nothing for them.
    """
    data: dict[str, object] = {"type": greeting.op}
    if greeting.op == "connect":
        data["gateway"] = []
    answer = _text(_answer(greeting, data))
    modes = greeting.auth_modes.items() if greeting.op == "connect" else ()
    for gw_id, auth_mode in modes:
        if auth_mode is not None:
            data["gateway"] = [*_listed(data), {"gw_id": gw_id, "auth_mode": auth_mode}]
            longer = _text(_answer(greeting, data))
            if len(longer) > LARGEST_SENT:
                break
            answer = longer
    return answer


def write_command(command: Command, req_id: int, device_id: str, form: Form) -> str:
    """Return a command; the three that there are, and no other, can be written."""
    message: dict[str, object] = {"req_id": req_id}
    if isinstance(command, Kickoff):
        message |= {form.value: "kickoff", "client_ip": command.ip, "client_mac": command.mac}
        message |= {"device_id": device_id, "gw_id": command.gw_id}
    elif isinstance(command, Admission):
        # once_auth would switch the portal off for everybody.
        message |= {form.value: "auth", "token": command.token, "client_ip": command.ip, "client_mac": command.mac}
        message |= {"gw_id": command.gw_id, "once_auth": False}
    else:
        message |= {form.value: "tmp_pass", "client_mac": command.mac, "timeout": command.seconds}
    return _text(message)


def expects_reply(command: Command, form: Form) -> bool:
    """Return whether a router replies to a command: releases before 9.04 reply to C{kickoff} only."""
    return form is Form.OP or not isinstance(command, Admission | TemporaryPass)


def _answer(greeting: Greeting, data: dict[str, object]) -> dict[str, object]:
    if greeting.form is Form.TYPE:
        return data
    return {"req_id": greeting.req_id, "response": "200", "data": data}


def _listed(data: Mapping[str, object]) -> Iterable[object]:
    listed = data["gateway"]
    return listed if isinstance(listed, list) else []


def _text(message: Mapping[str, object]) -> str:
    return json.dumps(message, separators=(",", ":"))


def _read_greeting(message: Mapping[str, Any], op: str, form: Form) -> Greeting | None:
    device_id, gateways, system = message.get("device_id"), message.get("gateway"), message.get("sys_info")
    if not isinstance(device_id, str) or not GATEWAY_ID.fullmatch(device_id):
        return None
    auth_modes: dict[str, int | None] = {}
    for gateway in (gateways if isinstance(gateways, list) else [])[:MOST_GATEWAYS]:
        gw_id = gateway.get("gw_id") if isinstance(gateway, dict) else None
        if isinstance(gw_id, str) and GATEWAY_ID.fullmatch(gw_id):
            auth_mode = gateway.get("auth_mode")
            auth_modes[gw_id] = _count(auth_mode, 1)
    req_id = _read_request_id(message.get("req_id"))
    if form is Form.OP and req_id is None:
        return None
    return Greeting(op, form, device_id, auth_modes, _read_system(system if isinstance(system, dict) else {}), req_id)


def _read_reply(message: Mapping[str, Any]) -> Reply | None:
    data, req_id = message.get("data"), _read_request_id(message.get("req_id"))
    if not isinstance(data, dict) or req_id is None:
        return None
    if data.get("status") == "success":
        return Reply(req_id, Outcome.DONE)
    return Reply(req_id, Outcome.NOT_FOUND if data.get("code") == _NOT_FOUND else Outcome.REFUSED)


def _read_old_reply(message: Mapping[str, Any], name: str) -> Reply | None:
    if name == "kickoff_response":
        return Reply(None, Outcome.DONE if message.get("status") == "success" else Outcome.REFUSED)
    if name == "kickoff_error":
        return Reply(None, Outcome.NOT_FOUND if message.get("error") == "Client not found" else Outcome.REFUSED)
    return None


def _read_request_id(value: object) -> str | int | None:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_REQUEST_ID else None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_OCTETS:
        return value
    return None


def _read_system(system: Mapping[str, Any]) -> SystemInfo:
    memory = _count(system.get("sys_memfree"), MAX_OCTETS // 1024)
    return SystemInfo(
        _uptime(system.get("sys_uptime")),
        None if memory is None else memory * 1024,
        _load(system.get("sys_load")),
        _uptime(system.get("wifidog_uptime")),
    )


def _uptime(value: object) -> timedelta | None:
    seconds = _count(value, int(LONGEST_UPTIME.total_seconds()))
    return None if seconds is None else timedelta(seconds=seconds)


def _load(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= HIGHEST_LOAD else None  # type: ignore[arg-type, operator]


def _count(value: object, most: int) -> int | None:
    count = integer_of(value)
    return count if count is not None and 0 <= count <= most else None
