"""What the parent and its workers send each other, a line of JSON each; pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from wifidogd.accounts.smtp_server import MailServer, Security
from wifidogd.settings import MailSettings, Settings, TlsFiles

LONGEST_TEXT = 16_000
"""Characters of the text of one message; of a longer one the beginning and the end are kept."""

ALIVE_EVERY = 5.0
"""Seconds between two messages of a worker that its reactor turns."""

LONGEST_LINE = 128 * 1024
"""Octets of one line that the parent reads; no message is as long, whatever has to be escaped."""


@dataclass(frozen=True, slots=True)
class Orders:
    """
    What a worker is to do, sent once when it starts.

    @ivar number: which of the workers it is, from 1.
    @ivar count: how many there are.
    @ivar families: address families of the listening sockets that it inherits, in the order of C{listen}.
    @ivar settings: those of the server; C{database} is always a DSN.
    """

    number: int
    count: int
    families: tuple[int, ...]
    settings: Settings


def write_orders(orders: Orders) -> bytes:
    """Return orders as a line."""
    return json.dumps(asdict(orders), default=_plain).encode() + b"\n"


def read_orders(line: bytes) -> Orders:
    """
    Return what L{write_orders} has written.

    @raise ValueError: if it is incomplete.
    """
    fields = json.loads(line)
    settings = fields["settings"]
    settings |= {"listen": tuple(settings["listen"]), "data_dir": Path(settings["data_dir"])}
    if settings["mail"] is not None:
        server, sender = settings["mail"]["server"], settings["mail"]["sender"]
        settings["mail"] = MailSettings(MailServer(**server | {"security": Security(server["security"])}), sender)
    if settings["tls_files"] is not None:
        settings["tls_files"] = TlsFiles(**{name: Path(file) for name, file in settings["tls_files"].items()})
    return Orders(**fields | {"families": tuple(fields["families"]), "settings": Settings(**settings)})


def _plain(value: object) -> str:
    """Return a text that stands for a value which JSON does not know."""
    return str(value.value if isinstance(value, Enum) else value)


class Kind(Enum):
    """What a message of a worker is about."""

    LOG = "log"
    UP = "up"
    REFUSED = "refused"
    ALIVE = "alive"


@dataclass(frozen=True, slots=True)
class Message:
    """
    What a worker sends its parent.

    @ivar text: for the log; or why it cannot start, in one sentence.
    @ivar level: of the log, by name.
    @ivar system: the part of the worker that logged it.
    """

    kind: Kind
    text: str = ""
    level: str = "info"
    system: str = "-"


def write_message(message: Message) -> bytes:
    """Return a message as a line."""
    fields = [message.kind.value, _shortened(message.text), message.level, message.system]
    return json.dumps(fields).encode() + b"\n"


def read_message(line: bytes) -> Message:
    """Return what L{write_message} has written; anything else becomes a warning for the log as it stands."""
    try:
        kind, text, level, system = json.loads(line)
        return Message(Kind(kind), str(text), str(level), str(system))
    except (ValueError, TypeError, RecursionError):
        return Message(Kind.LOG, line.decode("utf-8", "replace"), "warn")


class Lines:
    """Cuts a stream into lines of L{LONGEST_LINE} octets at most."""

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
