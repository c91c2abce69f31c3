"""Which addresses guests may be sent to."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifidogd.domain.addresses import blocks_of, is_private, read_mac

MAC = "02:ab:cd:ef:01:01"


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.0",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "192.168.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "169.254.1.1",
        "fc00::1",
        "fdff:ffff::1",
        "fe80::1",
        "febf::1",
    ],
)
def test_private_addresses_are_private(address: str) -> None:
    """To the last one of each block."""
    assert is_private(address)


@pytest.mark.parametrize(
    "address",
    [
        "9.255.255.255",
        "11.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "169.253.255.255",
        "8.8.8.8",
        "127.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "192.0.2.1",
        "::",
        "::1",
        "fbff::1",
        "fec0::1",
        "2001:db8::1",
        "::ffff:192.168.1.1",
    ],
)
def test_everything_else_is_not(address: str) -> None:
    """Not even what other tools call private: loopback, examples, private addresses in IPv6 clothes."""
    assert not is_private(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "router.lan",
        "192.168.1",
        "192.168.1.1 ",
        "192.168.1.1/24",
        "192.168.1.1:2060",
        "[fe80::1]",
        "3232235777",
        "010.0.0.1",
        "１０.0.0.1",
        "10.0.0.1\0",
    ],
)
def test_what_is_no_literal_address_is_not_private(text: str) -> None:
    """Names could lead anywhere."""
    assert not is_private(text)


@given(st.text() | st.ip_addresses().map(str))
def test_every_text_gets_an_answer(text: str) -> None:
    """Whatever a gateway's redirect carries."""
    assert is_private(text) in (True, False)


@given(st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fc00::/7"))
def test_a_whole_block_is_private(address: object) -> None:
    """In every notation that Python writes."""
    assert is_private(str(address))


@pytest.mark.parametrize(
    "text",
    [
        MAC,
        MAC.upper(),
        "02-ab-cd-ef-01-01",
        "02-AB-cd-EF-01-01",
        "02abcdef0101",
        "02ABCDEF0101",
        "02ab.cdef.0101",
        "02AB.CDEF.0101",
        "02ab-cdef-0101",
        "02ab:cdef:0101",
        "02abcd-ef0101",
        "02abcd:ef0101",
        "02.ab.cd.ef.01.01",
        "02 ab cd ef 01 01",
        "2:ab:cd:ef:1:1",
        "2-AB-CD-EF-1-1",
        " 02:ab:cd:ef:01:01\t",
        "02:ab:cd:ef:01:01\r\n",
        "  02ab.cdef.0101 ",
    ],
)
def test_a_mac_is_read_in_every_common_form(text: str) -> None:
    """As Linux, Windows, Cisco, Huawei, HP, BSD, labels and dumps write them."""
    assert read_mac(text) == MAC


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "N/A",
        "null",
        "(null)",
        "*",
        "00:00:00:00:00:00",
        "00-00-00-00-00-00",
        "000000000000",
        "0000.0000.0000",
        "0:0:0:0:0:0",
        "ff:ff:ff:ff:ff:ff",
        "FFFF.FFFF.FFFF",
        "02:ab:cd:ef:01",
        "02:ab:cd:ef:01:01:02",
        "02:ab-cd:ef:01:01",
        "02ab.cdef-0101",
        "2abcdef0101",
        "2 ab cd ef 1 1",
        "02ab cdef 0101 7",
        "0x02abcdef0101",
        "02:ab:cd:ef:01:0g",
        "02:ab:cd:ef:01::01",
        "02:ab:cd:ef:001:1",
        "02:ab:cd:ef:01:0１",
        "10.0.0.1",
    ],
)
def test_what_is_no_mac_is_absent(text: str | None) -> None:
    """So are the zeros of an incomplete ARP entry, and the broadcast address: neither is a device."""
    assert read_mac(text) is None


@given(st.integers(1, 2**48 - 2), st.sampled_from(["", ":", "-", "."]), st.sampled_from([2, 4, 6]), st.booleans())
def test_all_forms_of_a_mac_are_one(number: int, separator: str, width: int, is_upper: bool) -> None:
    """Whatever separates however many digits."""
    digits = f"{number:012x}"
    groups = separator.join(digits[place : place + width] for place in range(0, 12, width))
    assert read_mac(groups.upper() if is_upper else groups) == ":".join(re.findall("..", digits))


@given(st.text())
def test_no_text_breaks_the_reading_of_macs(text: str) -> None:
    """What is read can be read again."""
    read = read_mac(text)
    assert read is None or read_mac(read) == read


@pytest.mark.parametrize(
    ("source", "blocks"),
    [
        ("192.0.2.1", ("192.0.2.1", "192.0.2.0/24")),
        ("192.0.2.255", ("192.0.2.255", "192.0.2.0/24")),
        ("::ffff:192.0.2.1", ("192.0.2.1", "192.0.2.0/24")),
        ("2001:db8:1:2ff:3:4:5:6", ("2001:db8:1:2ff::/64", "2001:db8:1:200::/56", "2001:db8:1::/48")),
        ("2001:db8:1:300::", ("2001:db8:1:300::/64", "2001:db8:1:300::/56", "2001:db8:1::/48")),
        ("2001:db8:2::1", ("2001:db8:2::/64", "2001:db8:2::/56", "2001:db8:2::/48")),
        ("fe80::1%eth0", ("fe80::/64", "fe80::/56", "fe80::/48")),
        ("::1", ("::/64", "::/56", "::/48")),
        ("somewhere", ("somewhere",)),
        ("", ("",)),
    ],
)
def test_a_source_is_in_the_blocks_that_providers_delegate(source: str, blocks: tuple[str, ...]) -> None:
    """Of IPv6 a customer gets 2^8 or 2^16 networks; of IPv4 a host gets an address, a machine room a /24."""
    assert blocks_of(source) == blocks


@given(st.ip_addresses(v=6))
def test_blocks_contain_the_source_and_one_another(address: IPv6Address) -> None:
    """From the narrowest to the widest."""
    blocks = [ip_network(block) for block in blocks_of(str(address))]
    assert all((address.ipv4_mapped or address) in block for block in blocks)
    assert [block.prefixlen for block in blocks] in ([64, 56, 48], [32, 24])
