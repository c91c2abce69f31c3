"""Passwords and tokens at their limits."""

from __future__ import annotations

import pytest

from wifidogd.domain.tokens import hash_secret, is_acceptable


@pytest.mark.parametrize(("length", "is_good"), [(0, False), (7, False), (8, True), (1_000, True), (1_001, False)])
def test_a_password_has_eight_to_a_thousand_characters(length: int, is_good: bool) -> None:
    """NIST SP 800-63B asks for 8; a thousand bound the work of hashing."""
    assert is_acceptable("x" * length) is is_good


def test_a_lone_surrogate_has_a_hash_of_its_own() -> None:
    """A terminal that does not speak UTF-8 may send one; it must be unknown, and no error."""
    assert hash_secret("\udc80") != hash_secret("?")
    assert len(hash_secret("\udc80")) == 32
