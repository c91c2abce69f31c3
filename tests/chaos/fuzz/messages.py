"""
What no router says over its WebSocket, heard by the connections of routers as the server makes them, without a socket.

Two routers are connected whose guests are to be thrown off: that of a gateway with a key, which only listens, and the
one that talks.  A third connection, a stranger's, talks about both gateways.
"""

from __future__ import annotations

import json
from random import Random
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.chaos.fuzz.readers import JSON_WORDS
from tests.chaos.fuzz.requests import WORDS
from tests.chaos.fuzz.site import SiteInMemory
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.router_commands import Kickoff, Outcome
from wifidogd.web.gateway.websocket.resource import RouterSockets
from wifidogd.web.gateway.websocket.router_messages import (
    LARGEST_MESSAGE,
    LARGEST_SENT,
    Greeting,
    Reply,
    read_message,
)
from wifidogd.web.gateway.websocket.router_socket import RouterSocket
from wifidogd.web.gateway.websocket.send_queue import MOST_WAITING
from wifidogd.web.gateway.websocket.strangers import MOST_STRANGERS

KEYED = Gateway("keyed", "default", "10.0.0.2", key_hashes=(hash_secret("secret"),))

_SYSTEM = (
    b'{"sys_uptime":2293,"sys_memfree":21370664,"sys_load":2.23,"nf_conntrack_count":26,"cpu_usage":0.3,'
    b'"cpu_temp":-1,"wifidog_uptime":61,"online_clients":1,"offline_clients":0}'
)
_GATEWAYS = b",".join(b'{"gw_id":"gw-%d","auth_mode":%d}' % (number, number % 2) for number in range(70))
_DONE = b'"data":{"type":"kickoff_response","data":{},"status":"success","code":0,"message":"ok"}}'

MESSAGES = (
    b'{ "op": "connect", "device_id": "d1", "mode": 0, "device_info": { "ap_device_id": "AW1" }, "gateway": [ {'
    b' "gw_id": "gw1", "gw_channel": "c", "gw_address_v4": "10.0.0.1", "auth_mode": 1, "gw_interface": "br0" } ],'
    b' "req_id": "6b8b4567327b23c6" }',
    b'{"op":"heartbeat","device_id":"d1","gateway":[{"gw_id":"gw1","auth_mode":1}],"sys_info":%b,"req_id":7}' % _SYSTEM,
    b'{"op":"heartbeat","device_id":"d1","gateway":[{"gw_id":"keyed","auth_mode":0},{"gw_id":"gw1"}],"req_id":"a"}',
    b'{"op":"connect","device_id":"victim","gateway":[{"gw_id":"keyed","auth_mode":1}],"req_id":"a"}',
    b'{"op":"connect","device_id":"d1","gateway":[%b],"req_id":"a"}' % _GATEWAYS,
    b'{"type":"connect","device_id":"d1","gateway":[{"gw_id":"gw1","auth_mode":0},{"gw_id":"keyed"}]}',
    b'{"type":"heartbeat","device_id":"d1","gateway":[{"gw_id":"gw1"}],"sys_info":%b}' % _SYSTEM,
    b'{"req_id":%(req_id)d,"response":"200",' + _DONE,
    b'{"req_id":%(req_id)d,"response":"200","data":{"status":"error","code":2000,"message":"Client not found"}}',
    b'{"req_id":%(req_id)d,"response":"200","data":{"status":"error","code":1002}}',
    b'{"req_id":"%(req_id)d","response":"200",' + _DONE,
    b'{"req_id":-1,"response":"200",' + _DONE,
    b'{"type":"kickoff_response","status":"success","message":"Client kicked off successfully"}',
    b'{"type":"kickoff_error","error":"Client not found"}',
    b'{"op":"kickoff","req_id":1,"client_ip":"10.0.0.5","client_mac":"02:00:00:00:00:01","device_id":"d","gw_id":"gw1"}',
    b'{"op":"shell","command":"reboot","req_id":2}',
)
"""Each kind of message that a router sends, and some that only the server does; C{req_id} is that of a command."""

KEYS = (None, None, "", "wrong", "secret", "\ud800", "x" * 200)
"""What connections have shown."""

MESSAGES_A_CONNECTION = 30
"""Messages, on average, before another takes the place of a connection."""


def say_message(chance: Random, req_id: int = 1) -> str:
    """Return a message of at most L{LARGEST_MESSAGE} octets, broken in some places, or in none."""
    message = bytearray(chance.choice(MESSAGES))
    if b"%(req_id)d" in message:
        message[:] = message % {b"req_id": req_id}
    for _ in range(chance.choice((0, 0, 1, 1, 2, 5))):
        begin = chance.randrange(len(message) + 1)
        end = begin + chance.choice((0, 0, 1, 4, 30))
        part = chance.choice(JSON_WORDS) if chance.random() < 0.6 else chance.choice(WORDS)
        message[begin:end] = message[begin:end] * 3 if chance.random() < 0.1 else part
    if chance.random() < 0.001:
        message[chance.randrange(len(message)) :] = chance.choice((b"[", b'{"a":', b" ", b"9")) * LARGEST_MESSAGE
    return bytes(message[:LARGEST_MESSAGE]).decode("utf-8", "replace")


class RouterEnd:
    """
    The other end of a router's connection: keeps what the server sends.

    @ivar sent: texts, since the last look.
    @ivar is_closed: whether the server has closed the connection.
    """

    def __init__(self, sockets: RouterSockets, source: str, key: str | None) -> None:
        connections = SimpleNamespace(most_upgraded=10 * MOST_STRANGERS)
        channel: Any = SimpleNamespace(upgraded=self, site=SimpleNamespace(connections=connections))
        transport: Any = self
        self.sent: list[str] = []
        self._settings: set[tuple[str, int | None]] = set()
        self.is_closed = False
        self.socket = RouterSocket(sockets, channel, source, key)
        self.socket.negotiationStarted(transport)
        self.socket.negotiationFinished()

    def hear(self, text: str) -> None:
        """Let the router say something."""
        said = read_message(text)
        if isinstance(said, Greeting):
            self._settings |= said.auth_modes.items()
        self.socket.textMessageReceived(text)

    def check_one(self, text: str) -> None:
        """
        Hold a message to the router against what is promised.

        @raise AssertionError: if that is not kept.
        """
        assert len(text.encode()) <= LARGEST_SENT, "longer than a router reads"
        message = json.loads(text)
        data = message.get("data", message)
        if data.get("type") in ("connect", "heartbeat"):
            settings = {(gateway["gw_id"], gateway["auth_mode"]) for gateway in data.get("gateway", ())}
            assert settings <= self._settings, "not the router's own settings"
        else:
            assert message.get("op", message.get("type")) == "kickoff", "a command that nobody asked for"
            assert message["gw_id"] == "gw1", "a guest of another gateway"

    def sendTextMessage(self, text: str) -> None:
        """Keep a message."""
        self.sent.append(text)

    def ping(self, payload: bytes = b"") -> None:
        """Reply as a router does that hears."""
        self.socket.pongReceived(payload)

    def message_heard(self) -> None:
        """Do nothing: octets are counted where there are some."""

    def close(self) -> None:
        """Close the connection."""
        self.is_closed = True

    def leave(self) -> None:
        """Let the server know that the connection is gone."""
        self.is_closed = True
        self.socket.connectionLost(Failure(ConnectionError()))


class RoutersInMemory:
    """
    Connections of routers, and the two guests who are to be thrown off.

    @ivar victim: the router of the gateway with a key, to which nobody else may come.
    """

    def __init__(self, chance: Random, site: SiteInMemory) -> None:
        self._chance = chance
        self._site = site
        components = site.components
        components.registry._gateways["keyed"] = KEYED
        self._claims: Any = components.claims
        self._sockets = RouterSockets(
            components.registry, components.claims, components.devices, clock=site.clock, utc_now=site.now
        )
        self.victim, self._awaited = self._come_as_victim()
        self._begin()

    def hear_one(self) -> None:
        """
        Let a connection say something, and now and then let time pass.

        @raise AssertionError: if what comes of it is not as promised.
        """
        chance, end = self._chance, self._end
        text = say_message(chance, end.socket._req_id)
        was_told = self._asked.called
        try:
            end.hear(text)
            assert not self._awaited.called, "a reply of another router was taken"
            if self._asked.called and not was_told and not end.is_closed:
                assert isinstance(read_message(text), Reply), "no reply was taken for one"
            self._check(end)
            if chance.random() < 0.2:
                self._site.clock.advance(chance.choice((0.1, 0.6, 5.0)))
                self._check(end)
        except Exception as problem:
            raise AssertionError(f"{problem!r} after {text[:2000]!r}") from problem
        finally:
            end.sent.clear()
        if self._awaited.called:
            self._take_place_of_victim()
        if end.is_closed or self._asked.called or chance.random() < 1 / MESSAGES_A_CONNECTION:
            end.leave()
            self._begin()

    def _begin(self) -> None:
        """Connect another router; most may speak for the gateway without a key, and are told to throw somebody off."""
        self._claims._claims.clear()
        self._end = RouterEnd(self._sockets, "192.0.2.7", self._chance.choice(KEYS))
        if self._chance.random() < 0.8:
            self._claims.routers.connect(self._end.socket, "gw1")
        self._asked = _ask(self._end, "gw1")

    def _take_place_of_victim(self) -> None:
        """Connect the router that only listens again: it does not reply, and after some time it is taken for deaf."""
        self.victim.leave()
        self.victim, self._awaited = self._come_as_victim()

    def _come_as_victim(self) -> tuple[RouterEnd, Deferred[Outcome]]:
        victim = RouterEnd(self._sockets, "192.0.2.1", "secret")
        victim.socket.device_id = "victim"
        self._claims.routers.connect(victim.socket, "keyed")
        return victim, _ask(victim, "keyed")

    def _check(self, end: RouterEnd) -> None:
        """Hold what a connection was sent, and what is kept, against what is promised."""
        assert not self._site.trouble, self._site.trouble.pop()
        for gw_id, claim in self._claims._claims.items():
            assert gw_id != "keyed" or claim.connection.key == "secret", "a gateway with a key is claimed without it"
        while end.sent:
            end.check_one(end.sent.pop())
        assert len(self._sockets.strangers) <= MOST_STRANGERS, "too many strangers"
        assert len(end.socket._queue._waiting) <= MOST_WAITING + 1, "too much waits for a router"


def _ask(end: RouterEnd, gw_id: str) -> Deferred[Outcome]:
    return end.socket.send(Kickoff(gw_id, "02:00:00:00:00:01", "10.0.0.5"))
