"""Single values out of careless queries."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifidogd.domain.errors import MisnamedGateway
from wifidogd.domain.gateways import GATEWAY_ID, is_absent
from wifidogd.web.server.query import find_gw_id, read_address, read_guest_ip, read_gw_id, read_query


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"token=one&token=two", {"token": "one"}),
        (b"token=&token=two", {"token": ""}),
        (b"token", {"token": ""}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=%3D%26%2B", {"a": "=&+"}),
        (b"%67w_id=x", {"gw_id": "x"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
        (b"a=1?b=2", {"a": "1?b=2"}),
    ],
)
def test_a_query_is_names_and_values(query: bytes, fields: dict[str, str]) -> None:
    """The first of a name wins, be it empty; only & parts pairs and only the first = parts name and value."""
    assert read_query(query) == fields


@pytest.mark.parametrize("first", [b"a=1", b"a=%31"])
def test_only_so_many_fields_are_read(first: bytes) -> None:
    """A query of thousands would take as long as dozens of requests."""
    fields = read_query(b"&".join([first, *(b"p%d=%d" % (number, number) for number in range(5000))]))
    assert fields["a"] == "1"
    assert 50 <= len(fields) <= 100


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a+b", "a+b"),
        (b"a%20b", "a b"),
        (b"a b", "a b"),
        (b"100%", "100"),
        (b"100%4", "100"),
        (b"100%zz", "100%zz"),
        (b"%2%41", "%2A"),
        (b"caf%C3%A9", "café"),
        (b"caf\xc3\xa9", "café"),
        (b"caf%C3", "caf"),
        (b"caf%E9s", "cafs"),
        (b"caf%ED%A0%80s", "cafs"),
        (b"a%00b", "a\0b"),
        (b'a"<>', 'a"<>'),
    ],
)
def test_values_are_decoded_as_gateways_encode_them(raw: bytes, text: str) -> None:
    """A plus is a plus, an escape cut at the end is dropped, one that is none stays, and so does everything raw."""
    assert read_query(b"value=" + raw) == {"value": text}


@given(st.binary())
def test_every_query_can_be_read(query: bytes) -> None:
    """And every text in it can be encoded again: no lone surrogates."""
    for name, value in read_query(query).items():
        (name + value).encode()


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_what_is_escaped_comes_back(fields: dict[str, str]) -> None:
    """Byte by byte, whatever it is."""
    escaped = {_escaped(name): _escaped(value) for name, value in fields.items()}
    assert read_query("&".join(f"{name}={value}" for name, value in escaped.items()).encode()) == (fields or {"": ""})


@pytest.mark.parametrize("gw_id", ["a", "netlab-gw1", "0018DE123456", "00:18:de:12:34:56", "a.b_c", "x" * 64, "nulls"])
def test_gateways_may_be_called_that(gw_id: str) -> None:
    """The name is taken as it is, upper and lower case apart."""
    assert read_gw_id(gw_id) == gw_id


@pytest.mark.parametrize(
    "gw_id",
    [
        "x" * 65,
        "my router",
        "a/b",
        "gw\nb",
        "gw\0",
        "gẃ",
        "９",
        "a&b",
        "a%b",
        "a+b",
        "a#b",
        "{a}",
        "${HOSTNAME}",
        '"a"',
    ],
)
def test_gateways_cannot_be_called_that(gw_id: str) -> None:
    """The refusal names the parameter, and the name in a form that can be shown."""
    with pytest.raises(MisnamedGateway) as refused:
        read_gw_id(gw_id)
    assert refused.value.parameter == "gw_id"
    assert refused.value.shown.isprintable()
    assert find_gw_id(gw_id) is None


@pytest.mark.parametrize("gw_id", [" lobby", "lobby ", "\tlobby\r\n"])
def test_blanks_around_a_name_are_not_part_of_it(gw_id: str) -> None:
    """Somebody pasted them into a configuration."""
    assert (read_gw_id(gw_id), find_gw_id(gw_id)) == ("lobby", "lobby")


@pytest.mark.parametrize(
    "gw_id",
    [None, "", " ", "NULL", "null", "(null)", "(NULL)", "<null>", "nil", "(nil)", "None", "none", "(none)", "undefined",
     "Undefined", "N/A", "n/a", " (null) "],
)  # fmt: skip
def test_gateways_say_in_many_ways_that_they_have_no_name(gw_id: str | None) -> None:
    """C's printf, JavaScript, Python, apfree-wifidog."""
    assert read_gw_id(gw_id) is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.11.0.101", "10.11.0.101"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        (None, None),
        ("", None),
        ("N/A", None),
        ("null", None),
        ("fe80::1%eth0", None),
        ("10.11.0", None),
        ("10.11.0.256", None),
        ("010.11.0.1", None),
        ("10.11.0.1/24", None),
        ("[2001:db8::1]", None),
        ("10.11.0.1\0", None),
        ("１0.11.0.1", None),
        ("168492133", None),
        ("router.lan", None),
    ],
)
def test_addresses_are_literal_or_absent(text: str | None, address: str | None) -> None:
    """Normalised as PostgreSQL writes them."""
    assert read_address(text) == address


@given(st.none() | st.text() | st.ip_addresses().map(str))
def test_an_address_is_one_or_none(text: str | None) -> None:
    """Whatever is read can be stored."""
    address = read_address(text)
    assert address is None or str(ip_address(address)) == address


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("10.0.0.9", "10.0.0.9"),
        ("::ffff:10.0.0.9", "10.0.0.9"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::1:0:0", "::1:0:0"),
        ("0.0.0.0", None),
        ("::ffff:0.0.0.0", None),
        ("::", None),
        ("::10.0.0.9", None),
        ("N/A", None),
        (None, None),
    ],
)
def test_a_guest_has_one_address_in_one_form(text: str | None, ip: str | None) -> None:
    """Or none: what says nothing of the guest must not look like a place."""
    assert read_guest_ip(text) == ip


@given(st.from_regex(GATEWAY_ID, fullmatch=True))
def test_names_of_gateways_survive_a_query(gw_id: str) -> None:
    """They need no encoding, which the gateway never does."""
    read = read_gw_id(read_query(f"gw_id={gw_id}".encode())["gw_id"])
    assert read == (None if is_absent(gw_id) else gw_id)


@pytest.mark.parametrize("name", ["gw_id", "device_id"])
def test_a_name_in_another_encoding_is_shown_nevertheless(name: str) -> None:
    """Of everything else half a character is dropped; a name without its umlaut would be another gateway's."""
    fields = read_query(f"{name}=Café".encode("latin-1") + b"&url=Caf\xc3&ssid=Caf\xe9")
    assert fields == {name: "Café", "url": "Caf", "ssid": "Caf"}
    assert read_query(f"{name}=Caf%E9".encode())[name] == "Café"
    assert read_query(f"{name}=Café".encode())[name] == "Café"


def _escaped(text: str) -> str:
    return "".join(f"%{octet:02x}" for octet in text.encode())
