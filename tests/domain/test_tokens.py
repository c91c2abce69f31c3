"""Tokens, keys and passwords."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifidogd.domain.tokens import ALPHABET, hash_secret, is_one_of, mint_token

ANY_TEXT = st.text(st.characters() | st.characters(categories=["Cs"]))
"""Every str that Python can hold, lone surrogates and NUL too."""


def test_tokens_are_32_of_digits_and_lower_case() -> None:
    """Nothing that a gateway escapes, cuts or swallows (docs/protocol.md 6.7)."""
    token = mint_token()
    assert len(token) == 32
    assert set(token) <= set("0123456789abcdefghijklmnopqrstuvwxyz")


def test_tokens_are_made_by_chance_alone() -> None:
    """Each character is asked for separately, out of the whole alphabet."""
    asked = []

    def last_of(choices: str) -> str:
        asked.append(choices)
        return choices[-1]

    assert mint_token(last_of) == "z" * 32
    assert asked == [ALPHABET] * 32
    assert len({mint_token() for _ in range(1000)}) == 1000


def test_a_secret_is_stored_as_its_sha_256() -> None:
    """The hash is part of the schema: tokens handed out yesterday must be found tomorrow."""
    assert hash_secret("0a" * 16) == hashlib.sha256(b"0a" * 16).digest()


@given(ANY_TEXT)
def test_every_text_has_a_hash(text: str) -> None:
    """What a client sends as its token may be unknown, but never an error."""
    assert len(hash_secret(text)) == 32


@given(ANY_TEXT, ANY_TEXT)
def test_different_texts_have_different_hashes(one: str, other: str) -> None:
    """No two tokens mean the same session."""
    assert (hash_secret(one) == hash_secret(other)) is (one == other)


@pytest.mark.parametrize(
    ("key", "is_good"),
    [("new", True), ("old", True), ("other", False), ("", False), ("New", False), ("new ", False)],
)
def test_both_keys_are_good_while_they_are_rotated(key: str, is_good: bool) -> None:
    """And nothing else is, however near."""
    assert is_one_of(key, (hash_secret("new"), hash_secret("old"))) is is_good


def test_nothing_is_one_of_none() -> None:
    """A gateway without keys is for the caller to decide."""
    assert not is_one_of("", ())
