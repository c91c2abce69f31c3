"""How PostgreSQL writes values as text: fields of COPY, and literals of INSERT."""

from __future__ import annotations

import re
from collections.abc import Iterator

COPY_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)", re.DOTALL)

STRING_ESCAPE = re.compile(COPY_ESCAPE.pattern + rb"|''", re.DOTALL)

LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}

TOKEN = {
    conforming: re.compile(
        rb"(?P<punctuation>[(),;])"
        rb"|[Ee]'(?P<escaped>(?:[^'\\]|''|\\.)*)'"
        rb"|'(?P<plain>" + (rb"(?:[^']|'')*" if conforming else rb"(?:[^'\\]|''|\\.)*") + rb")'"
        rb"|(?P<word>[^\s(),;']+)"
        rb"|\s+",
        re.DOTALL,
    )
    for conforming in (True, False)
}
"""Pieces of a VALUES list; what a backslash means in a plain string depends on standard_conforming_strings."""


def read_field(field: bytes) -> bytes | None:
    """Read a field of COPY; None for NULL."""
    return None if field == b"\\N" else COPY_ESCAPE.sub(_meant, field)


def read_lists(statement: bytes, at: int, *, conforming: bool) -> Iterator[tuple[int, list[bytes | None]]]:
    """
    Read the lists after VALUES.

    @param at: where to begin.
    @param conforming: whether a backslash is nothing special in a plain string.
    @return: where each begins, and its values; None for NULL.
    """
    begins = at
    values: list[bytes | None] = []
    for token in TOKEN[conforming].finditer(statement, at):
        if token["punctuation"] == b"(":
            begins, values = token.start(), []
        elif token["punctuation"] == b")":
            yield begins, values
        elif token["escaped"] is not None:
            values.append(STRING_ESCAPE.sub(_meant, token["escaped"]))
        elif token["plain"] is not None:
            plain = token["plain"]
            values.append(plain.replace(b"''", b"'") if conforming else STRING_ESCAPE.sub(_meant, plain))
        elif token["word"] is not None and not token["word"].startswith(b"::"):
            values.append(None if token["word"] == b"NULL" else token["word"])


class Quotes:
    """Tells where a statement ends: at a semicolon that is in no string."""

    OUTSIDE = re.compile(rb"(?P<escape>[Ee])?'|;")

    INSIDE = {
        True: re.compile(rb"(?:[^'\\]|\\.)*+(?P<end>')?", re.DOTALL),
        False: re.compile(rb"[^']*+(?P<end>')?"),
    }
    """By whether a backslash escapes what follows it; a doubled quote ends one string and begins the next."""

    def __init__(self, conforming: bool) -> None:
        self._plain = self.INSIDE[not conforming]
        self._string: re.Pattern[bytes] | None = None

    def end_in(self, text: bytes) -> bool:
        """Read the next octets, and return whether the statement ends in them."""
        at = 0
        while at < len(text):
            if self._string is not None:
                inside = self._string.match(text, at)
                assert inside is not None, "the pattern matches anything"
                if inside["end"] is None:
                    return False
                at, previous, self._string = inside.end(), self._string, None
                if text[at : at + 1] == b"'":
                    at, self._string = at + 1, previous
                continue
            found = self.OUTSIDE.search(text, at)
            if found is None:
                return False
            if found[0] == b";":
                return True
            self._string = self.INSIDE[True] if found["escape"] else self._plain
            at = found.end()
        return False


def _meant(match: re.Match[bytes]) -> bytes:
    """Return what a backslash and the next characters mean (most mean themselves), or a doubled quote."""
    what = match[1]
    if what is None:
        return b"'"
    if what[:1] == b"x" and len(what) > 1:
        return bytes([int(what[1:], 16)])
    if what[0] in b"01234567":
        return bytes([int(what, 8) & 0xFF])
    return LETTERS.get(what, what)
