"""Text is read as it was meant, whatever wrote it."""

from __future__ import annotations

import codecs
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifidogd.settings.text_files import as_utf8, decode_text, read_line

TEXT = "Grün & Café\nzwei"
WRITTEN = {
    "UTF-8": TEXT.encode(),
    "UTF-8 with a mark, as Notepad writes it": codecs.BOM_UTF8 + TEXT.encode(),
    "UTF-16 with a mark, as PowerShell writes it": codecs.BOM_UTF16_LE + TEXT.replace("\n", "\r\n").encode("utf-16-le"),
    "UTF-16 of the other kind": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "UTF-16 without a mark": TEXT.encode("utf-16-le"),
    "UTF-16 of the other kind without a mark": TEXT.encode("utf-16-be"),
    "UTF-32": codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
    "UTF-32 of the other kind": codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
    "Latin-1": TEXT.encode("latin-1"),
    "Windows' ends of lines": TEXT.replace("\n", "\r\n").encode(),
    "an old Macintosh's ends of lines": TEXT.replace("\n", "\r").encode(),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_text_is_read_in_every_common_encoding(how: str) -> None:
    """With one kind of line ends."""
    assert decode_text(WRITTEN[how]) == TEXT


@pytest.mark.parametrize("how", [how for how in WRITTEN if "Macintosh" not in how and "32" not in how])
def test_a_first_line_is_read_in_every_common_encoding(how: str) -> None:
    """And only the first: what is typed may go on."""
    assert read_line(io.BytesIO(WRITTEN[how])) == "Grün & Café"


@pytest.mark.parametrize("how", [how for how in WRITTEN if how.startswith("UTF")])
def test_a_stream_of_unicode_becomes_utf8(how: str) -> None:
    """Without its mark."""
    file, is_converted = as_utf8(io.BytesIO(WRITTEN[how]))
    assert file.read().decode().replace("\r\n", "\n") == TEXT
    assert is_converted == (not how.startswith("UTF-8"))


def test_other_octets_are_left_to_the_reader() -> None:
    """A dump names its encoding itself."""
    file, is_converted = as_utf8(io.BytesIO(WRITTEN["Latin-1"]))
    assert (file.read(), is_converted) == (WRITTEN["Latin-1"], False)


@given(st.text(max_size=100_000).filter(lambda text: text[:1] != "\0"), st.integers(1, 70_000))
def test_lines_of_a_long_stream_are_cut_nowhere_else(text: str, size: int) -> None:
    """Nor is a character that lies over the border of two chunks; a mark and a NUL would be the mark of UTF-32."""
    file, _ = as_utf8(io.BytesIO(codecs.BOM_UTF16_LE + text.encode("utf-16-le")))
    assert b"".join(iter(lambda: file.readline(size), b"")).decode() == text


@given(st.binary(max_size=200))
def test_no_octets_break_the_reading(raw: bytes) -> None:
    """They are text, or refused."""
    for read in (decode_text, lambda octets: read_line(io.BytesIO(octets))):
        try:
            assert isinstance(read(raw), str)
        except ValueError:
            pass
    as_utf8(io.BytesIO(raw))[0].read()
