"""Parent and workers understand each other, and what is torn or strange does no harm."""

from __future__ import annotations

import socket
from dataclasses import fields
from pathlib import Path

import pytest

from wifidogd.accounts.smtp_server import MailServer, Security
from wifidogd.settings import MailSettings, Settings, TlsFiles
from wifidogd.workers.messages import (
    LONGEST_LINE,
    LONGEST_TEXT,
    Kind,
    Lines,
    Message,
    Orders,
    read_message,
    read_orders,
    write_message,
    write_orders,
)

SERVER = MailServer("mail.example", 587, Security.STARTTLS, "me", "sécret\nword")
PLAIN = Settings(("tcp:1",), Path("/srv/x"))
FULL = Settings(
    listen=("tcp:1", "tcp6:2"),
    data_dir=Path("/srv/x"),
    database="postgresql://me:secret@db.example/wifidogd",
    path="/",
    public_url="https://wifi.example",
    mail=MailSettings(SERVER, "wifi@hotel.example"),
    workers=2,
    trust_new_gateways=True,
    health_details=True,
    tls_files=TlsFiles(Path("/etc/fullchain.pem"), Path("/etc/privkey.pem")),
)


@pytest.mark.parametrize("settings", [PLAIN, FULL], ids=["plain", "full"])
def test_orders_arrive_as_they_were_given(settings: Settings) -> None:
    """In one line, each value with the type it had."""
    given = Orders(1, 2, (int(socket.AF_INET), int(socket.AF_INET6)), settings)
    line = write_orders(given)
    assert line.count(b"\n") == 1
    assert repr(read_orders(line)) == repr(given)
    assert read_orders(line) == given


def test_every_setting_is_sent() -> None:
    """One that is added later differs from its default here too."""
    assert [each.name for each in fields(Settings) if getattr(FULL, each.name) == getattr(PLAIN, each.name)] == [
        "data_dir"
    ]


@pytest.mark.parametrize(
    "message",
    [
        Message(Kind.UP),
        Message(Kind.REFUSED, "No."),
        Message(Kind.LOG, "one\ntwo \x1b[0m ü \udcff", "critical", "wifidogd.accounting.ledger#critical"),
    ],
)
def test_words_arrive_as_they_were_said(message: Message) -> None:
    """In one line, whatever is in them."""
    line = write_message(message)
    assert line.count(b"\n") == 1
    assert read_message(line) == message


def test_a_long_word_keeps_its_beginning_and_its_end() -> None:
    """What failed is at the end of a traceback; no line is longer than the parent reads."""
    line = write_message(Message(Kind.LOG, "begin" + "\x00" * 1_000_000 + "end"))
    assert len(line) < LONGEST_LINE
    text = read_message(line).text
    assert LONGEST_TEXT < len(text) < LONGEST_TEXT + 20
    assert text.startswith("begin")
    assert text.endswith("end")


@pytest.mark.parametrize(
    "line",
    [b"Segmentation fault", b"", b"[]", b'["log","torn', b"3", b'["shout","a","b","c"]', b"\xff\xfe", b"[" * 9999],
)
def test_what_is_no_message_is_logged_as_it_stands(line: bytes) -> None:
    """Such as the half of a line, or what a library prints."""
    assert read_message(line) == Message(Kind.LOG, line.decode("utf-8", "replace"), "warn")


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
