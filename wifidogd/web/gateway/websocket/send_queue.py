"""One message at a time to a router, as it looks at no more than one per read (docs/protocol.md 7.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from wifidogd.gateways.router_commands import Outcome

NEXT_WITHIN = 2.0
"""Seconds after which the next message is sent although the last has not been replied to."""

AFTER_ANSWER = 0.5
"""Seconds between a message that gets no reply and the next; the router reads within 0.1 s."""

REPLY_WITHIN = 10.0
"""Seconds after which a router that has not replied is deaf."""

MOST_WAITING = 32
"""Messages that may wait for a router; the next report of a guest carries what is not sent."""


@dataclass(slots=True, eq=False)
class _Message:
    """
    A message that waits to be sent, or to be replied to.

    @ivar write: sends it.
    @ivar req_id: what the reply to it will name; None where none is expected.
    @ivar outcome: fires once; None for what nobody waits for.
    """

    write: Callable[[], None]
    req_id: int | None
    outcome: Deferred[Outcome] | None
    deadline: IDelayedCall | None = None

    def conclude(self, outcome: Outcome) -> None:
        """Tell whoever waits for it what became of it."""
        if self.deadline is not None and self.deadline.active():
            self.deadline.cancel()
        if self.outcome is not None:
            self.outcome.callback(outcome)


class SendQueue:
    """The messages that a router is to be sent, and those that it has not replied to."""

    __slots__ = ("_awaited", "_clock", "_deaf", "_pause", "_waiting")

    def __init__(self, deaf: Callable[[], None], clock: IReactorTime) -> None:
        """
        @param deaf: called when a reply does not come in time.
        """
        self._deaf = deaf
        self._clock = clock
        self._waiting: list[_Message] = []
        self._awaited: list[_Message] = []
        self._pause: IDelayedCall | None = None

    def answer(self, write: Callable[[], None]) -> None:
        """Send what gets no reply, before all that waits."""
        self._waiting.insert(0, _Message(write, None, None))
        self._send_next()

    def ask(self, write: Callable[[], None], req_id: int, *, expects_reply: bool = True) -> Deferred[Outcome]:
        """
        Send a message when those before it have been replied to.

        @return: what became of it; never fails.
        """
        outcome: Deferred[Outcome] = Deferred()
        if len(self._waiting) >= MOST_WAITING:
            outcome.callback(Outcome.UNSENT)
            return outcome
        self._waiting.append(_Message(write, req_id if expects_reply else None, outcome))
        self._send_next()
        return outcome

    def hear_reply(self, req_id: object, outcome: Outcome) -> None:
        """Take a reply; one to nothing is ignored, one that names nothing is to the oldest message."""
        for message in self._awaited:
            if req_id in (None, message.req_id):
                is_last = message is self._awaited[-1]
                self._awaited.remove(message)
                message.conclude(outcome)
                if is_last:
                    self._become_free()
                return

    def close(self) -> None:
        """Give up everything: the connection is gone."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        waiting, self._waiting = self._waiting, []
        awaited, self._awaited = self._awaited, []
        for message in awaited:
            message.conclude(Outcome.UNANSWERED)
        for message in waiting:
            message.conclude(Outcome.UNSENT)

    def _send_next(self) -> None:
        if self._pause is not None or not self._waiting:
            return
        message = self._waiting.pop(0)
        pause = AFTER_ANSWER
        if message.req_id is not None:
            pause = NEXT_WITHIN
            message.deadline = self._clock.callLater(REPLY_WITHIN, self._deaf)
            self._awaited.append(message)
        self._pause = self._clock.callLater(pause, self._end_pause)
        message.write()
        if message.req_id is None:
            message.conclude(Outcome.SENT)

    def _become_free(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._end_pause()

    def _end_pause(self) -> None:
        self._pause = None
        self._send_next()
