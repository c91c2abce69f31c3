"""Fuzzing of the functions that read untrusted text: queries, reports, heartbeats, login queries and states."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from random import Random
from types import SimpleNamespace

from itsdangerous import base64_decode, base64_encode

from tests.chaos.fuzz.requests import LISTS, LOGIN_QUERY, TOKEN, WORDS, sign
from wifidogd.domain.errors import MalformedRequest
from wifidogd.domain.gateways import GATEWAY_ID
from wifidogd.domain.reports.client_lists import ClientList
from wifidogd.domain.sessions import MAX_OCTETS, AuthCode, Dialect, Octets, Stage
from wifidogd.domain.tokens import hash_secret
from wifidogd.web.gateway import apfree_v2, wifidog_ng_1
from wifidogd.web.gateway.dialects import read_report
from wifidogd.web.gateway.listed_client import MOST_CLIENTS
from wifidogd.web.gateway.pings import LONGEST_UPTIME, read_heartbeat
from wifidogd.web.portal.form_state import ForgedState, FormState, StaleState
from wifidogd.web.portal.login_query import Flaw, read_login_query
from wifidogd.web.rendering.destination import MAX_LENGTH
from wifidogd.web.server.query import read_query

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MAC = re.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}")

FIELDS = (
    *(b"stage=login", b"stage=counters", b"stage=logout", b"token=f96c46abdad84bf288d6b5f366b06555", b"gw_id=gw1"),
    *(
        b"mac=02:00:00:00:00:01",
        b"mac=02-00-00-00-00-0A",
        b"ip=10.0.0.5",
        b"ip=2001:db8::5",
        b"incoming=7",
        b"outgoing=9",
    ),
    *(b"incoming_bytes=7", b"outgoing_bytes=9", b"incoming_bytes_v6=1", b"device_id=d", b"k=secret", b"sys_uptime=1"),
    *(b"sys_memfree=2", b"sys_load=0.5", b"wifidog_uptime=3", b"gw_address=10.0.0.1", b"gw_address=fe80::1%25eth0"),
    *(b"gw_port=2060", b"url=http%3A%2F%2Fa.example%2Fx%3Fy%3D1", b"url=http://[::1]:80/", b"url=https://a@b/"),
)
JSON_WORDS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"null", b"true", b"-1", b"1e999", b"NaN", b"-Infinity", b"9" * 5000),
    *(b'"\\ud800"', b'"\\u0000"', b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"1.5"),
    *(
        b'"id":',
        b'"token":',
        b'"gw_id":',
        b'"clients":[',
        b'"gateway":[',
        b'"counters":[',
        b"[" * 3000,
        b'{"a":' * 3000,
    ),
)
"""What is put into lists of clients."""

_STAGES = {stage.value for stage in Stage}


def say(chance: Random) -> bytes:
    """Return a query with fields that gateways send, some of them broken."""
    fields = [bytearray(chance.choice(FIELDS)) for _ in range(chance.randrange(12))]
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        if fields:
            field = chance.choice(fields)
            begin = chance.randrange(len(field) + 1)
            field[begin : begin + chance.choice((0, 0, 1, 4))] = chance.choice(WORDS)
    return b"&".join(fields)


def read(query: bytes, dialect: Dialect) -> None:
    """
    Read a query in every way, and hold what comes out to what is promised of it.

    @raise AssertionError: if that is not kept.
    """
    fields = read_query(query)
    assert all(isinstance(text, str) and text.encode() is not None for pair in fields.items() for text in pair)
    try:
        report = read_report(fields, dialect, None)
    except MalformedRequest:
        assert fields.get("stage") not in _STAGES or not GATEWAY_ID.fullmatch(fields.get("gw_id", ""))
    else:
        assert report.gw_id is None or GATEWAY_ID.fullmatch(report.gw_id)
        assert report.mac is None or MAC.fullmatch(report.mac)
        assert report.ip is None or str(ip_address(report.ip)) == report.ip
        octets = report.octets or Octets()
        assert min(octets.incoming, octets.outgoing) >= -(2**31)
        assert max(octets.incoming, octets.outgoing) <= MAX_OCTETS
    _read_heartbeat(query)
    _read_login(query)


def _read_heartbeat(query: bytes) -> None:
    try:
        heartbeat = read_heartbeat(read_query(query), query.decode("utf-8", "replace"), "192.0.2.1", NOON)
    except MalformedRequest:
        return
    assert heartbeat.version is None or (heartbeat.version.isprintable() and len(heartbeat.version) <= 100)
    assert heartbeat.sys_uptime is None or timedelta() <= heartbeat.sys_uptime <= LONGEST_UPTIME
    assert heartbeat.memory_free is None or 0 <= heartbeat.memory_free <= MAX_OCTETS


def _read_login(query: bytes) -> None:
    login_query = read_login_query(query, {"wifi.example"})
    if isinstance(login_query, Flaw):
        return
    assert GATEWAY_ID.fullmatch(login_query.gw_id)
    assert login_query.url is None or (
        login_query.url.startswith(("http", "HTTP")) and len(login_query.url) <= MAX_LENGTH
    )
    assert login_query.url is None or not re.search(r"[\x00-\x20\x7f-\x9f]", login_query.url)


def say_list(chance: Random) -> bytes:
    """Return a body with a list of clients, broken in some places, or in none."""
    body = bytearray(chance.choice(LISTS)[1])
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        begin = chance.randrange(len(body) + 1)
        end = begin + chance.choice((0, 0, 1, 4, 30))
        part = chance.choice(JSON_WORDS) if chance.random() < 0.6 else chance.choice(WORDS)
        body[begin:end] = body[begin:end] * 3 if chance.random() < 0.1 else part
    return bytes(body)


def read_list(body: bytes) -> None:
    """
    Read a body as either dialect does, and hold what comes out to what is promised of it.

    @raise AssertionError: if that is not kept.
    """
    try:
        report = apfree_v2.read_report(body, None)
    except MalformedRequest:
        pass
    else:
        for clients in report.lists:
            _check_list(clients)
        codes = [[AuthCode.ALLOWED] * len(clients.clients) for clients in report.lists]
        answered = json.loads(apfree_v2.write_answer(report, codes))
        assert set(answered) in ({"result"}, {"gw_id", "auth_op"})
    try:
        clients = wifidog_ng_1.read_list(body, "gw1", None)
    except MalformedRequest:
        return
    _check_list(clients)
    answer = wifidog_ng_1.write_answer(clients, [AuthCode.DENIED] * len(clients.clients))
    assert len(answer) <= 1024
    assert set(json.loads(answer)) == {"resp"}


def _check_list(clients: ClientList) -> None:
    assert GATEWAY_ID.fullmatch(clients.gw_id)
    assert len(clients.clients) <= MOST_CLIENTS
    for client in clients.clients:
        assert isinstance(client.name, str) or -(2**63) <= client.name < 2**63
        if client.report is None:
            assert not clients.is_complete
            continue
        assert len(client.report.token) <= 1000
        assert hash_secret(client.report.token)
        assert client.report.mac is None or MAC.fullmatch(client.report.mac)
        octets = client.report.octets or Octets()
        assert min(octets.incoming, octets.outgoing) >= -(2**31)
        assert max(octets.incoming, octets.outgoing) <= MAX_OCTETS


class States:
    """
    Signed states, and what becomes of those that somebody has changed.

    @ivar texts: signed states, one for each kind of form.
    """

    def __init__(self) -> None:
        self._state = FormState(SimpleNamespace(signing_secret="secret"), lambda: NOON)
        self._signed = (LOGIN_QUERY, TOKEN, (TOKEN, 7), "default")
        self.texts = [text.decode() for text in sign(self._state).values()]

    def forge(self, chance: Random) -> str:
        """Change a state in some place, or make one up."""
        sealed = bytearray(chance.choice(self.texts).encode())
        begin = chance.randrange(len(sealed))
        way = chance.random()
        if way < 0.6:
            sealed[begin : begin + chance.choice((0, 1, 1, 8))] = chance.choice(WORDS)
        elif way < 0.8:
            body = base64_decode(sealed.split(b".")[-2]) if b"." in sealed else b""
            sealed[:] = base64_encode(body + chance.choice(WORDS)) + b"." + sealed.split(b".")[-1]
        else:
            sealed[begin:] = chance.randbytes(chance.randrange(60))
        return sealed.decode("utf-8", "replace")

    def open(self, text: str) -> None:
        """
        Open a state as every kind of form does.

        A signature may have characters between its own that base64 passes
        over; what it signs may not be changed.

        @raise AssertionError: if a kind of form reads anything that was not signed for it.
        """
        state = self._state
        for number, opens in enumerate(
            (state.open_login_query, state.open_token, state.open_other_device, state.open_preview)
        ):
            try:
                opened = opens(text)
            except (ForgedState, StaleState):
                continue
            assert opened == self._signed[number]
