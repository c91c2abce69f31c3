"""The WebSocket of one router: its greetings in, answers and commands out."""

from __future__ import annotations

from random import randrange
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.web.websocket import WebSocketTransport

from wifidogd.gateways.router_commands import Command, Outcome
from wifidogd.runtime.deadlines import Deadline
from wifidogd.web.gateway.websocket.router_messages import (
    LARGEST_MESSAGE,
    Form,
    Greeting,
    Reply,
    expects_reply,
    read_message,
    write_answer,
    write_command,
)
from wifidogd.web.gateway.websocket.send_queue import SendQueue
from wifidogd.web.server.connections.upgraded import UpgradedConnection

if TYPE_CHECKING:
    from wifidogd.web.gateway.websocket.resource import RouterSockets
    from wifidogd.web.server.connections.channel import Channel

GREET_WITHIN = 10.0
"""Seconds in which a router must say who it is; it does so at once."""

SILENT_AFTER = 150.0
"""Seconds without a word after which a router is gone; it says something every 60 s."""

_GREETINGS_APART = 5.0
"""Seconds between two greetings that are taken for heartbeats."""

_PING_EVERY = 5
"""Heartbeats from one ping to the next: a router that has become deaf goes on sending them (docs/protocol.md 7.4)."""

_GOING_AWAY = 1001
_PING = -1


class RouterSocket:
    """
    The connection of one router; a L{RouterConnection<wifidogd.gateways.router_commands.RouterConnection>}.

    It is closed without a close frame but at a stop, because the router comes back three seconds after one and five
    seconds after an end without (docs/protocol.md 7.1).
    """

    __slots__ = (
        "_channel",
        "_deadline",
        "_form",
        "_greeted_at",
        "_greetings",
        "_queue",
        "_req_id",
        "_sockets",
        "_transport",
        "_upgraded",
        "device_id",
        "is_open",
        "key",
        "source",
    )

    _transport: WebSocketTransport
    _upgraded: UpgradedConnection

    def __init__(self, sockets: RouterSockets, channel: Channel, source: str, key: str | None) -> None:
        """
        @param channel: what the request for the WebSocket came over.
        @param source: the address that the router comes from.
        @param key: what it showed in the path or the query; None for nothing.
        """
        self.device_id = ""
        self.source = source
        self.key = key
        self.is_open = True
        self._sockets = sockets
        self._queue = SendQueue(self.replace, sockets.clock)
        self._form = Form.OP
        self._req_id = randrange(2**16)  # noqa: S311 - the router only repeats it
        self._greeted_at = float("-inf")
        self._greetings = 0
        self._channel = channel
        self._deadline: Deadline[RouterSocket] = sockets.deadlines.add(self, GREET_WITHIN)

    def negotiationStarted(self, transport: WebSocketTransport) -> None:
        """Keep what messages are sent by, and bound what the router sends."""
        self._transport = transport
        self._upgraded = self._channel.upgraded
        self._upgraded.most_octets = LARGEST_MESSAGE
        self._upgraded.go_away = self._go_away

    def negotiationFinished(self) -> None:
        """Wait for the router to say who it is: what came together with the answer to the upgrade would be lost."""
        self._sockets.strangers.add(self, self._channel.site.connections.most_upgraded, has_greeted=False)

    def textMessageReceived(self, message: str) -> None:
        """Take what the router says; what cannot be read is ignored."""
        self._upgraded.message_heard()
        read = read_message(message)
        if isinstance(read, Greeting):
            self._hear_greeting(read)
        elif isinstance(read, Reply):
            self._queue.hear_reply(read.req_id, read.outcome)

    def bytesMessageReceived(self, data: bytes | bytearray) -> None:
        """Ignore what no router sends."""
        self._upgraded.message_heard()

    def pongReceived(self, payload: bytes) -> None:
        """Note that the router hears."""
        self._queue.hear_reply(_PING, Outcome.DONE)

    def connectionLost(self, reason: Failure) -> None:
        """Give up what was to be sent."""
        self.is_open = False
        self._deadline.cancel()
        self._queue.close()
        self._sockets.lost(self)

    def send(self, command: Command) -> Deferred[Outcome]:
        """Send a command once those before it have been replied to; this never fails."""
        if not self.is_open or not self._sockets.may_speak_for(self, command.gw_id):
            return succeed(Outcome.UNSENT)
        self._req_id += 1
        text = write_command(command, self._req_id, self.device_id, self._form)
        replies = expects_reply(command, self._form)
        return self._queue.ask(lambda: self._transport.sendTextMessage(text), self._req_id, expects_reply=replies)

    def distrust(self) -> None:
        """Close the connection when there are too many like it: it is not that of an adopted gateway."""
        self._sockets.strangers.add(self, self._channel.site.connections.most_upgraded, has_greeted=True)

    def replace(self) -> None:
        """Close the connection, because the router has opened another, or does not hear; it comes back if it can."""
        self.is_open = False
        self._queue.close()
        self._upgraded.close()

    def _hear_greeting(self, greeting: Greeting) -> None:
        if self.device_id not in ("", greeting.device_id):
            self.replace()
            return
        self.device_id, self._form = greeting.device_id, greeting.form
        self._deadline.cancel()
        self._deadline = self._sockets.deadlines.add(self, SILENT_AFTER)
        text, now = write_answer(greeting), self._sockets.clock.seconds()
        is_new = now - self._greeted_at >= _GREETINGS_APART
        if is_new:
            self._queue.answer(lambda: self._transport.sendTextMessage(text))
            self._greeted_at, self._greetings = now, self._greetings + 1
            if self._form is Form.OP and self._greetings % _PING_EVERY == 0:
                self._queue.ask(lambda: self._transport.ping(b""), _PING)
            self._sockets.hear(self, greeting)

    def _go_away(self) -> None:
        """Close because the server stops."""
        if self.is_open:
            self.is_open = False
            self._transport.loseConnection(_GOING_AWAY)
            self._upgraded.close()
