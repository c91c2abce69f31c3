"""A worker says what it has to say without ever waiting for its parent."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from twisted.logger import Logger

from wifidogd.workers.log_pipe import MOST_UNSENT, LogPipe
from wifidogd.workers.messages import Kind, Lines, Message, read_message


class ParentEnd:
    """
    The parent's end of the pipe.

    @ivar other: the worker's.
    """

    def __init__(self) -> None:
        self.descriptor, self.other = os.pipe()
        os.set_blocking(self.descriptor, False)
        self.lines = Lines()

    def close(self) -> None:
        """Be gone."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def received(self) -> list[Message]:
        """Read everything there is."""
        heard: list[bytes] = []
        while True:
            try:
                heard += self.lines.feed(os.read(self.descriptor, 65536))
            except BlockingIOError:
                return [read_message(line) for line in heard]


@pytest.fixture
def parent_end() -> Iterator[ParentEnd]:
    parent_end = ParentEnd()
    yield parent_end
    parent_end.close()
    os.close(parent_end.other)


def test_events_are_passed_on_with_their_tracebacks(parent_end: ParentEnd) -> None:
    """Who said it and how grave it is come along; what has no text is left out."""
    log = Logger(namespace="wifidogd.x", observer=LogPipe(parent_end.other))
    log.info("{n} {what}", n=3, what="{braces}")
    log.info("{text}", text="old", log_system="-")
    log.debug("")
    try:
        raise RuntimeError("no")
    except RuntimeError:
        log.failure("it failed")
    info, old, failure = parent_end.received()
    assert info == Message(Kind.LOG, "3 {braces}", "info", "wifidogd.x#info")
    assert old == Message(Kind.LOG, "old", "info", "-")
    assert (failure.level, failure.system) == ("critical", "wifidogd.x#critical")
    assert failure.text.startswith("it failed\nTraceback")
    assert failure.text.rstrip().endswith("builtins.RuntimeError: no")


def test_a_parent_that_does_not_listen_costs_words_and_is_told_how_many(parent_end: ParentEnd) -> None:
    """They are the latest, after what the pipe and some room hold; those before come whole and in order."""
    log_pipe = LogPipe(parent_end.other)
    said = [f"{number} " + "x" * 1000 for number in range(2000)]
    for text in said:
        log_pipe.send(Message(Kind.LOG, text))
    heard = parent_end.received()
    for _ in range(MOST_UNSENT // 4096):
        log_pipe.send(Message(Kind.UP))
        heard += parent_end.received()
    texts = [message.text for message in heard if message.kind is Kind.LOG]
    [lost] = [text for text in texts if "lost" in text]
    kept = [text for text in texts if "xxx" in text]
    assert kept == said[: len(kept)]
    assert len(kept) * 1000 > MOST_UNSENT
    assert lost == f"{len(said) - len(kept)} lines of the log were lost"


def test_a_parent_that_is_gone_is_no_error(parent_end: ParentEnd) -> None:
    """The worker has other means to notice."""
    log_pipe = LogPipe(parent_end.other)
    parent_end.close()
    for _ in range(3):
        log_pipe.send(Message(Kind.UP))
