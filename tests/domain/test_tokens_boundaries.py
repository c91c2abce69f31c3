"""Passwords and tokens at their limits."""

from __future__ import annotations

import pytest

from wifidogd.domain.tokens import PasswordFlaw, flaw_of, hash_secret, normal_password


@pytest.mark.parametrize(
    ("length", "flaw"),
    [(0, PasswordFlaw.SHORT), (7, PasswordFlaw.SHORT), (8, None), (1_000, None), (1_001, PasswordFlaw.LONG)],
)
def test_a_password_has_eight_to_a_thousand_characters(length: int, flaw: PasswordFlaw | None) -> None:
    """NIST SP 800-63B asks for 8; a thousand bound the work of hashing."""
    assert flaw_of("x" * length) is flaw
    assert flaw_of("\ufb01" * (length // 2) + "x" * (length % 2)) is flaw


@pytest.mark.parametrize("password", ["Gr\xfcn-Tee", "Gru\u0308n-Tee", "\uff27r\xfcn-Tee"])
def test_a_password_has_one_form(password: str) -> None:
    """However a keyboard writes it."""
    assert normal_password(password) == "Gr\xfcn-Tee"


def test_a_lone_surrogate_has_a_hash_of_its_own() -> None:
    """A terminal that does not speak UTF-8 may send one; it must be unknown, and no error."""
    assert hash_secret("\udc80") != hash_secret("?")
    assert len(hash_secret("\udc80")) == 32
