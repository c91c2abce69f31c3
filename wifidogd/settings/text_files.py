"""Reads text that operators hand over, in whatever encoding their editor, their shell or their old server wrote it."""

from __future__ import annotations

import codecs
import io
from typing import BinaryIO

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

WESTERN = "cp1252"
"""What text is taken for that is in no form of Unicode: Windows' superset of Latin-1."""

LONGEST_LINE = 8_192
"""Octets that are read of a line."""

CHUNK = 32_768
"""Octets that are converted at a time."""


def unicode_form(begin: bytes) -> tuple[str | None, int]:
    """
    Judge by its first octets in which form of Unicode a text is written.

    PowerShell writes UTF-16 with a byte order mark, Notepad UTF-8 with one; text in UTF-16 without a mark shows by the
    zeros of its Latin letters.

    @param begin: the first octets, at least four if there are as many.
    @return: Python's name of the encoding, None if it is not known by its beginning, and the length of its mark.
    """
    for mark, encoding in BYTE_ORDER_MARKS:
        if begin.startswith(mark):
            return encoding, len(mark)
    if len(begin) >= 4 and begin[0] and begin[2] and not begin[1] and not begin[3]:
        return "utf-16-le", 0
    if len(begin) >= 4 and begin[1] and begin[3] and not begin[0] and not begin[2]:
        return "utf-16-be", 0
    return None, 0


def decode_text(raw: bytes) -> str:
    r"""
    Return text with C{\n} at the ends of its lines, and without a byte order mark.

    @raise ValueError: if this is no text.
    """
    encoding, mark = unicode_form(raw[:4])
    try:
        text = raw[mark:].decode(encoding or "utf-8")
    except UnicodeDecodeError:
        if encoding is not None:
            raise
        text = raw.decode(WESTERN)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_line(file: BinaryIO) -> str:
    """
    Return the first line of a file, or of what is typed, without its end.

    @raise ValueError: if this is no text.
    """
    raw = file.readline(LONGEST_LINE)
    if unicode_form(raw[:4])[0] == "utf-16-le" and raw.endswith(b"\n"):
        raw += file.read(1)  # the other half of the newline
    return decode_text(raw).partition("\n")[0]


def as_utf8(file: BinaryIO) -> tuple[BinaryIO, bool]:
    """
    Return the same text without a byte order mark, and in UTF-8 if it is in another form of Unicode.

    @param file: at its beginning, in which it must be possible to seek.
    @return: what to read from, and whether it was converted.
    """
    encoding, mark = unicode_form(file.read(4))
    file.seek(mark)
    if encoding in (None, "utf-8"):
        return file, False
    return io.BufferedReader(_Converted(file, str(encoding))), True


class _Converted(io.RawIOBase):
    """Text of another encoding, as UTF-8; what cannot be decoded becomes U+FFFD."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ready = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer."""
        is_over = False
        while not self._ready and not is_over:
            chunk = self._file.read(CHUNK)
            is_over = not chunk
            self._ready = self._decoder.decode(chunk, is_over).encode()
        taken = self._ready[: len(buffer)]
        self._ready = self._ready[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
