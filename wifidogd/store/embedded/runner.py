"""Runs PostgreSQL's programs one after the other, and can be interrupted between and during them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.store.embedded.child import Child, spawn
from wifidogd.store.embedded.ownership import Owner
from wifidogd.store.embedded.threads import Reactor

log = Logger()

NOTEWORTHY = ("WARNING:", "ERROR:", "FATAL:", "PANIC:")
"""Beginnings of the lines of PostgreSQL's log that an operator should see."""


class Runner:
    """
    At most one program at a time.

    @ivar is_interrupted: whether it is to come to an end; nothing more can be spawned then.
    """

    def __init__(self, reactor: Reactor, *, guarded: bool, remark: Callable[[str], str] = lambda line: "") -> None:
        """
        @param guarded: whether a process in between ends each program after our death, where the kernel does not.
        @param remark: what is to be said after a line that an operator should see.
        """
        self._remark = remark
        self._reactor = reactor
        self._guarded = guarded
        self._sparing = RateLimitedLog(log, reactor)
        self._child: Child | None = None
        self._pause: Deferred[None] | None = None
        self._interruption: type[Exception] | None = None

    @property
    def is_interrupted(self) -> bool:
        return self._interruption is not None

    @property
    def last_words(self) -> str:
        """What the latest program said last; empty if nothing."""
        return "" if self._child is None else self._child.last_words

    def reset(self) -> None:
        """Forget an interruption."""
        self._interruption = None

    def interrupt(self, why: type[Exception]) -> None:
        """Stop whatever runs; the first reason counts."""
        self._interruption = self._interruption or why
        if self._pause is not None:
            self._pause.cancel()
        if self._child is not None:
            self._child.end()

    def check(self) -> None:
        """
        Raise the reason of an interruption.

        @raise Exception: the reason.
        """
        if self._interruption is not None:
            raise self._interruption

    def spawn(self, command: list[str], directory: Path, owner: Owner) -> Child:
        """
        Start a program, unprivileged and in C{directory}.

        @raise Exception: as L{check}.
        """
        self.check()
        child = Child(self._reactor, self._hear)
        spawn(child, command, directory=directory, owner=owner, guarded=self._guarded, reactor=self._reactor)
        self._child = child
        return child

    async def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until interrupted."""
        self._pause = deferLater(self._reactor, seconds)
        try:
            await self._pause
        except CancelledError:
            self.check()
            raise

    async def wait(self) -> None:
        """Return when nothing runs any more."""
        if self._child is not None:
            await self._child.ended.wait()

    def _hear(self, line: str) -> None:
        if line.startswith(NOTEWORTHY):
            self._sparing.warn("PostgreSQL says: {line}{remark}", line=line, remark=self._remark(line))
