"""What is known of gateways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifidogd.domain.gateways import Gateway, near_misses
from wifidogd.domain.tokens import hash_secret


def test_key_hashes_are_not_shown() -> None:
    """Gateways are printed in errors and logs."""
    gateway = Gateway("lobby", "default", "192.168.1.1", key_hashes=(hash_secret("key"),))
    assert "lobby" in repr(gateway)
    assert "key_hashes" not in repr(gateway)
    assert repr(hash_secret("key")) not in repr(gateway)


@pytest.mark.parametrize(
    ("keys", "trust_macs", "proves"), [((), False, False), ((), True, True), ((b"key",), False, True)]
)
def test_only_who_has_a_key_proves_which_device_came(keys: tuple[bytes, ...], trust_macs: bool, proves: bool) -> None:
    """Unless the operator says that nobody else reports."""
    assert Gateway("lobby", "default", "10.0.0.1", key_hashes=keys, trust_macs=trust_macs).proves_macs is proves


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("lobby", ["Lobby"]),
        ("LOBBY", ["Lobby"]),
        ("l0bby", ["Lobby"]),
        ("Iobby", ["Lobby"]),
        ("02abcdefo1ol", ["02ABCDEF0101"]),
        ("02-AB-CD-EF-01-01", ["02ABCDEF0101"]),
        ("02:ab:cd:ef:01:02", ["02ABCDEF0101"]),
        ("cafe-rico", ["cafe.rico", "cafe_rico"]),
        ("caferico2", ["cafe.rico", "cafe_rico"]),
        ("loby", ["Lobby"]),
        ("attic", []),
        ("", []),
    ],
)
def test_a_mistyped_gateway_is_found(typed: str, near: list[str]) -> None:
    """By what people mistake for each other, or else by what is close."""
    assert near_misses(typed, ["Lobby", "02ABCDEF0101", "cafe_rico", "cafe.rico", "garden"]) == near


@given(st.text(max_size=64), st.lists(st.text(max_size=64), max_size=20))
def test_three_near_misses_are_enough(typed: str, known: list[str]) -> None:
    """Of those that are known."""
    near = near_misses(typed, known)
    assert len(near) <= 3
    assert set(near) <= set(known)
