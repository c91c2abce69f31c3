"""The pipe from a worker to its parent: log events and messages, sent without ever waiting."""

from __future__ import annotations

import os
from threading import RLock

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from zope.interface import implementer

from wifidogd.workers.messages import Kind, Message, write_message

MOST_UNSENT = 256 * 1024
"""Octets kept for a parent that does not read, beyond what the pipe holds; further messages are lost, and counted."""


@implementer(ILogObserver)
class LogPipe:
    """
    Sends messages to the parent from any thread.

    A parent that is stuck, or gone, costs messages, not time: what the pipe
    does not take waits for the next message.
    """

    def __init__(self, descriptor: int) -> None:
        """
        @param descriptor: the worker's end of the pipe.
        """
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._unsent = bytearray()
        self._lost = 0
        self._lock = RLock()

    def __call__(self, event: LogEvent) -> None:
        """Send an event of the log as text."""
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        level = event.get("log_level", LogLevel.info).name
        if text:
            system = event.get("log_system") or f"{event.get('log_namespace')}#{level}"
            self.send(Message(Kind.LOG, text, level, system))

    def send(self, message: Message) -> None:
        """Send a message, or keep it until the pipe takes it."""
        line = write_message(message)
        with self._lock:
            self._write()
            if self._lost and not self._unsent:
                self._unsent += write_message(Message(Kind.LOG, f"{self._lost} lines of the log were lost", "warn"))
                self._lost = 0
            if len(self._unsent) + len(line) > MOST_UNSENT:
                self._lost += 1
            else:
                self._unsent += line
                self._write()

    def _write(self) -> None:
        if not self._unsent:
            return
        try:
            sent = os.write(self._descriptor, self._unsent)
        except BlockingIOError:
            return
        except OSError:  # the parent is gone
            sent = len(self._unsent)
        del self._unsent[:sent]
