"""What is known of gateways."""

from __future__ import annotations

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.tokens import hash_secret


def test_key_hashes_are_not_shown() -> None:
    """Gateways are printed in errors and logs."""
    gateway = Gateway("lobby", "default", "192.168.1.1", key_hashes=(hash_secret("key"),))
    assert "lobby" in repr(gateway)
    assert "key_hashes" not in repr(gateway)
    assert repr(hash_secret("key")) not in repr(gateway)
