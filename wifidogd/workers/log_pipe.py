"""A worker's voice: what it logs goes up a pipe to its parent, and never makes it wait."""

from __future__ import annotations

import os
from threading import RLock

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from zope.interface import implementer

from wifidogd.workers.messages import Kind, Message, write_word

MOST_UNSENT = 256 * 1024
"""Octets kept for a parent that does not read, beyond what the pipe holds; what comes then is lost, and counted."""


@implementer(ILogObserver)
class LogPipe:
    """
    Speaks to the parent from any thread.

    A parent that is stuck, or gone, costs words, not time: what the pipe does
    not take waits for the next word.
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
        """Pass an event of the log on."""
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        level = event.get("log_level", LogLevel.info).name
        if text:
            self.say(Message(Kind.LOG, text, level, event.get("log_system") or f"{event.get('log_namespace')}#{level}"))

    def say(self, word: Message) -> None:
        """Tell the parent something."""
        line = write_word(word)
        with self._lock:
            self._send()
            if self._lost and not self._unsent:
                self._unsent += write_word(Message(Kind.LOG, f"{self._lost} lines of the log were lost", "warn"))
                self._lost = 0
            if len(self._unsent) + len(line) > MOST_UNSENT:
                self._lost += 1
            else:
                self._unsent += line
                self._send()

    def _send(self) -> None:
        if not self._unsent:
            return
        try:
            sent = os.write(self._descriptor, self._unsent)
        except BlockingIOError:
            return
        except OSError:
            sent = len(self._unsent)
        del self._unsent[:sent]
