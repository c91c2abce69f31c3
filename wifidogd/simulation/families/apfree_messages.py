"""
What apfree-wifidog 9.07 says over its WebSocket (docs/protocol.md 7.2, 7.3); pure.

Messages are those of the recorded transcript, byte for byte but for the values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from wifidogd.domain.gateways import Gateway
from wifidogd.simulation.families.apfree import device_of
from wifidogd.simulation.transport.wire import Server

LARGEST_READ = 900
"""Octets of the longest message that a router is sent."""

NOT_FOUND, UNKNOWN = 2_000, 400
"""Codes of replies: to a kickoff of nobody who is listed, and to an operation that there is not."""

_TYPES = {str: "string", int: "integer"}


class Told(NamedTuple):
    """
    A command.

    @ivar req_id: to reply by.
    @ivar said: all of it.
    """

    op: str
    req_id: str | int
    said: Mapping[str, Any]


def upgrade(server: Server, key: str) -> bytes:
    """Return the request for the WebSocket, in which nothing says whose it is."""
    head = f"GET /ws/wifidogx HTTP/1.1\r\nHost: {server.host}:{server.port}\r\nUser-Agent: apfree-wifidog\r\n"
    wanted = f"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
    return f"{head}{wanted}\r\n".encode()


def connect(gateway: Gateway, req_id: str) -> str:
    """Return what the router says as soon as the WebSocket is open."""
    return _text({**_who(gateway, "connect"), "req_id": req_id})


def heartbeat(gateway: Gateway, req_id: str, uptime: int, online: int) -> str:
    """
    Return what it says once a minute.

    @param uptime: of the gateway software, in seconds.
    """
    system = {
        "sys_uptime": uptime + 30,
        "sys_memfree": 51_200,
        "sys_load": 0.12,
        "nf_conntrack_count": 3,
        "cpu_usage": 10.0,
        "cpu_temp": -1,
        "wifidog_uptime": uptime,
        "online_clients": online,
        "offline_clients": 0,
    }
    return _text({**_who(gateway, "heartbeat"), "sys_info": system, "req_id": req_id})


def is_welcome(said: Mapping[str, Any], op: str, gw_id: str) -> bool:
    """
    Return whether an answer is one to C{connect} or C{heartbeat}, and leaves the portal on.

    @param op: which of the two.
    """
    data = said.get("data")
    if said.get("response") != "200" or not isinstance(data, dict) or data.get("type") != op:
        return False
    return op == "heartbeat" or data.get("gateway") == [{"gw_id": gw_id, "auth_mode": 1}]


def read_message(text: str) -> Mapping[str, Any] | None:
    """Return what the server said; None for what is no object of JSON."""
    try:
        said = json.loads(text)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def read_command(said: Mapping[str, Any]) -> Told | None:
    """Return the command in what the server said; None for an answer, and without a C{req_id} to reply by."""
    op, req_id = said.get("op"), said.get("req_id")
    if "response" in said or not isinstance(op, str) or not isinstance(req_id, str | int):
        return None
    return Told(op, req_id, said)


def is_for(command: Told, gw_id: str) -> bool:
    """Return whether a kickoff names a client of a gateway, and all else that it must."""
    said = command.said
    is_whole = all(isinstance(said.get(name), str) for name in ("client_ip", "client_mac"))
    return is_whole and said.get("gw_id") == gw_id and said.get("device_id") == device_of(gw_id)


def kicked_off(command: Told) -> str:
    """Return the reply to a kickoff that found its client."""
    found = {name: command.said[name] for name in ("client_ip", "client_mac")}
    return _reply(command, "kickoff_response", found, "success", 0, "Client kicked off successfully")


def not_found(command: Told) -> str:
    """Return the reply to a kickoff of nobody who is listed."""
    return _reply(command, "kickoff_response", {}, "error", NOT_FOUND, "Client not found")


def unknown(command: Told) -> str:
    """Return the reply to an operation that there is not."""
    return _reply(command, "generic_response", {"requested_op": command.op}, "error", UNKNOWN, "Unknown operation")


def _who(gateway: Gateway, op: str) -> dict[str, object]:
    device_id = device_of(gateway.gw_id)
    device = {
        "ap_device_id": device_id,
        "ap_mac_address": "02-AB-CD-EF-00-01",
        "ap_longitude": "1.0",
        "ap_latitude": "2.0",
        "location_id": "L1",
    }
    listed = {
        "gw_id": gateway.gw_id,
        "gw_channel": "chan1",
        "gw_address_v4": gateway.address,
        "auth_mode": 1,
        "gw_interface": "br0",
    }
    return {"op": op, "device_id": device_id, "mode": 0, "device_info": device, "gateway": [listed]}


def _reply(command: Told, kind: str, found: Mapping[str, Any], status: str, code: int, message: str) -> str:
    described = {
        name: f"Auto-generated: key '{name}' of type {_TYPES.get(type(value), 'string')}"
        for name, value in found.items()
    }
    data = {"type": kind, "data": found, "status": status, "code": code, "message": message}
    data |= {"req_id": command.req_id, "field_descriptions": described}
    return _text({"req_id": command.req_id, "response": "200", "data": data})


def _text(message: object) -> str:
    """Return JSON as json-c prints it: with blanks within brackets."""
    if isinstance(message, dict):
        inner = ", ".join(f"{json.dumps(name)}: {_text(value)}" for name, value in message.items())
        return f"{{ {inner} }}" if inner else "{ }"
    if isinstance(message, list):
        inner = ", ".join(_text(value) for value in message)
        return f"[ {inner} ]" if inner else "[ ]"
    return json.dumps(message)
