"""A worker as its parent sees it: a process that logs, reports when it is up, and ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from wifidogd.runtime.one_shot import OneShot
from wifidogd.workers.inherited_sockets import FIRST_SOCKET, MESSAGES, ORDERS
from wifidogd.workers.messages import ALIVE_EVERY, Kind, Lines, Message, Orders, read_message, write_orders

log = Logger()

PATIENCE = 20.0
"""Seconds in which a worker may finish what it has accepted; only a stuck one needs more (L{AuthServer.end})."""

FROZEN_AFTER = 75.0
"""Seconds without a sign of life; the worker's own watchdog, which can name the culprit, ends it before."""

ERRORS = 2
"""Descriptor of the interpreter's own error messages."""


class Worker(ProcessProtocol):
    """
    One run of one worker.

    @ivar pid: its process, also after its end; None before it has begun.
    @ivar up: comes when guests can be served, or the worker has ended.
    @ivar is_up: whether guests could be served.
    @ivar refusal: why it could not start; None if it could, or gave no reason.
    @ivar ended: comes when the process is gone and everything it sent has been read.
    @ivar ending: how it ended, for people; empty while it runs.
    """

    def __init__(self, orders: Orders, clock: IReactorTime) -> None:
        self._orders = orders
        self._clock = clock
        self._lines = {MESSAGES: Lines(), ERRORS: Lines()}
        self._kill: IDelayedCall | None = None
        self._look: IDelayedCall | None = None
        self._silent_looks = 0
        self.pid: int | None = None
        self.up = OneShot()
        self.is_up = False
        self.refusal: str | None = None
        self.ended = OneShot()
        self.ending = ""

    def connectionMade(self) -> None:
        """Send the orders."""
        self.pid = self._process.pid
        self._process.writeToChild(ORDERS, write_orders(self._orders))

    def childDataReceived(self, descriptor: int, octets: bytes) -> None:
        """Handle the messages that are complete."""
        for line in self._lines[descriptor].feed(octets):
            self._handle(descriptor, line)

    def processEnded(self, reason: Failure) -> None:
        """Handle the rest of its messages, and note how it ended."""
        for descriptor, lines in self._lines.items():
            for line in lines.end():
                self._handle(descriptor, line)
        for call in (self._kill, self._look):
            if call is not None and call.active():
                call.cancel()
        self.ending = "ended"
        if isinstance(reason.value, ProcessTerminated):
            status, number = reason.value.exitCode, reason.value.signal
            self.ending = f"ended with signal {number}" if number else f"ended with exit status {status}"
            if not number and not self.is_up and self.refusal is None:
                self.refusal = f"worker {self._orders.number} {self.ending}, and said why above"
        self.up.come()
        self.ended.come()

    def end(self) -> None:
        """Have it finish and end; it is killed if that takes longer than L{PATIENCE}."""
        if self._kill is None and not self.ended.has_come:
            self._process.closeChildFD(ORDERS)
            self._kill = self._clock.callLater(PATIENCE, self._end_now)

    @property
    def _process(self) -> IProcessTransport:
        process = self.transport
        assert IProcessTransport.providedBy(process)
        return process

    def _end_now(self) -> None:
        log.warn("worker {number} has not ended in time; killing it", number=self._orders.number)
        self._kill_now()

    def _look_after(self) -> None:
        """
        Kill a worker that has shown no life for too long.

        Looks are counted, not seconds: when this process was suspended itself,
        there is time to read what the worker has sent meanwhile.
        """
        self._silent_looks += 1
        if self._silent_looks * ALIVE_EVERY > FROZEN_AFTER:
            log.error("worker {number} is frozen; killing it", number=self._orders.number)
            self._kill_now()
        else:
            self._look = self._clock.callLater(ALIVE_EVERY, self._look_after)

    def _kill_now(self) -> None:
        try:
            self._process.signalProcess("KILL")
        except ProcessExitedAlready:
            pass

    def _handle(self, descriptor: int, line: bytes) -> None:
        if descriptor == MESSAGES:
            message = read_message(line)
        else:
            message = Message(Kind.LOG, line.decode("utf-8", "replace"), "warn")
        if message.kind is Kind.UP:
            self.is_up = True
            self.up.come()
        elif message.kind is Kind.ALIVE:
            self._silent_looks = 0
            if self._look is None:
                self._look = self._clock.callLater(ALIVE_EVERY, self._look_after)
        elif message.kind is Kind.REFUSED:
            self.refusal = message.text
        else:
            self._pass_on(message)

    def _pass_on(self, message: Message) -> None:
        """Log what the worker has logged, under its number."""
        try:
            level = LogLevel.lookupByName(message.level)
        except ValueError:
            level = LogLevel.warn
        log.emit(level, "{text}", text=message.text, log_system=f"worker {self._orders.number} {message.system}")


def spawn(worker: Worker, sockets: Sequence[int], reactor: IReactorProcess) -> None:
    """
    Start a worker that has inherited our listening sockets.

    It finds the same code as this process, whatever the current directory is.
    """
    command = [sys.executable, "-P", "-m", "wifidogd.worker"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    descriptors: dict[int, int | str] = {ORDERS: "w", MESSAGES: "r", ERRORS: "r"}
    descriptors |= dict(enumerate(sockets, FIRST_SOCKET))
    reactor.spawnProcess(worker, sys.executable, command, env=environment, childFDs=descriptors)
