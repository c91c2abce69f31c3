"""The same babble through real sockets, at a server with a database in which what it names exists."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

from tests.chaos.fuzz.replies import Unfit, read_answers
from tests.chaos.fuzz.requests import TOKEN, Babble, seeds, sign
from tests.support.postgres import execute
from wifidogd.web.portal.form_state import FormState

PATIENCE = 30.0
"""Seconds in which the server must have hung up on who has closed their half."""

Converse = Callable[[Babble, Sequence[bytes]], Sequence[int]]
"""Has one conversation; returns the status of each answer."""

FURNISH = (
    "UPDATE networks SET methods = '{splash,account,voucher}', sign_up = true, remember = interval '1 day'",
    """INSERT INTO gateways (gw_id, network, address, port, adopted_at)
       VALUES ('gw1', 'default', '10.0.0.1', 2060, now())""",
    f"""INSERT INTO sessions (token_hash, gw_id, mac, ip, opened_at, activated_at, reported_at)
        VALUES (sha256('{TOKEN}'), 'gw1', '02:00:00:00:00:01', '10.0.0.5', now(), now(), now())""",
)


@dataclass(slots=True)
class Said:
    """
    What came of a number of conversations.

    @ivar statuses: how often each was answered.
    @ivar complaints: answers that no client should get, with what was said to get them.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)


def furnish(dsn: str) -> list[bytes]:
    """
    Put what babble names into a server's database.

    @return: what to begin with.
    """
    execute(dsn, *FURNISH)
    ((secret,),) = execute(dsn, "SELECT secret FROM signing_keys")
    return seeds(sign(FormState(SimpleNamespace(signing_secret=secret), lambda: datetime.now(UTC))))


def babble(port: int, begin_with: list[bytes], count: int, seed: int, at_a_time: int = 8) -> Said:
    """Run many conversations; the same ones for the same seed, in any order."""
    babblers = [Babble(begin_with, seed * 1000 + number) for number in range(at_a_time)]
    return talk(babblers, lambda _, pieces: converse(port, pieces), count)


def talk(babblers: Sequence[Babble], converse_once: Converse, count: int) -> Said:
    """Run many conversations, as many at a time as there are babblers, each of which has its share."""
    said = Said()
    with ThreadPoolExecutor(len(babblers)) as pool:
        for found in pool.map(lambda each: _converse_often(each, converse_once, count // len(babblers)), babblers):
            said.statuses += found.statuses
            said.complaints += found.complaints
    return said


def _converse_often(babbler: Babble, converse_once: Converse, count: int) -> Said:
    said = Said()
    for _ in range(count):
        pieces = babbler.conversation()
        try:
            said.statuses.update(converse_once(babbler, pieces))
        except (Unfit, TimeoutError) as problem:
            said.complaints.append(f"{problem!r} to {b''.join(pieces)[:2000]!r}")
    return said


def converse(port: int, pieces: Sequence[bytes]) -> list[int]:
    """
    Say something, close our half, and read to the end.

    @return: the status of each answer; what a reset has cut short is not complained about.
    @raise Unfit: as L{read_answers}.
    @raise TimeoutError: if the server does not hang up.
    """
    heard, was_reset = bytearray(), True
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
        with suppress(ConnectionResetError, BrokenPipeError):
            for piece in pieces:
                line.sendall(piece)
        with suppress(OSError):
            line.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while piece := line.recv(65536):
                heard += piece
            was_reset = False
    return read_answers(bytes(heard), complete=not was_reset)
