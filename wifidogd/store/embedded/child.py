"""A program that runs on wifidogd's behalf: what it says, when it is ready, how it ends."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from wifidogd.runtime.one_shot import OneShot
from wifidogd.store.embedded import launch
from wifidogd.store.embedded.ownership import Owner
from wifidogd.store.embedded.threads import Reactor

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""The whole environment of children; LC_ALL also fixes the language of their messages."""

READY = "database system is ready to accept connections"
"""PostgreSQL's own words (C{src/backend/postmaster/postmaster.c}), once it listens and has recovered."""

LAST_LINES = 10
LINE_LIMIT = 500
"""Characters kept of one line."""

ESCALATION = ((0.0, signal.SIGINT), (5.0, signal.SIGQUIT), (6.5, signal.SIGKILL))
"""Seconds after which each signal is tried: fast shutdown, immediate shutdown, none of its choice."""

LAST_WORDS = 0.5
"""Seconds to wait for the rest of its output after its end; a process that inherited the pipe may hold it open."""


class Child(ProcessProtocol):
    """
    One run of one program.

    @ivar ready: when it has said L{READY}, or has ended.
    @ivar ended: when it is gone and has said its last.
    @ivar is_ready: whether it has said L{READY}.
    @ivar has_failed: whether it has ended, and not with success.
    @ivar ending: how it ended, for people; empty while it runs.
    """

    def __init__(self, clock: IReactorTime, hear: Callable[[str], None] | None = None) -> None:
        """
        @param hear: called with each line it says.
        """
        self._clock = clock
        self._hear = hear
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._rest = b""
        self._escalation: list[IDelayedCall] = []
        self._is_gone = False
        self.ready = OneShot()
        self.ended = OneShot()
        self.is_ready = False
        self.has_failed = False
        self.ending = ""

    def outReceived(self, data: bytes) -> None:
        """Cut output into lines; a line without end is cut too."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_LIMIT:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._take(line)

    errReceived = outReceived

    def _take(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()[:LINE_LIMIT]
        if not text:
            return
        self._last.append(text)
        if self._hear is not None:
            self._hear(text)
        if not self.is_ready and READY in text:
            self.is_ready = True
            self.ready.come()

    def processExited(self, reason: Failure) -> None:
        """Record how it ended; its children may still hold its pipes."""
        self._is_gone = True
        for call in self._escalation:
            if call.active():
                call.cancel()
        self.ending = "ended"
        if isinstance(reason.value, ProcessTerminated):
            self.has_failed = True
            cause = f"signal {reason.value.signal}" if reason.value.signal else f"exit status {reason.value.exitCode}"
            self.ending = f"ended with {cause}"
        self._escalation = [self._clock.callLater(LAST_WORDS, self._close)]

    def _close(self) -> None:
        transport = self.transport
        assert IProcessTransport.providedBy(transport)
        transport.loseConnection()

    def processEnded(self, reason: Failure) -> None:
        """Everything it said has been read."""
        for call in self._escalation:
            if call.active():
                call.cancel()
        self._take(self._rest)
        self.ready.come()
        self.ended.come()

    @property
    def last_words(self) -> str:
        """The last lines it said, for an error message; empty if it said nothing."""
        return "\n".join(self._last)

    def end(self) -> None:
        """Stop it, with stronger and stronger signals (L{ESCALATION}); L{ended} fires when it has ended."""
        if not self._escalation and not self._is_gone:
            self._escalation = [self._clock.callLater(delay, self._signal, number) for delay, number in ESCALATION]

    def _signal(self, number: signal.Signals) -> None:
        transport = self.transport
        assert IProcessTransport.providedBy(transport)
        try:
            transport.signalProcess(number)
        except ProcessExitedAlready:
            pass


def spawn(child: Child, command: list[str], *, directory: Path, owner: Owner, guarded: bool, reactor: Reactor) -> None:
    """
    Start C{command} through L{launch}: unprivileged, in C{directory}, and not outliving us.

    @param guarded: by a process in between, instead of the kernel.
    """
    arguments = [str(os.getpid()), str(owner.uid), str(owner.gid), str(directory), *command]
    if guarded:
        arguments.insert(0, "--guard")
    argv = [sys.executable, "-I", "-S", launch.__file__, *arguments]
    reactor.spawnProcess(child, sys.executable, argv, env=ENVIRONMENT)
