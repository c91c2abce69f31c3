"""How long the disk makes a COMMIT wait, watched from beside."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

PAUSE = 0.05
"""Seconds between two writes."""

PAGE = b"\0" * 8192


class Disk:
    """
    Writes a page to a file and has it put on the disk, again and again until L{slowest} is asked for.

    A thread of ours does it: it waits nearly all the time.
    """

    def __init__(self, directory: Path) -> None:
        """
        @param directory: on the disk that is to be watched.
        """
        self._path = directory / "disk-watch"
        self._slowest = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def slowest(self) -> float:
        """Stop, and tell how many seconds the slowest write took."""
        self._over.set()
        self._thread.join()
        return self._slowest

    def _watch(self) -> None:
        file = os.open(self._path, os.O_CREAT | os.O_WRONLY)
        try:
            while not self._over.wait(PAUSE):
                began = time.monotonic()
                os.pwrite(file, PAGE, 0)
                os.fdatasync(file)
                self._slowest = max(self._slowest, time.monotonic() - began)
        finally:
            os.close(file)
