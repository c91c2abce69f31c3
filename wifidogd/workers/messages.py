"""What the parent and a worker say to each other: pure text, a line of JSON each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from wifidogd.accounts.smtp_server import MailServer, Security

LONGEST_TEXT = 16_000
"""Characters of one message; of a longer one the beginning and the end are kept."""

ALIVE_EVERY = 5.0
"""Seconds between two words of a worker that its reactor turns."""

LONGEST_LINE = 128 * 1024
"""Octets that the parent reads of one line; none of a worker's is as long, whatever has to be escaped."""


@dataclass(frozen=True, slots=True)
class Orders:
    """
    What a worker is to do, sent once when it begins.

    @ivar number: which of the workers it is, from 1.
    @ivar count: how many there are.
    @ivar families: address families of the listening sockets that it inherits, in the order of C{listen}.
    @ivar options: those of the server; C{database} is always a DSN.
    """

    number: int
    count: int
    families: tuple[int, ...]
    options: Mapping[str, Any]


def write_orders(orders: Orders) -> bytes:
    """Write orders as a line."""
    options = dict(orders.options) | {"data-dir": str(orders.options["data-dir"])}
    mail: MailServer | None = options["mail"]
    if mail is not None:
        options["mail"] = asdict(mail) | {"security": mail.security.value}
    return json.dumps([orders.number, orders.count, orders.families, options]).encode() + b"\n"


def read_orders(line: bytes) -> Orders:
    """
    Read what L{write_orders} has written.

    @raise ValueError: if it is incomplete.
    """
    number, count, families, options = json.loads(line)
    options["data-dir"] = Path(options["data-dir"])
    if options["mail"] is not None:
        options["mail"] = MailServer(**options["mail"] | {"security": Security(options["mail"]["security"])})
    return Orders(number, count, tuple(families), options)


class Kind(Enum):
    """What a worker's word is about."""

    LOG = "log"
    UP = "up"
    REFUSED = "refused"
    ALIVE = "alive"


@dataclass(frozen=True, slots=True)
class Message:
    """
    What a worker tells its parent.

    @ivar text: for the log; or why it cannot start, in one sentence.
    @ivar level: of the log, by name.
    @ivar system: who in the worker says so.
    """

    kind: Kind
    text: str = ""
    level: str = "info"
    system: str = "-"


def write_word(word: Message) -> bytes:
    """Write a word as a line."""
    return json.dumps([word.kind.value, _shortened(word.text), word.level, word.system]).encode() + b"\n"


def read_word(line: bytes) -> Message:
    """Read what L{write_word} has written; anything else is a warning for the log as it stands."""
    try:
        kind, text, level, system = json.loads(line)
        return Message(Kind(kind), str(text), str(level), str(system))
    except (ValueError, TypeError, RecursionError):
        return Message(Kind.LOG, line.decode("utf-8", "replace"), "warn")


class Lines:
    """Cuts a stream into lines; one without end is cut too."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, octets: bytes) -> list[bytes]:
        """Return the lines that are complete, without their ends; empty ones are left out."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        return [line for line in lines if line.strip()]

    def end(self) -> list[bytes]:
        """Return what came after the last line."""
        return self.feed(b"\n")


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[: LONGEST_TEXT // 4]}\n[...]\n{text[-LONGEST_TEXT * 3 // 4 :]}"
