"""What counts as an e-mail address, and that none can carry anything else along."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifidogd.domain.addresses import LONGEST, LONGEST_STORED, mailbox_of, quoted_mail_address, read_mail_address

ADDRESSES = [
    ("zoe@example.org", "zoe@example.org"),
    (" Zoe.Smith@Example.ORG ", "zoe.smith@example.org"),
    ("zoe+wifi@mail.example.co.uk", "zoe+wifi@mail.example.co.uk"),
    ("o'hara@example.org", "o'hara@example.org"),
    ("a@b-c.example", "a@b-c.example"),
    ("zoe@bücher.example", "zoe@xn--bcher-kva.example"),
    ("zoe@例え.テスト", "zoe@xn--r8jz45g.xn--zckzah"),
    ("x" * 64 + "@example.org", "x" * 64 + "@example.org"),
    ("ｚｏｅ＠ｅｘａｍｐｌｅ．ｏｒｇ", "zoe@example.org"),
    ("Ｚoe@例え。テスト", "zoe@xn--r8jz45g.xn--zckzah"),
    ("\u3000zoe@example.org\xa0", "zoe@example.org"),
    ("a..b@docomo.ne.jp", "a..b@docomo.ne.jp"),
    (".a@docomo.ne.jp", ".a@docomo.ne.jp"),
    ("A.@docomo.ne.jp", "a.@docomo.ne.jp"),
    ("..a...b..@ezweb.ne.jp", "..a...b..@ezweb.ne.jp"),
]


@pytest.mark.parametrize(("typed", "stored"), ADDRESSES)
def test_an_address_has_one_form(typed: str, stored: str) -> None:
    """However it is typed; and that form stays as it is."""
    assert read_mail_address(typed) == stored
    assert read_mail_address(stored) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "zoe",
        "zoe@",
        "@example.org",
        "zoe@localhost",
        "zoe@example..org",
        "zoe@.example.org",
        "zoe@example.org.",
        "zoe@-a.example",
        "zoe@a-.example",
        "zoe@192.0.2.1",
        "zoe@[192.0.2.1]",
        ".zoe@example.org",
        "zoe.@example.org",
        "zo..e@example.org",
        "...@docomo.ne.jp",
        "a;b@docomo.ne.jp",
        "a;b@c.example",
        "a＠b＠example.org",
        "zoe@example.org；eve@example.org",
        "=?utf-8?q?x?=@example.org",
        "=?utf-8?q?=0d=0aBcc:x?=@example.org",
        "zo e@example.org",
        "zoe@exam ple.org",
        "zoë@example.org",
        '"zo e"@example.org',
        "zoe@example.org, eve@example.org",
        "zoe@example.org eve@example.org",
        "Zoe <zoe@example.org>",
        "<zoe@example.org>",
        "zoe@example.org\r\nBcc: eve@example.org",
        "zoe\r\nBcc: eve@example.org\r\n@example.org",
        "zoe@example.org\0",
        "zoe@example.org>\r\nRCPT TO:<eve@example.org",
        "a@b@example.org",
        "x" * 65 + "@example.org",
        "zoe@" + "x" * 64 + ".example",
        "zoe@" + "xxxxxxxxx." * 10 + "example",
        "zoe@" + "ü" * 5000 + ".example",
        "zoe@\ud800.example",
        "zoe@xn--ü.example",
    ],
)
def test_anything_else_is_none(typed: str) -> None:
    """Above all nothing that a header or an SMTP command could be ended with."""
    assert read_mail_address(typed) is None


@pytest.mark.parametrize(
    ("address", "quoted"),
    [
        ("zoe.smith@example.org", "zoe.smith@example.org"),
        ("a..b@docomo.ne.jp", '"a..b"@docomo.ne.jp'),
        (".a@docomo.ne.jp", '".a"@docomo.ne.jp'),
        ("a.@docomo.ne.jp", '"a."@docomo.ne.jp'),
    ],
)
def test_dots_that_join_nothing_are_quoted(address: str, quoted: str) -> None:
    """In headers and in SMTP commands."""
    assert quoted_mail_address(address) == quoted


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("zoe@example.org", "zoe@example.org"),
        ("zoe+1@example.org", "zoe@example.org"),
        ("zoe+a+b@example.org", "zoe@example.org"),
        ("+zoe@example.org", "+zoe@example.org"),
        ("z.o.e@example.org", "z.o.e@example.org"),
        ("z.o.e+1@gmail.com", "zoe@gmail.com"),
        ("zoe@googlemail.com", "zoe@gmail.com"),
    ],
)
def test_addresses_of_one_mailbox_have_one_form(address: str, mailbox: str) -> None:
    """Or anybody would have any number of mails sent to it."""
    assert mailbox_of(address) == mailbox


def test_an_address_from_elsewhere_may_be_longer() -> None:
    """No account is called by it."""
    address = "z" * 64 + "@" + "abcdefgh." * 20 + "example"
    assert read_mail_address(address) is None
    assert read_mail_address(address, LONGEST_STORED) == address
    assert read_mail_address("z" * 64 + "@" + "abcdefgh." * 21 + "example", LONGEST_STORED) is None


@given(st.text(max_size=40), st.text(max_size=60))
def test_no_text_breaks_out(local: str, domain: str) -> None:
    """What is accepted is short ASCII without blanks, line ends, brackets, quotes, commas, colons or semicolons."""
    address = read_mail_address(f"{local}@{domain}")
    if address is not None:
        assert address.isascii()
        assert address.isprintable()
        assert len(address) <= LONGEST
        assert not set(' <>()[]\\",;:') & set(address)
        assert address.count("@") == 1
        assert read_mail_address(address) == address
