"""Addresses of mail and of networks, at their limits."""

from __future__ import annotations

import pytest

from wifidogd.domain.addresses import delegation_of, read_mail_address

LOCAL = "z" * 64


@pytest.mark.parametrize(
    ("domain", "is_address"),
    [
        (f"{'a' * 27}.example", True),
        (f"{'a' * 28}.example", False),
        (f"{'a' * 63}.{'b' * 28}.example", False),
    ],
)
def test_a_mail_address_has_a_hundred_characters_at_most(domain: str, is_address: bool) -> None:
    """64 before the @, and 35 behind it; it is an account's name, and that is as long."""
    address = f"{LOCAL}@{domain}"
    assert (len(address) <= 100) is is_address
    assert read_mail_address(address) == (address if is_address else None)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("zoe@ab--cd.example", "zoe@ab--cd.example"),
        ("zoe@bücher.example", "zoe@xn--bcher-kva.example"),
        ("zoe@\uff42ücher.example", "zoe@xn--bcher-kva.example"),
        ("zoe@a.b.12", None),
        ("zoe@a.12.example", "zoe@a.12.example"),
        ("zoe@12.example", "zoe@12.example"),
    ],
)
def test_a_domain_is_what_dns_can_hold(typed: str, address: str | None) -> None:
    """ASCII is taken as it is; wide letters of a keyboard mean the plain ones; a number at the end is no name."""
    assert read_mail_address(typed) == address


@pytest.mark.parametrize(
    ("source", "block"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::1", "2001:db8:1::/48"),
        ("2001:db8:2::1", "2001:db8:2::/48"),
        ("unix", "unix"),
    ],
)
def test_what_one_customer_may_have_is_one(source: str, block: str) -> None:
    """Of IPv6 a provider may give a customer 48 bits; of IPv4 one address."""
    assert delegation_of(source) == block
