"""Requests for WebSockets, and frames, as no router sends them; through sockets, at a server with guests online."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from select import select

from tests.chaos.fuzz.messages import say_message
from tests.chaos.fuzz.replies import read_answers
from tests.chaos.fuzz.requests import LONG, WORDS, Babble
from tests.chaos.fuzz.sockets import FURNISH, PATIENCE, Said, talk
from tests.support.postgres import execute
from tests.support.testbed.fake_router import CLOSE, PING, PONG, TEXT, masked, upgrade_request

CONTINUATION, BINARY = 0, 2

UPGRADES = (
    upgrade_request(),
    upgrade_request(),
    upgrade_request("/ws/wifidogx/wrong"),
    upgrade_request("/ws/wifidogx?k=wrong"),
    upgrade_request("/wifidog/ping/?gw_id=gw1"),
)

CLOSE_CODES = (0, 1, 999, *range(1000, 1016), 1016, 2999, 3000, 4999, 5000, 65535)

SILENT_TOO_LONG = 15.0
"""Seconds after which a client must be gone that has not said who it is: 10, and 2 to take what it was sent."""

ANSWERED_WITHIN = 0.5
"""Seconds to wait for the answer to the upgrade; a request that is broken may have no end."""

OTHERS = (
    """INSERT INTO gateways (gw_id, network, address, port, key_hashes, adopted_at)
       VALUES ('keyed', 'default', '10.0.0.2', 2060, ARRAY[sha256('secret')], now()),
              ('elsewhere', 'default', '10.0.0.3', 2060, '{}', now())""",
    "INSERT INTO heartbeats (gw_id, seen_at, source) VALUES ('elsewhere', now(), '192.0.2.1')",
    """INSERT INTO sessions (token_hash, gw_id, mac, ip, opened_at, activated_at, reported_at, ending)
       SELECT sha256(gw_id::bytea), gw_id, '02:00:00:00:00:02', '10.0.0.6', now(), now(), now(), 'ended by the operator'
         FROM gateways
        WHERE gw_id IN ('keyed', 'elsewhere')""",
    "UPDATE sessions SET reported_at = now() + interval '1 day'",
)
"""Guests who are to be thrown off two gateways: by the router with the key, and by the one at another address."""

KEPT = (
    "SELECT token_hash, gw_id, mac, ip, incoming, outgoing, reported_at, ending FROM sessions ORDER BY token_hash",
    "SELECT count(*) FROM past_sessions",
    "SELECT gw_id, source FROM heartbeats WHERE gw_id <> 'gw1' ORDER BY gw_id",
    "SELECT gw_id FROM router_connections WHERE gw_id <> 'gw1'",
)


class FrameBabble(Babble):
    """Writes a request for a WebSocket, and frames that no router sends; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(list(UPGRADES), seed)

    def conversation(self) -> list[bytes]:
        """Return a request, and what comes after its answer, in the pieces in which it arrives."""
        chance = self.chance
        request = UPGRADES[0] if chance.random() < 0.8 else self.request()
        frames = bytearray().join(self._frames() for _ in range(chance.choice((1, 1, 2, 3, 8))))
        if chance.random() < 0.2:
            begin = chance.randrange(len(frames) + 1)
            frames[begin : begin + chance.choice((0, 1, 4))] = chance.choice(WORDS)
        if chance.random() < 0.1:
            del frames[chance.randrange(len(frames) + 1) :]
        return [request, *self._torn(bytes(frames))]

    def _frames(self) -> bytes:
        """Return a frame, or some that belong together."""
        chance = self.chance
        return chance.choice(KINDS)(chance)


def _message(chance: Random) -> bytes:
    return masked(say_message(chance).encode("utf-8", "replace"))


def _broken_text(chance: Random) -> bytes:
    return masked(say_message(chance).encode("utf-8", "replace") + chance.choice(WORDS))


def _fragments(chance: Random) -> bytes:
    """Return a message in fragments, which may have no end, no beginning, or others in between."""
    text, count = say_message(chance).encode("utf-8", "replace"), chance.choice((2, 3, 50, 400))
    size = max(1, len(text) // count)
    parts = [masked(text[at : at + size], CONTINUATION, is_last=False) for at in range(0, len(text), size)][:400]
    parts[0] = masked(text[:size], chance.choice((TEXT, TEXT, BINARY, CONTINUATION)), is_last=False)
    if chance.random() < 0.3:
        parts.insert(chance.randrange(len(parts)), chance.choice((masked(b"x", PING), masked(b"{}"))))
    return b"".join([*parts, masked(b"", CONTINUATION)] if chance.random() < 0.6 else parts)


def _control(chance: Random) -> bytes:
    payload = chance.choice((b"", b"x", b"x" * 125, b"x" * 126, chance.choice(WORDS)))
    frame = masked(payload, chance.choice((PING, PONG, CLOSE)), is_last=chance.random() < 0.9)
    return frame * chance.choice((1, 1, 2, 20, 500))


def _close(chance: Random) -> bytes:
    code = chance.choice(CLOSE_CODES).to_bytes(2, "big")
    return masked(chance.choice((code, code + chance.choice(WORDS)[:100], code[:1], code + b"x" * 123)), CLOSE)


def _odd(chance: Random) -> bytes:
    """Return a frame with an opcode or bits that mean nothing, or without its mask."""
    frame = bytearray(masked(say_message(chance).encode("utf-8", "replace")[:100]))
    frame[0] ^= chance.randrange(256)
    frame[1] ^= chance.choice((0, 0x80))
    return bytes(frame)


def _lying(chance: Random) -> bytes:
    """Return a frame that is said to be longer or shorter than it is, or whose length is written in a longer way."""
    size = chance.choice((0, 1, 125, 126, 65535, 65536, 65537, 2**31, 2**40, 2**63 - 1, 2**63, 2**64 - 1))
    head = bytes([0x80 | chance.choice((TEXT, BINARY, PING, CONTINUATION))])
    head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    if chance.random() < 0.3:
        head = head[:1] + bytes([0x80 | 126]) + (size % 65536).to_bytes(2, "big")
    return head + chance.randbytes(chance.choice((0, 3, 4, 100, 70_000)))


def _large(chance: Random) -> bytes:
    return masked(b" " * chance.choice((65_000, 65_535, 65_536, 70_000, 200_000)), chance.choice((TEXT, BINARY)))


def _noise(chance: Random) -> bytes:
    return chance.choice((chance.choice(LONG), chance.randbytes(chance.randrange(300)), b"GET / HTTP/1.1\r\n\r\n"))


KINDS: Sequence[Callable[[Random], bytes]] = (
    *(_message, _message, _message, _broken_text, _fragments, _control, _close, _odd, _lying, _large, _noise),
)


def furnish_routers(dsn: str) -> None:
    """Put into a server's database what frames name, and guests who must stay."""
    execute(dsn, *FURNISH, *OTHERS)


def kept(dsn: str) -> list[list[tuple]]:
    """Return what no frame may change."""
    return [execute(dsn, statement) for statement in KEPT]


def babble_frames(port: int, count: int, seed: int, at_a_time: int = 8, lingering: float = 0.003) -> Said:
    """
    Run many conversations over WebSockets; the same ones for the same seed, in any order.

    @param lingering: the share of clients that do not leave by themselves.
    """
    babblers = [FrameBabble(seed * 1000 + number) for number in range(at_a_time)]
    return talk(babblers, lambda babbler, pieces: _converse(port, pieces, babbler.chance.random() < lingering), count)


def _converse(port: int, pieces: Sequence[bytes], lingers: bool) -> list[int]:
    """
    Ask for a WebSocket, send frames, close our half, and read to the end.

    @param lingers: whether to wait for the server to close instead.
    @return: the status of each answer, and the code of the server's close frame.
    @raise Unfit: as L{read_answers}.
    @raise TimeoutError: if the server does not hang up.
    """
    heard, was_reset = bytearray(), True
    with socket.create_connection(("127.0.0.1", port), SILENT_TOO_LONG if lingers else PATIENCE) as line:
        with suppress(ConnectionResetError, BrokenPipeError):
            line.sendall(pieces[0])
            if select([line], [], [], ANSWERED_WITHIN)[0]:
                heard += line.recv(65536)
            for piece in pieces[1:]:
                line.sendall(piece)
        with suppress(OSError):
            if not lingers:
                line.shutdown(socket.SHUT_WR)
        try:
            while piece := line.recv(65536):
                heard += piece
            was_reset = False
        except ConnectionResetError:
            pass
        except TimeoutError:
            if not lingers or b'"data":{"type":' not in heard:
                raise
    return read_answers(bytes(heard), complete=not was_reset and not lingers)
