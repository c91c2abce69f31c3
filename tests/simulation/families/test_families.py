"""Simulated gateways of each family send what the real ones were recorded to send, and hear what those hear."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support.checkout import DATA
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import Octets, Stage
from wifidogd.simulation.families.apfree import Apfree
from wifidogd.simulation.families.family import Line, ListingFamily, RoamingFamily
from wifidogd.simulation.families.names import FAMILIES
from wifidogd.simulation.transport.wire import Server

SERVER = Server("198.51.100.10", 8080, "/wifidog/")

RECORDINGS = {
    "wifidog": "wifidog-gateway-1.3.0",
    "apfree": "apfree-wifidog-9.07.2907-counters-v2",
    "apfree-v1": "apfree-wifidog-9.07.2907-counters-v1",
    "wifidog-ng": "wifidog-ng-2.0.0",
    "wifidog-ng-1": "wifidog-ng-1.5.6-derived-from-source",
}

LIST = Line("10.0.0.1", "02:51:4d:00:00:01", "t", number=2**32 + 7)


def recorded(family: str, *stages: str) -> Iterator[str]:
    """Yield requests of a real gateway."""
    for line in (DATA / f"{RECORDINGS[family]}.jsonl").read_text("utf-8").splitlines():
        said = json.loads(line)
        if said["stage"] in stages:
            yield said["request"]


def fields(request: str) -> dict[str, str]:
    """Read the query of a request."""
    return dict(parse_qsl(urlsplit(request.split(" ")[1]).query))


def totals(said: dict[str, str]) -> Octets:
    """Read the totals of a report."""
    if "incoming_bytes" in said:
        return Octets(int(said["outgoing_bytes"]), int(said["incoming_bytes"]))
    return Octets(int(said.get("incoming", 0)), int(said.get("outgoing", 0)))


def without_figures(request: str) -> tuple[list[str], str]:
    """Return the names in the query, and the rest of a request but for what the machine or the guest decides."""
    return list(fields(request)), request.partition("?")[0] + request.partition(" HTTP")[2]


@pytest.mark.parametrize("name", FAMILIES)
def test_reports_are_those_of_the_real_gateway(name: str) -> None:
    """Byte for byte, but for apfree-wifidog's figures about packets, rates and times."""
    requests = list(recorded(name, "login", "logout", *([] if name == "wifidog-ng-1" else ["counters"])))
    assert requests
    for request in requests:
        said = fields(request)
        line = Line(said["ip"], said["mac"], said["token"], totals(said), online_for=int(said.get("online_time", 0)))
        device = request.replace(said["device_id"], f"device-{said['gw_id']}") if "device_id" in said else request
        sent = FAMILIES[name].report(SERVER, Stage(said["stage"]), said["gw_id"], line).decode()
        if "device_id" not in said:
            assert sent == request
            continue
        assert without_figures(sent) == without_figures(device)
        ours, theirs = fields(sent), fields(device)
        for each in ("stage", "ip", "mac", "token", "gw_id", "device_id", "incoming_bytes", "outgoing_bytes"):
            assert ours[each] == theirs[each]


@pytest.mark.parametrize("name", FAMILIES)
def test_pings_are_those_of_the_real_gateway(name: str) -> None:
    """But for the figures of the machine."""
    [request, *_] = recorded(name, "ping")
    gw_id = fields(request).get("gw_id", "netlab-apf1")
    sent = FAMILIES[name].ping(SERVER, gw_id, 1).decode()
    assert without_figures(sent) == without_figures(request)


def shape(value: Any) -> Any:
    """Return names and types of JSON."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value)


@pytest.mark.parametrize(("name", "stage"), [("apfree", "counters_v2"), ("wifidog-ng-1", "counters")])
def test_lists_are_those_of_the_real_gateway(name: str, stage: str) -> None:
    """With one client: the same head, and the same names and types in the same order."""
    request = next(each for each in recorded(name, stage) if '"mac"' in each)
    family = FAMILIES[name]
    assert isinstance(family, ListingFamily)
    sent = family.report_list(SERVER, "netlab-gw1", [LIST]).decode()
    ours, theirs = (each.partition("\r\n\r\n") for each in (sent, request))
    for our_line, their_line in zip(ours[0].split("\r\n")[1:], theirs[0].split("\r\n")[1:], strict=True):
        assert our_line == their_line or our_line.startswith("Content-Length: ")
    bodies = [json.loads(body[body.index("{") : body.rindex("}") + 1]) for body in (ours[2], theirs[2])]
    assert json.dumps(shape(bodies[0]), default=str) == json.dumps(shape(bodies[1]), default=str)


@pytest.mark.parametrize("name", FAMILIES)
def test_guests_are_sent_where_the_real_gateway_sends_them(name: str) -> None:
    """With the same parameters in the same order."""
    family, gateway = FAMILIES[name], Gateway("netlab-gw1", "default", "10.11.0.1")
    for request in recorded(name, "loginpage"):
        said = fields(request)
        if "mac" not in said:
            continue
        target = family.login_target(SERVER, gateway, said["ip"], said["mac"], said.get("url", ""))
        assert [pair.partition("=")[0] for pair in target.partition("?")[2].split("&")] == [
            pair.partition("=")[0] for pair in request.split(" ")[1].partition("?")[2].split("&")
        ]
    for request in recorded(name, "portal"):
        target = family.portal_target(SERVER, "netlab-gw1", "02:ab:cd:ef:01:01")
        assert "token" not in target
        released = [each for each in fields(request) if each != "token"]
        assert [pair.partition("=")[0] for pair in target.partition("?")[2].split("&")] == released


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nAuth: 1\n", 1),
        (b"HTTP/1.0 500 No\r\n\r\nAuth: 0\n", 0),
        (b"HTTP/1.0 503 No\r\n\r\nAuth: -1\n", -1),
        (b"Auth: 6", 6),
        (b"HTTP/1.0 200 OK\r\nX-Auth: 0\r\n\r\nAuth: 1\n", 0),
        (b"HTTP/1.0 200 OK\r\nX-Auth: abc\r\n\r\nAuth: 1\n", None),
        (b"HTTP/1.0 200 OK\r\n\r\nAuth:1\n", None),
        (b"HTTP/1.0 200 OK\r\n\r\nauth: 1\n", None),
        (b"HTTP/1.0 200 OK\r\n\r\n", None),
        (b"", None),
    ],
)
def test_the_reference_gateway_finds_the_first_mark_anywhere(answer: bytes, verdict: int | None) -> None:
    """Whatever the status (docs/protocol.md 6.1)."""
    assert FAMILIES["wifidog"].read_verdict(answer) == verdict


@pytest.mark.parametrize(
    ("body", "apfree", "ng"),
    [
        (b"Auth: 1\n", 1, 1),
        (b"Auth: 0", 0, 0),
        (b"Auth: -1\n", -1, None),
        (b" Auth: 1\n", 1, None),
        (b"Auth: x", None, None),
        (b"", None, None),
    ],
)
def test_the_others_read_the_body(body: bytes, apfree: int | None, ng: int | None) -> None:
    """wifidog-ng from its very start."""
    answer = b"HTTP/1.1 200 OK\r\nX-Auth: 0\r\n\r\n" + body
    for name in ("apfree", "apfree-v1"):
        assert FAMILIES[name].read_verdict(answer) == apfree
    for name in ("wifidog-ng", "wifidog-ng-1"):
        assert FAMILIES[name].read_verdict(answer) == ng


@pytest.mark.parametrize(("body", "pong"), [(b"Pong", (True, True)), (b"Pong\n", (True, False)), (b"", (False, False))])
def test_only_wifidog_ng_wants_pong_and_nothing_else(body: bytes, pong: tuple[bool, bool]) -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + body
    assert (FAMILIES["apfree"].hears_pong(answer), FAMILIES["wifidog-ng"].hears_pong(answer)) == pong


@pytest.mark.parametrize(
    ("body", "heard"),
    [
        (b'{"result":[{"gw_id":"g","auth_op":[{"id":7,"auth_code":0}]}]}', {LIST.mac: 0}),
        (b'{"result":[{"gw_id":"other","auth_op":[{"id":4294967303,"auth_code":1}]}]}', {LIST.mac: 1}),
        (b'{"result":[{"auth_op":[{"id":7,"auth_code":0}]}]}', {}),
        (b'{"result":[{"gw_id":"g","auth_op":[{"id":8,"auth_code":0},{"id":"7","auth_code":0}]}]}', {}),
        (b'{"result":[]}', {}),
        (b'{"results":[]}', {}),
        (b"<html>", {}),
        (b"", {}),
    ],
)
def test_apfree_finds_its_clients_by_number(body: bytes, heard: dict[str, int]) -> None:
    """Compared as numbers of 32 bits; whatever it cannot read changes nothing."""
    family = FAMILIES["apfree"]
    assert isinstance(family, ListingFamily)
    assert family.read_list(b"HTTP/1.1 500 No\r\n\r\n" + body, [LIST]) == heard


@pytest.mark.parametrize(
    ("body", "heard"),
    [
        (b'{"resp":[{"mac":"02:51:4d:00:00:01","auth":0}]}', {LIST.mac: 0}),
        (b'{"resp":[{"mac":"02:51:4D:00:00:01","auth":0}]}', {LIST.mac: 1}),
        (b'{"resp":[{"mac":"02:51:4d:00:00:01","auth":"0"}]}', {LIST.mac: 1}),
        (b'{"resp":[]}', {LIST.mac: 1}),
        (b'{"resp":[{"mac":"02:51:4d:00:00:01","auth":0}]}' + b" " * 1_000, {}),
        (b"Auth: 0\n", {}),
    ],
)
def test_wifidog_ng_1_finds_its_clients_by_mac(body: bytes, heard: dict[str, int]) -> None:
    family = FAMILIES["wifidog-ng-1"]
    assert isinstance(family, ListingFamily)
    assert family.read_list(b"HTTP/1.1 200 OK\r\n\r\n" + body, [LIST]) == heard


@pytest.mark.parametrize("name", ["wifidog-ng", "wifidog-ng-1"])
def test_questions_about_roaming_are_those_of_the_real_gateway(name: str) -> None:
    """Byte for byte."""
    family = FAMILIES[name]
    assert isinstance(family, RoamingFamily)
    for request in recorded(name, "roam"):
        said = fields(request)
        assert family.ask_to_roam(SERVER, said["gw_id"], said["ip"], said["mac"]).decode() == request


def test_apfree_asks_about_roaming_without_an_address() -> None:
    """As its source has it, and in the way of its other requests."""
    for name in ("apfree", "apfree-v1"):
        family = FAMILIES[name]
        assert isinstance(family, RoamingFamily)
        sent = family.ask_to_roam(SERVER, "g", "10.0.0.1", "02:ab:cd:ef:01:01").decode()
        assert sent.startswith("GET /wifidog/roam?gw_id=g&mac=02:ab:cd:ef:01:01&gw_channel=chan1 HTTP/1.1\r\n")
        assert sent.partition(" HTTP")[2] == family.ping(SERVER, "g", 1).decode().partition(" HTTP")[2]


TOKEN = "0123456789abcdefghijklmnopqrstuv"


@pytest.mark.parametrize(
    ("body", "apfree", "ng", "ng_1"),
    [
        (f"token={TOKEN}", None, TOKEN, TOKEN),
        (f"token={TOKEN}\n", None, TOKEN, TOKEN),
        ("token=short\n", None, "short", "short\n"),
        ("deny", None, None, None),
        ("Auth: -1\n", None, None, None),
        (f'{{"roam":"yes","client":{{"token":"{TOKEN}","firstLogin":1796041255,"gw_id":"g"}}}}', TOKEN, None, None),
        (f'{{"roam":"yes","client":{{"token":"{TOKEN}","gw_id":"g"}}}}', None, None, None),
        (f'{{"roam":"no","client":{{"token":"{TOKEN}","firstLogin":1,"gw_id":"g"}}}}', None, None, None),
        ('{"roam":"no"}', None, None, None),
        ('{"roam":"yes","client":{"token":7,"firstLogin":1,"gw_id":"g"}}', None, None, None),
        ("", None, None, None),
    ],
)
def test_answers_about_roaming(body: str, apfree: str | None, ng: str | None, ng_1: str | None) -> None:
    """Version 1 of wifidog-ng keeps whatever comes behind the mark, 32 characters of it (docs/protocol.md 8)."""
    answer = f"HTTP/1.1 200 OK\r\n\r\n{body}".encode()
    for name, token in (("apfree", apfree), ("apfree-v1", apfree), ("wifidog-ng", ng), ("wifidog-ng-1", ng_1)):
        family = FAMILIES[name]
        assert isinstance(family, RoamingFamily)
        assert family.read_roaming(answer) == token


def test_only_those_families_list_and_roam_and_keep_a_websocket_that_really_do() -> None:
    lists = {name for name, family in FAMILIES.items() if isinstance(family, ListingFamily)}
    roams = {name for name, family in FAMILIES.items() if isinstance(family, RoamingFamily)}
    connected = {name for name, family in FAMILIES.items() if family.keeps_websocket}
    assert lists == {"apfree", "wifidog-ng-1"}
    assert roams == set(FAMILIES) - {"wifidog"}
    assert connected == {"apfree", "apfree-v1"}
    assert not Apfree().keeps_websocket
