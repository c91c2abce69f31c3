"""Parent and workers understand each other, and what is torn or strange does no harm."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from wifidogd.accounts.smtp_server import MailServer, Security
from wifidogd.settings import Options
from wifidogd.workers.messages import (
    LONGEST_LINE,
    LONGEST_TEXT,
    Kind,
    Lines,
    Message,
    Orders,
    read_orders,
    read_word,
    write_orders,
    write_word,
)


@pytest.mark.parametrize("mail", [None, MailServer("mail.example", 587, Security.STARTTLS, "me", "sécret\nword")])
def test_orders_arrive_as_they_were_given(mail: MailServer | None) -> None:
    """In one line, with everything that the command line said."""
    options = Options()
    options.parseOptions(["--workers", "2", "--data-dir", "/srv/x", "--listen", "tcp:1", "--listen", "tcp6:2"])
    options["mail"] = mail
    line = write_orders(Orders(1, 2, (socket.AF_INET, socket.AF_INET6), options))
    assert line.count(b"\n") == 1
    orders = read_orders(line)
    assert (orders.number, orders.count, orders.families) == (1, 2, (socket.AF_INET, socket.AF_INET6))
    assert orders.options == dict(options)
    assert orders.options["data-dir"] == Path("/srv/x")


@pytest.mark.parametrize(
    "word",
    [
        Message(Kind.UP),
        Message(Kind.REFUSED, "No."),
        Message(Kind.LOG, "one\ntwo \x1b[0m ü \udcff", "critical", "wifidogd.accounting.ledger#critical"),
    ],
)
def test_words_arrive_as_they_were_said(word: Message) -> None:
    """In one line, whatever is in them."""
    line = write_word(word)
    assert line.count(b"\n") == 1
    assert read_word(line) == word


def test_a_long_word_keeps_its_beginning_and_its_end() -> None:
    """What failed is at the end of a traceback; no line is longer than the parent reads."""
    line = write_word(Message(Kind.LOG, "begin" + "\x00" * 1_000_000 + "end"))
    assert len(line) < LONGEST_LINE
    text = read_word(line).text
    assert LONGEST_TEXT < len(text) < LONGEST_TEXT + 20
    assert text.startswith("begin")
    assert text.endswith("end")


@pytest.mark.parametrize(
    "line",
    [b"Segmentation fault", b"", b"[]", b'["log","torn', b"3", b'["shout","a","b","c"]', b"\xff\xfe", b"[" * 9999],
)
def test_what_is_no_word_is_for_the_log_as_it_stands(line: bytes) -> None:
    """Such as the half of a line, or what a library prints."""
    assert read_word(line) == Message(Kind.LOG, line.decode("utf-8", "replace"), "warn")


def test_lines_are_cut_wherever_the_stream_is() -> None:
    """The last one when there will be no more."""
    lines = Lines()
    assert [lines.feed(octets) for octets in (b"o", b"ne\ntw", b"", b"o\n\n \nthree\nfo")] == [
        [],
        [b"one"],
        [],
        [b"two", b"three"],
    ]
    assert lines.end() == [b"fo"]
    assert lines.end() == []


def test_a_line_without_an_end_takes_no_more_room_than_the_longest() -> None:
    """It is passed on in pieces."""
    lines = Lines()
    pieces = [piece for _ in range(100) for piece in lines.feed(b"x" * 8192)] + lines.end()
    assert b"".join(pieces) == b"x" * 819_200
    assert max(map(len, pieces)) <= LONGEST_LINE + 8192
