"""What a client that sends anything may be answered, and what never."""

from __future__ import annotations

import json
import re
import zlib

from wifidogd.web.gateway.websocket.router_messages import LARGEST_SENT

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9]) [ -~]*")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([ -~]*)")
_FOR_MACHINES = re.compile(
    rb"Pong|Auth: (0|1|5|6|254|-1)\n|The key of this gateway is missing or wrong\.\n"
    rb'|\{"(result|resp)":\[.*\]\}|\{"gw_id":.*\}'
)
_FOR_ANYBODY = re.compile(
    rb"A request names the host that it is for, once\.\n|(This form|This address|Your browser) [a-z ]+ server takes\.\n"
)
"""What is said of a request that was not even looked at."""

_FOR_ROUTERS = re.compile(
    rb"(There is no WebSocket here: WSServerPath is /ws/wifidogx\.|A WebSocket is opened by GET\.|"
    rb"This is not how a WebSocket is opened \(RFC 6455 4\.1\)\.|Too many routers are connected to this server\.)"
    rb" {1900,}\n"
)
"""What is said of an upgrade that is refused, longer than a router reads."""

_BARE = b"HTTP/1.1 400 Bad Request\r\n\r\n"
_WITHOUT_BODY = (100, 204, 304)
_UPGRADED = 101
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class Unfit(AssertionError):
    """An answer that no client should get."""


def read_answers(heard: bytes, *, complete: bool = True) -> list[int]:
    """
    Judge all that a server has sent on one connection.

    An answer to HEAD is one without a body, and looks like one that was cut
    short; it is taken for what it is if another answer, or the end, follows.

    @param complete: whether the last answer must be whole.
    @return: the status of each.
    @raise Unfit: for anything but answers that are well-formed, fit for gateways, and not our fault.
    """
    codes = []
    while heard:
        if heard == _BARE:
            return [*codes, 400]
        head, found, rest = heard.partition(b"\r\n\r\n")
        if not found:
            _claim(not complete, "cut short", heard)
            break
        code, fields = read_head(head)
        codes.append(code)
        if code == _UPGRADED:
            return codes + read_frames(rest, complete)
        heard = rest if code in _WITHOUT_BODY else _after_body(code, fields, rest, complete)
    return codes


def read_frames(heard: bytes, complete: bool) -> list[int]:
    """
    Judge all frames that a server has sent over a WebSocket.

    @param complete: whether the last must be whole.
    @return: the code of the close frame, if there is one with a code.
    @raise Unfit: for anything but whole, unmasked messages that a router reads, and nothing after a close frame.
    """
    codes: list[int] = []
    is_closed = False
    while heard:
        _claim(not is_closed, "something after a close frame", heard)
        opcode, size, start = heard[0] & 15, (*heard, 0)[1], 2
        if size == 126:
            size, start = int.from_bytes(heard[2:4], "big"), 4
        if len(heard) < start + size:
            _claim(not complete, "a frame cut short", heard)
            break
        payload, rest = heard[start : start + size], heard[start + size :]
        _claim(heard[0] >> 4 == 8 and size <= LARGEST_SENT, "no frame for a router", heard)
        _claim(opcode in (_TEXT, _CLOSE, _PING, _PONG), "an opcode that no router knows", heard)
        if opcode == _TEXT:
            message = json.loads(payload)
            _claim(isinstance(message, dict), "no message for a router", heard)
            _claim("kickoff" not in (message.get("op"), message.get("type")), "a command that nobody asked for", heard)
        elif opcode == _CLOSE:
            is_closed, codes = True, [int.from_bytes(payload[:2], "big")] if payload else []
        heard = rest
    return codes


def read_head(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    """
    Take apart the head of an answer.

    Only browsers follow a location, and it may repeat what they have asked for.

    @raise Unfit: if a gateway would find there what it looks for, or nobody could read it.
    """
    first, *lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    matches = [_FIELD.fullmatch(line) for line in lines]
    if status is None or not all(matches):
        raise Unfit(f"not the head of an answer: {head[:500]!r}")
    fields = {match[1].lower(): match[2] for match in matches if match}
    _claim(int(status[1]) != 500, "our fault", head)
    _claim(not any(name.endswith(b"auth") for name in fields), "a field that looks like a verdict", head)
    ours = b"\n".join(value for name, value in fields.items() if name != b"location")
    _claim(b"Pong" not in ours and b"Auth: " not in ours, "a word that gateways look for", head)
    return int(status[1]), fields


def _after_body(code: int, fields: dict[bytes, bytes], rest: bytes, complete: bool) -> bytes:
    """Judge a body and return what follows."""
    _claim(b"content-length" in fields and b"transfer-encoding" not in fields, "of no known length", rest)
    length = int(fields[b"content-length"])
    if rest.startswith(b"HTTP/1.") or not rest:
        return rest
    _claim(len(rest) >= length or not complete, "a body cut short", rest)
    if len(rest) >= length:
        _judge_body(fields, rest[:length])
    return rest[length:]


def _judge_body(fields: dict[bytes, bytes], body: bytes) -> None:
    """Hold a body to what its head says of it."""
    if fields.get(b"content-encoding") == b"gzip":
        body = zlib.decompress(body, 31)
    kind = fields.get(b"content-type", b"")
    if kind.startswith(b"text/plain"):
        known = _FOR_MACHINES.fullmatch(body) or _FOR_ANYBODY.fullmatch(body) or _FOR_ROUTERS.fullmatch(body)
        _claim(known is not None, "no answer for a gateway", body)
    if kind.startswith(b"text/html"):
        body.decode()
        _claim(b"<zzz" not in body, "a page with what a stranger wrote", body)


def _claim(holds: bool, what: str, heard: bytes) -> None:
    if not holds:
        raise Unfit(f"{what}: {heard[:500]!r}")
