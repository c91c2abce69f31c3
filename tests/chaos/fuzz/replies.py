"""What a client that sends anything may be answered, and what never."""

from __future__ import annotations

import re
import zlib

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

_BARE = b"HTTP/1.1 400 Bad Request\r\n\r\n"
_WITHOUT_BODY = (100, 204, 304)


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
        heard = rest if code in _WITHOUT_BODY else _after_body(code, fields, rest, complete)
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
        known = _FOR_MACHINES.fullmatch(body) or _FOR_ANYBODY.fullmatch(body)
        _claim(known is not None, "no answer for a gateway", body)
    if kind.startswith(b"text/html"):
        body.decode()
        _claim(b"<zzz" not in body, "a page with what a stranger wrote", body)


def _claim(holds: bool, what: str, heard: bytes) -> None:
    if not holds:
        raise Unfit(f"{what}: {heard[:500]!r}")
