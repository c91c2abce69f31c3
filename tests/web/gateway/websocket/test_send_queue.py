"""One message at a time, and none that waits for ever."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from wifidogd.gateways.router_commands import Outcome
from wifidogd.web.gateway.websocket.send_queue import AFTER_ANSWER, MOST_WAITING, NEXT_WITHIN, REPLY_WITHIN, SendQueue


class Sending:
    """A queue, what it has sent, and what became of it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sent: list[int] = []
        self.outcomes: dict[int, Outcome] = {}
        self.deaf = 0
        self.queue = SendQueue(self.note_deaf, self.clock)

    def note_deaf(self) -> None:
        self.deaf += 1

    def ask(self, req_id: int, *, expects_reply: bool = True) -> None:
        outcome = self.queue.ask(lambda: self.sent.append(req_id), req_id, expects_reply=expects_reply)
        outcome.addCallback(lambda became: self.outcomes.__setitem__(req_id, became))


@pytest.fixture
def sending() -> Sending:
    return Sending()


def test_the_next_is_sent_after_the_reply(sending: Sending) -> None:
    for req_id in (1, 2, 3):
        sending.ask(req_id)
    assert sending.sent == [1]
    sending.queue.hear_reply(1, Outcome.DONE)
    assert sending.sent == [1, 2]
    assert sending.outcomes == {1: Outcome.DONE}


def test_or_after_two_seconds(sending: Sending) -> None:
    sending.ask(1)
    sending.ask(2)
    sending.clock.advance(NEXT_WITHIN)
    assert sending.sent == [1, 2]
    sending.ask(3)
    sending.queue.hear_reply(1, Outcome.DONE)
    assert sending.sent == [1, 2], "the reply to an earlier one makes room for none"
    sending.queue.hear_reply(2, Outcome.NOT_FOUND)
    assert sending.sent == [1, 2, 3]
    assert sending.outcomes == {1: Outcome.DONE, 2: Outcome.NOT_FOUND}


def test_an_answer_goes_first_and_the_next_a_moment_later(sending: Sending) -> None:
    """The router would lose what comes in the same segment."""
    sending.ask(1)
    sending.ask(2)
    sending.queue.answer(lambda: sending.sent.append(0))
    sending.queue.hear_reply(1, Outcome.DONE)
    assert sending.sent == [1, 0]
    sending.clock.advance(AFTER_ANSWER)
    assert sending.sent == [1, 0, 2]


def test_without_a_reply_the_router_is_deaf(sending: Sending) -> None:
    sending.ask(1)
    sending.clock.advance(REPLY_WITHIN - 0.1)
    assert sending.deaf == 0
    sending.clock.advance(0.1)
    assert sending.deaf == 1
    sending.queue.close()
    assert sending.outcomes == {1: Outcome.UNANSWERED}
    assert sending.clock.getDelayedCalls() == []


def test_what_gets_no_reply_is_done_when_it_is_sent(sending: Sending) -> None:
    sending.ask(1, expects_reply=False)
    assert sending.outcomes == {1: Outcome.SENT}
    sending.clock.advance(REPLY_WITHIN)
    assert sending.deaf == 0


def test_only_so_many_wait(sending: Sending) -> None:
    for req_id in range(MOST_WAITING + 2):
        sending.ask(req_id)
    assert sending.outcomes == {MOST_WAITING + 1: Outcome.UNSENT}
    sending.queue.close()
    assert sending.outcomes[0] is Outcome.UNANSWERED
    assert sending.outcomes[1] is Outcome.UNSENT
    assert len(sending.outcomes) == MOST_WAITING + 2


def test_replies_to_nothing_are_ignored(sending: Sending) -> None:
    sending.queue.hear_reply(7, Outcome.DONE)
    sending.ask(1)
    sending.queue.hear_reply(7, Outcome.DONE)
    sending.queue.hear_reply("1", Outcome.DONE)
    assert sending.outcomes == {}
    sending.queue.hear_reply(None, Outcome.DONE)
    assert sending.outcomes == {1: Outcome.DONE}
    sending.queue.close()
