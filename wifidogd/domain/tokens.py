"""Tokens, keys and passwords: minting, hashing, comparing."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from collections.abc import Callable, Sequence
from typing import TypeVar

ALPHABET = string.digits + string.ascii_lowercase
"""Characters that survive every gateway unharmed (docs/protocol.md 6.7); 32 of them carry 165 bits."""

TOKEN_LENGTH = 32
"""wifidog-ng 1.x cuts longer tokens."""

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 1_000
"""Characters of a password that somebody chooses."""

T = TypeVar("T")


def mint_token(choose: Callable[[Sequence[str]], str] = secrets.choice) -> str:
    """
    Return a fresh token or gateway key that nobody can guess.

    @param choose: picks one of a sequence; for tests.
    """
    return "".join(choose(ALPHABET) for _ in range(TOKEN_LENGTH))


def hash_secret(secret: str) -> bytes:
    """
    Return the hash of a token or key under which it is stored and looked up.

    One round of SHA-256 suffices for 165 random bits; passwords go through
    L{wifidogd.runtime.passwords.Passwords}.

    @return: 32 bytes.
    """
    return hashlib.sha256(octets_of(secret)).digest()


def is_acceptable(password: str) -> bool:
    """Return whether somebody may choose a password: length and nothing else, as NIST SP 800-63B asks for."""
    return SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD and password.isprintable()


def is_one_of(secret: str, hashes: Sequence[bytes]) -> bool:
    """Return, in constant time, whether C{secret} hashes to one of C{hashes}."""
    own = hash_secret(secret)
    matches = [hmac.compare_digest(own, known) for known in hashes]
    return any(matches)


def octets_of(text: str) -> bytes:
    """Encode any text, even what a terminal sent that was not UTF-8."""
    return text.encode("utf-8", "surrogatepass")
